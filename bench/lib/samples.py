# SPDX-License-Identifier: GPL-2.0-or-later
"""EICAR, put together at run time so that no file of the project is a detection itself."""

RUNNABLE = (".exe", ".sh", ".py", "")
OTHERS = (".txt", ".html", ".jpg", ".csv", ".doc")


def eicar() -> bytes:
    head = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR"
    return head + b"-STANDARD-ANTIVIRUS" + rb"-TEST-FILE!$H+H*"


def infected(number: int) -> bytes:
    """A detection whose content is unlike any other's: no cache of contents helps with it."""
    return eicar() + b"\nsample %d\n" % number


def ending(number: int, every: int) -> str:
    """Of the name of file `number` of a burst in which every so manyth is infected: one clean file
    in ten looks like a program, of the infected ones every second."""
    if number % every == 0:
        runs, turn = number // every % 2 == 0, number // every // 2
    else:
        runs, turn = number % 10 == 5, number // 10
    names = RUNNABLE if runs else OTHERS
    return names[turn % len(names)]
