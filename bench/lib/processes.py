# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that we started: start, end, wait for, and what they use."""
import os
import pathlib
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Late(Exception):
    """Something did not happen within its deadline."""


class Broken(Exception):
    """A program did not do what the measurement rests on."""


def wait_until(what: str, seconds: float, condition, interval: float = 0.02):
    """The first true value of condition(); Late after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise Late(f"did not happen within {seconds:.0f} s: {what}")
        time.sleep(interval)


def run(arguments, seconds: float = 600, good=(0,), **options) -> subprocess.CompletedProcess:
    """Runs a program to its end; Broken with its last words if the exit status is not one of good."""
    done = subprocess.run(
        [str(a) for a in arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        check=False,
        **options,
    )
    if good is not None and done.returncode not in good:
        words = (done.stderr + done.stdout)[-800:].decode(errors="replace")
        raise Broken(f"{' '.join(map(str, arguments))[:200]}: status {done.returncode}: {words}")
    return done


class Program:
    """A program in the background; what it says goes to a file. Ends with the `with` block."""

    def __init__(self, arguments, log: pathlib.Path, stdin=subprocess.DEVNULL):
        self.log = log
        self.name = pathlib.Path(arguments[0]).name
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdin=stdin, stdout=output, stderr=output
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        if self.process.poll() is not None:
            words = self.log.read_bytes()[-800:].decode(errors="replace")
            raise Broken(f"{self.name} ended with status {self.process.returncode}: {words}")

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self, patience: float = 15) -> None:
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(patience)
        if self.process.stdin:
            self.process.stdin.close()


def _stat_fields(pid: int) -> list[bytes] | None:
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(b")") + 2 :].split()


def parent_of(pid: int) -> int:
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else 0


def is_running(pid: int) -> bool:
    """Also false for a zombie: it does nothing any more."""
    fields = _stat_fields(pid)
    return bool(fields) and fields[0] not in (b"Z", b"X")


def descendants(pid: int) -> list[int]:
    """The process and everything below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat_fields(int(entry))):
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, open_ends = [], [pid]
    while open_ends:
        one = open_ends.pop()
        found.append(one)
        open_ends += parents.get(one, [])
    return found


def name_of(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def pss_mib(pids) -> float:
    """Proportional set size of these processes together; pages that they share count once."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def cpu_seconds(roots) -> float:
    """Processor time of these processes, all below them, and their children that ended."""
    ticks = 0
    for root in roots:
        for pid in descendants(root):
            if fields := _stat_fields(pid):
                ticks += sum(int(f) for f in fields[11:15])
    return ticks / TICKS


def wait_quiet(roots, seconds: float, also=lambda: True, window: float = 1.0) -> float:
    """Waits until the processes used next to nothing for `window` seconds and also() holds; when
    they were last busy (time.monotonic). The same rule for every product."""
    step = 0.25
    end = time.monotonic() + seconds
    busy_at, used = time.monotonic(), cpu_seconds(roots)
    while time.monotonic() - busy_at < window:
        if time.monotonic() > end:
            raise Late(f"not at rest within {seconds:.0f} s")
        time.sleep(step)
        now_used = cpu_seconds(roots)
        if now_used - used > 0.04 * step + 1 / TICKS or not also():
            busy_at = time.monotonic()
        used = now_used
    return busy_at
