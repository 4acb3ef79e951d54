# SPDX-License-Identifier: GPL-2.0-or-later
"""One scenario per file: run(bench) measures and returns its Report."""
