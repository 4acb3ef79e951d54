# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm of small files that the kernel's queue has no room for, and a compiler beside it: what is
missed, how long until all is found, what the compiler feels of it, and the memory it takes."""
import contextlib
import os
import pathlib
import shutil
import threading
import time

from lib.clam import Clamonacc
from lib.disk import EXT4
from lib.measure import Series, met
from lib.processes import Program, descendants, pss_mib, run as run_program, wait_quiet
from lib.report import Report
from lib.samples import infected
from lib.tail import Tail
from lib.trees import make_c_project
from scenarios.burst import WRITERS, found_by_clamonacc, found_by_vigia, write_all

INFECTED = 500
UNITS = 48  # of the program that is compiled beside the storm
QUEUE = pathlib.Path("/proc/sys/fs/fanotify/max_queued_events")
QUEUE_LENGTH = 2048
STATES = ("nothing", "vigia", "clamonacc")


class Figures:
    def __init__(self):
        self.writing, self.compiling = Series(), Series()
        self.all_found, self.rest = Series(), Series()
        self.daemon, self.everything = Series(), Series()
        self.missed, self.infected, self.rounds_with_all = 0, 0, 0


class Memory:
    """The greatest proportional set size of some processes, looked at twice a second."""

    def __init__(self, roots):
        self.roots, self.first, self.all = roots, 0.0, 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.5):
            with contextlib.suppress(OSError, ValueError):
                self.first = max(self.first, pss_mib(self.roots[:1]))
                self.all = max(self.all, pss_mib(p for root in self.roots for p in descendants(root)))


@contextlib.contextmanager
def short_queue():
    """Read when a group is made, so it has to be there before the product begins."""
    before = QUEUE.read_text(encoding="ascii")
    QUEUE.write_text(f"{QUEUE_LENGTH}\n", encoding="ascii")
    try:
        yield
    finally:
        QUEUE.write_text(before, encoding="ascii")


def storm_and_compile(bench, watched, project, figures: Figures) -> dict[str, float]:
    """The compiler runs while the writers do; when each infected file was closed."""
    run_program(["make", "-s", "-C", project, "clean"])
    seconds = []

    def compile_beside():
        begun = time.monotonic()
        run_program(["make", "-s", f"-j{os.cpu_count()}", "-C", project])
        seconds.append(time.monotonic() - begun)

    compiler = threading.Thread(target=compile_beside)
    compiler.start()
    writing, closed = write_all(bench, watched, bench.storm, max(1, bench.storm // INFECTED))
    compiler.join()
    if not seconds:
        raise RuntimeError("the compiler failed")
    figures.writing.add(writing)
    figures.compiling.add(seconds[0])
    return closed


def one_storm(bench, watched, project, pids, also, log, read, figures: Figures) -> None:
    wait_quiet(pids, 120, also)
    with Tail(log) as tail, Memory(pids) as memory:
        closed = storm_and_compile(bench, watched, project, figures)
        end, end_wall = time.monotonic(), time.time()
        figures.rest.add(max(0.0, wait_quiet(pids, 1800, also, window=3.0) - end))
    found = read(tail.lines)
    missing = [path for path in closed if path not in found]
    figures.infected += len(closed)
    figures.missed += len(missing)
    if not missing:
        figures.rounds_with_all += 1
        figures.all_found.add(max(0.0, max(found[path] for path in closed) - end_wall))
    figures.daemon.add(memory.first)
    figures.everything.add(memory.all)


def one_round(bench, name: str, disk, project, figures: Figures) -> None:
    watched = disk / "watched"
    shutil.rmtree(watched, ignore_errors=True)
    watched.mkdir()
    if name == "nothing":
        storm_and_compile(bench, watched, project, figures)
        return
    with short_queue():
        if name == "vigia":
            product = bench.vigia(disk / "prefix", watched)
            product.forget()
            with product:
                one_storm(bench, watched, project, [product.program.pid], product.settled,
                          product.events, found_by_vigia, figures)
        else:
            with bench.clamd(watched) as clamd, Clamonacc(clamd) as watcher:
                watcher.wait_watching(watched / "proof", infected(0))
                pids = [watcher.program.pid, clamd.program.pid]
                one_storm(bench, watched, project, pids, lambda: True, watcher.log,
                          found_by_clamonacc, figures)


def text_of(series: Series, digits: int = 1) -> str:
    return series.text(digits) if series.values else "never"


def run(bench) -> Report:
    disk = bench.disk(4096)
    project = disk / "project"
    make_c_project(project, UNITS)
    with open(project / "Makefile", "a", encoding="ascii") as makefile:
        makefile.write("clean:\n\trm -f *.o program\n")
    figures = {name: Figures() for name in STATES}
    for turn in bench.turns():
        for name in STATES:
            bench.say(f"round {turn + 1}: {name}")
            one_round(bench, name, disk, project, figures[name])
    alone, ours, peer = (figures[name] for name in STATES)
    report = Report(
        "storm",
        f"{bench.storm:,} small files from {WRITERS} writers, a compiler beside them",
        ["what", "Vigía", "clamd + clamonacc", "target", "met"],
        [
            bench.set_text(),
            f"{EXT4}; contents all different; detections only reported, no prevention",
            f"fs.fanotify.max_queued_events = {QUEUE_LENGTH} while a product begins",
            f"a C program of {UNITS} units is compiled in a folder that nobody watches while the "
            "storm begins",
        ],
    )
    report.row("infected files missed, all rounds", f"{ours.missed} of {ours.infected}",
               f"{peer.missed} of {peer.infected}", "0", met(ours.missed, 0))
    report.row("until all are found, after the last writer, s", text_of(ours.all_found),
               text_of(peer.all_found), "", "")
    report.row("at rest after the last writer, s", ours.rest.text(1), peer.rest.text(1), "", "")
    slower, peer_slower = ours.compiling / alone.compiling, peer.compiling / alone.compiling
    report.row("the compiler's time against the storm alone", slower.text(), peer_slower.text(),
               "", "")
    report.row("the writers' time against the storm alone", (ours.writing / alone.writing).text(),
               (peer.writing / alone.writing).text(), "", "")
    report.row("greatest memory, vigiad and clamonacc, MiB", ours.daemon.text(1),
               peer.daemon.text(1), "≤ 256", met(ours.daemon.median, 256))
    report.row("greatest memory, all processes, MiB", ours.everything.text(1),
               peer.everything.text(1), "", "")
    report.notes.append("Memory is the proportional set size, twice a second; \"never\" is a round "
                        "in which some were not found until the product was at rest.")
    return report
