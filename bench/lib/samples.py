# SPDX-License-Identifier: GPL-2.0-or-later
"""EICAR, put together at run time so that no file of the project is a detection itself."""


def eicar() -> bytes:
    head = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR"
    return head + b"-STANDARD-ANTIVIRUS" + rb"-TEST-FILE!$H+H*"


def infected(number: int) -> bytes:
    """A detection whose content is unlike any other's: no cache of contents helps with it."""
    return eicar() + b"\nsample %d\n" % number
