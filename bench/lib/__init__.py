# SPDX-License-Identifier: GPL-2.0-or-later
"""What the scenarios share. Python 3.11, standard library only."""
