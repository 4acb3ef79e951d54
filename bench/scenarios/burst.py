# SPDX-License-Identifier: GPL-2.0-or-later
"""Many small files at once from eight writers, some infected: what is missed, and how late it is."""
import contextlib
import json
import pathlib
import shutil
import sys
import time

from lib.clam import Clamonacc
from lib.disk import EXT4
from lib.measure import Series, met, percentile
from lib.processes import Program, wait_quiet
from lib.report import Report
from lib.samples import RUNNABLE, infected
from lib.tail import Tail

WRITER = pathlib.Path(__file__).resolve().parent.parent / "lib/burst_writer.py"
WRITERS = 8
EVERY = 100  # one in so many is infected
PRODUCTS = ("vigia", "clamonacc")
SHARES = {"p50": (0.50, 0.2), "p99": (0.99, 2.0)}  # of the detections; target in seconds
KINDS = ("all", "programs", "others")  # by what their names say they are


class Figures:
    def __init__(self):
        self.writing, self.rest = Series(), Series()
        self.late = {(kind, share): Series() for kind in KINDS for share in SHARES}
        self.missed, self.infected, self.errors = 0, 0, 0


def write_all(bench, folder, files=0, every=EVERY) -> tuple[float, dict[str, float]]:
    """Seconds that the writers need, and when each infected file was closed."""
    logs = bench.folder("writers")
    logs.mkdir()
    share = (files or bench.burst) // WRITERS
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                Program(
                    [sys.executable, "-B", WRITER, folder]
                    + [w * share, share, every, logs / f"log{w}"],
                    logs / f"out{w}",
                )
            )
            for w in range(WRITERS)
        ]
        for writer in writers:
            if writer.process.wait(900) != 0:
                raise RuntimeError(writer.log.read_text())
    seconds = time.monotonic() - begun
    closed = {}
    for w in range(WRITERS):
        for line in (logs / f"log{w}").read_text().splitlines():
            at, path = line.split(" ", 1)
            closed[path] = float(at)
    return seconds, closed


def found_by_vigia(lines) -> dict[str, float]:
    found = {}
    for at, line in lines:
        if b'"threat-detected"' in line:
            found.setdefault(json.loads(line)["file"]["path"], at)
    return found


def found_by_clamonacc(lines) -> dict[str, float]:
    found = {}
    for at, line in lines:
        if hit := Clamonacc.FOUND.match(line.decode(errors="replace")):
            found.setdefault(hit.group(1), at)
    return found


def kind_of(path: str) -> str:
    return "programs" if pathlib.Path(path).suffix in RUNNABLE else "others"


def one_burst(bench, watched, pids, also, log, read, figures: Figures) -> None:
    wait_quiet(pids, 120, also)
    with Tail(log) as tail:
        seconds, closed = write_all(bench, watched)
        end = time.monotonic()
        figures.rest.add(max(0.0, wait_quiet(pids, 600, also, window=2.0) - end))
    found = read(tail.lines)
    late = {path: found[path] - at for path, at in closed.items() if path in found}
    figures.writing.add(seconds)
    figures.infected += len(closed)
    figures.missed += len(closed) - len(late)
    if not late:
        raise RuntimeError("not one detection: nothing to measure")
    for (kind, name), series in figures.late.items():
        chosen = [s for path, s in late.items() if kind in ("all", kind_of(path))]
        series.add(percentile(chosen, SHARES[name][0]))


def one_round(bench, name: str, disk, figures: Figures) -> None:
    watched = disk / "watched"
    shutil.rmtree(watched, ignore_errors=True)
    watched.mkdir()
    if name == "vigia":
        product = bench.vigia(disk / "prefix", watched)
        product.forget()
        with product:
            one_burst(
                bench,
                watched,
                [product.program.pid],
                product.settled,
                product.events,
                found_by_vigia,
                figures,
            )
    else:
        with bench.clamd(watched) as clamd, Clamonacc(clamd) as watcher:
            watcher.wait_watching(watched / "proof", infected(0))
            pids = [clamd.program.pid, watcher.program.pid]
            one_burst(
                bench, watched, pids, lambda: True, watcher.log, found_by_clamonacc, figures
            )
            figures.errors += watcher.error_lines()


def run(bench) -> Report:
    disk = bench.disk()
    alone = Series()
    figures = {name: Figures() for name in PRODUCTS}
    for turn in bench.turns():
        bench.say(f"round {turn + 1}: nothing")
        shutil.rmtree(disk / "watched", ignore_errors=True)
        (disk / "watched").mkdir()
        alone.add(write_all(bench, disk / "watched")[0])
        for name in PRODUCTS:
            bench.say(f"round {turn + 1}: {name}")
            one_round(bench, name, disk, figures[name])
    ours, peer = figures["vigia"], figures["clamonacc"]
    report = Report(
        "burst",
        f"{bench.burst:,} small files from {WRITERS} writers, one in {EVERY} infected",
        ["what", "Vigía", "clamd + clamonacc", "Vigía against the peer", "target", "met"],
        [
            bench.set_text(),
            f"{EXT4}; contents all different; detections only reported",
            "one clean file in ten and every second infected one has the name of a program",
            "latency: from the begin of close() until the line can be read in the product's log "
            f"(read every {Tail.POLL * 1000:.0f} ms)",
        ],
    )
    report.row(
        "infected files missed, all rounds",
        f"{ours.missed} of {ours.infected}",
        f"{peer.missed} of {peer.infected}",
        "",
        "0",
        met(ours.missed, 0),
    )
    for (kind, name), a in ours.late.items():
        b, limit = peer.late[kind, name], SHARES[name][1]
        what = f"close to detection, {name}, s: {kind}"
        report.row(what, a.text(), b.text(), (a / b).text(3), f"≤ {limit}", met(a.median, limit))
    report.row("at rest after the last writer, s", ours.rest.text(1), peer.rest.text(1),
               (ours.rest / peer.rest).text(3), "", "")
    report.row("the writers' time against nothing running", (ours.writing / alone).text(),
               (peer.writing / alone).text(), "", "", "")
    report.row("error lines, all rounds", "–", f"{peer.errors:,}", "", "", "")
    return report
