# SPDX-License-Identifier: GPL-2.0-or-later
"""What the product costs while nothing happens: wake-ups and processor time."""
import os
import pathlib
import time

from lib.clam import Clamonacc
from lib.disk import EXT4
from lib.measure import Series, met
from lib.processes import cpu_seconds, descendants, name_of, wait_quiet
from lib.report import Report
from lib.samples import infected

SETTLES = 10  # after the start: the first self-test, the first looks at the machine
WAKEUPS, SHARE = 5.0, 0.1  # of the daemon a second; of one processor, percent


def switches(pids) -> dict[str, int]:
    """By thread: how often it slept and was woken (voluntary context switches)."""
    found = {}
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            for line in pathlib.Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    found[task] = int(line.split()[1])
    return found


def more(now: dict[str, int], before: dict[str, int]) -> int:
    """Of the threads that are still there."""
    return sum(count - before.get(task, 0) for task, count in now.items())


class Figures:
    def __init__(self):
        self.wakeups, self.percent = Series(), Series()


def measure(seconds: int, groups, roots, all_of_them: Figures) -> None:
    """Wake-ups of each group of processes; processor time of the roots and all below them."""
    woken = [switches(pids) for _, pids in groups]
    used, begun = cpu_seconds(roots), time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - begun
    for (figures, pids), before in zip(groups, woken, strict=True):
        figures.wakeups.add(more(switches(pids), before) / elapsed)
    all_of_them.percent.add(100 * (cpu_seconds(roots) - used) / elapsed)


def run(bench) -> Report:
    disk = bench.disk()
    watched = disk / "watched"
    watched.mkdir()
    daemon, children, peer = Figures(), Figures(), Figures()
    for turn in bench.turns():
        bench.say(f"round {turn + 1}: vigia")
        product = bench.vigia(disk / "prefix", watched)
        product.forget()
        with product:
            wait_quiet([product.program.pid], 120, product.settled)
            time.sleep(SETTLES)
            pid = product.program.pid
            below = [p for p in descendants(pid) if name_of(p) != "vigiad"]
            measure(bench.idle, [(daemon, [pid]), (children, below)], [pid], daemon)
        bench.say(f"round {turn + 1}: clamonacc")
        with bench.clamd(watched) as clamd, Clamonacc(clamd) as watcher:
            watcher.wait_watching(watched / "proof", infected(0))
            pids = [clamd.program.pid, watcher.program.pid]
            wait_quiet(pids, 120)
            time.sleep(SETTLES)
            measure(bench.idle, [(peer, pids)], pids, peer)
    report = Report(
        "idle",
        "while nothing happens",
        ["what", "Vigía", "clamd + clamonacc", "target", "met"],
        [
            bench.set_text(),
            f"{bench.idle} s in each round, nothing is written into the watched folder; {EXT4}",
            "wake-ups: voluntary context switches of all threads; processor time of all processes, "
            "as the kernel counts it in ticks",
        ],
    )
    report.row("wake-ups a second, the daemon", daemon.wakeups.text(1), peer.wakeups.text(1),
               f"≤ {WAKEUPS:.0f}", met(daemon.wakeups.median, WAKEUPS))
    report.row("wake-ups a second, its children", children.wakeups.text(1), "", "", "")
    report.row("percent of one processor", daemon.percent.text(3), peer.percent.text(3),
               f"≤ {SHARE}", met(daemon.percent.median, SHARE))
    return report
