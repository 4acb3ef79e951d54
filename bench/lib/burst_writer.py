# SPDX-License-Identifier: GPL-2.0-or-later
"""One writer of the burst, a process of its own.

usage: burst_writer.py FOLDER FIRST COUNT EVERY LOG
Writes files FIRST … FIRST+COUNT-1; each with a number that EVERY divides is infected, and LOG says
when its close began: "time.time() path". One clean file in ten has a name of something that runs,
of the infected ones every second.
"""
import os
import pathlib
import random
import sys
import time

from samples import ending, infected

PER_FOLDER = 50


def main() -> None:
    folder, log = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[5])
    first, count, every = map(int, sys.argv[2:5])
    dice = random.Random(first)
    lines = []
    for number in range(first, first + count):
        place = folder / f"d{number // PER_FOLDER}"
        place.mkdir(exist_ok=True)
        path = place / f"f{number}{ending(number, every)}"
        bad = number % every == 0
        data = infected(number) if bad else b"%d\n" % number + dice.randbytes(600).hex().encode()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.write(file, data)
        if bad:
            lines.append(f"{time.time()} {path}\n")
        os.close(file)
    log.write_text("".join(lines))


if __name__ == "__main__":
    main()
