# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a log while it grows and notes when each line could be read."""
import pathlib
import threading
import time


class Tail:
    """The same for every product, so that none is timed by its own clock."""

    POLL = 0.005  # seconds; the resolution of the times

    def __init__(self, file: pathlib.Path):
        self.lines: list[tuple[float, bytes]] = []  # time.time(), line
        self._file = file
        self._at = file.stat().st_size if file.exists() else 0  # what is there is not news
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _follow(self) -> None:
        rest = b""
        while not self._end.wait(self.POLL):
            if not self._file.exists():
                continue
            with open(self._file, "rb") as file:
                file.seek(self._at)
                data = file.read()
            if not data:
                continue
            now = time.time()
            self._at += len(data)
            *whole, rest = (rest + data).split(b"\n")
            self.lines += [(now, line) for line in whole]
