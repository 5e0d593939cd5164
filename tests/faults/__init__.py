# SPDX-License-Identifier: BSD-2-Clause
"""The fault matrix as a program: each row injects one fault and prints its figure."""
