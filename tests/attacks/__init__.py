# SPDX-License-Identifier: BSD-2-Clause
"""The attack matrix: see README."""
