# SPDX-License-Identifier: BSD-2-Clause
"""Scripted test equipment: a mail server, scorers that misbehave, the daemon as a child process."""
