# SPDX-License-Identifier: GPL-2.0-or-later
"""How much slower untar, cp -r, compile and rm -r are while their folder is watched."""
import contextlib
import os
import resource
import shutil
import time

from lib.clam import Clamonacc
from lib.disk import EXT4
from lib.measure import Series, met
from lib.processes import run as run_program
from lib.processes import wait_quiet
from lib.report import Report
from lib.samples import infected
from lib.trees import make_c_project, make_tree

LIMITS = {"untar": 1.10, "cp -r": 1.10, "compile": 1.05, "rm -r": 1.10}
STATES = ("nothing", "vigia", "clamonacc")
UNITS = 24  # of the program that is compiled


class Figures:
    def __init__(self):
        self.seconds = {(s, step): Series() for s in STATES for step in LIMITS}
        self.own = {(s, step): Series() for s in STATES for step in LIMITS}
        self.backlog = {(s, step): Series() for s in STATES for step in LIMITS}
        self.left_errors = {s: 0 for s in STATES}


def commands(archive, watched) -> dict[str, list[str]]:
    tree, copy = watched / "tree", watched / "copy"
    return {
        "untar": ["tar", "-xf", archive, "-C", watched],
        "cp -r": ["cp", "-r", tree, copy],
        "compile": ["make", "-s", f"-j{os.cpu_count()}", "-C", tree / "project"],
        "rm -r": ["rm", "-r", tree, copy],
    }


@contextlib.contextmanager
def product(bench, state: str, disk, figures: Figures):
    """Yields the processes whose rest is waited for, and what else has to hold."""
    watched = disk / "watched"
    if state == "nothing":
        yield [], lambda: True
    elif state == "vigia":
        instance = bench.vigia(disk / "prefix", watched)
        instance.forget()
        with instance:
            yield [instance.program.pid], instance.settled
    else:
        with bench.clamd(watched) as clamd, Clamonacc(clamd) as watcher:
            watcher.wait_watching(watched / "proof", infected(0))
            yield [clamd.program.pid, watcher.program.pid], lambda: True
            figures.left_errors[state] += watcher.error_lines()


def children_cpu() -> float:
    """Of those that have ended and been waited for: the command; the products run on."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def one_round(bench, state: str, disk, archive, figures: Figures) -> None:
    watched = disk / "watched"
    for entry in watched.iterdir():
        shutil.rmtree(entry)
    environment = {**os.environ, "TMPDIR": str(watched / "tmp")}
    (watched / "tmp").mkdir()
    with product(bench, state, disk, figures) as (pids, also):
        if pids:
            wait_quiet(pids, 120, also)
        for step, command in commands(archive, watched).items():
            os.sync()
            used, begun = children_cpu(), time.monotonic()
            run_program(command, 600, env=environment)
            end = time.monotonic()
            figures.own[state, step].add(children_cpu() - used)
            figures.seconds[state, step].add(end - begun)
            rest = wait_quiet(pids, 600, also) if pids else end
            figures.backlog[state, step].add(max(0.0, rest - end))


def make_archive(disk, files: int):
    source = disk / "source"
    total = make_tree(source / "tree", files)
    make_c_project(source / "tree/project", UNITS)
    archive = disk / "tree.tar"
    run_program(["tar", "-cf", archive, "--sort=name", "-C", source, "tree"])
    shutil.rmtree(source)
    return archive, total


def run(bench) -> Report:
    disk = bench.disk()
    (disk / "watched").mkdir()
    archive, total = make_archive(disk, bench.files)
    figures = Figures()
    for turn in bench.turns():
        for state in STATES:
            bench.say(f"round {turn + 1}: {state}")
            one_round(bench, state, disk, archive, figures)
    report = Report(
        "foreground",
        "untar, cp -r, compile and rm -r in a watched folder",
        [
            "step",
            "nothing running, s",
            "Vigía, s",
            "clamonacc, s",
            "Vigía against nothing",
            "clamonacc against nothing",
            "target",
            "met",
            "the step's own processor time: Vigía",
            "clamonacc",
            "rest after: Vigía, s",
            "clamonacc, s",
        ],
        [
            bench.set_text(),
            f"{bench.files:,} files, {total / 2**20:.0f} MiB, and a C program of {UNITS} units; {EXT4}; "
            "the products' own files on the same",
            "Vigía in audit mode with its defaults; clamonacc without prevention, with extra scanning",
            "after each step the products come to rest (no processor time for 1 s); \"rest after\" is "
            "how long that took",
        ],
    )
    for step, limit in LIMITS.items():
        nothing, ours, peer = (figures.seconds[s, step] for s in STATES)
        ratio = ours / nothing
        report.row(
            step,
            nothing.text(),
            ours.text(),
            peer.text(),
            ratio.text(),
            (peer / nothing).text(),
            f"≤ {limit:.2f}",
            met(ratio.median, limit),
            (figures.own["vigia", step] / figures.own["nothing", step]).text(),
            (figures.own["clamonacc", step] / figures.own["nothing", step]).text(),
            figures.backlog["vigia", step].text(1),
            figures.backlog["clamonacc", step].text(1),
        )
    errors = figures.left_errors["clamonacc"]
    report.notes.append(f"clamonacc wrote {errors:,} error lines in all rounds.")
    return report
