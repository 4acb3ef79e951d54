# SPDX-License-Identifier: GPL-2.0-or-later
"""Many short-lived processes: what watching them costs, and how many of them are told."""
import shutil

from lib import processes
from lib.measure import Series
from lib.processes import Broken, Late
from lib.report import Report
from lib.storms import EXEC_SCRIPT, Auditd, Bpftrace, Sensors, nothing, one_storm

TITLES = {"vigia": "Vigía", "auditd": "auditd", "bpftrace": "bpftrace"}


def watcher(bench, name: str, program):
    folder = bench.folder(name)
    if name == "vigia":
        told, line = '"process-launched"', f'"cmd_line":"{program}"'
        return Sensors(bench, folder), f"{told}.*{line}|{line}.*{told}"
    if name == "auditd":
        # All of the host's: a rule for one file does not hold across mount namespaces.
        rule = ["-a", "always,exit", "-F", "arch=b64", "-S", "execve", "-k", "vigia-bench"]
        return Auditd(folder, rule), f'type=SYSCALL.*exe="{program}"'
    return Bpftrace(folder, EXEC_SCRIPT), f"^[0-9]+ {program}$"


def run_storm(bench, program) -> None:
    loop = f"i=0; while [ $i -lt {bench.execs} ]; do {program}; i=$((i+1)); done"
    processes.run(["/bin/sh", "-c", loop], seconds=1200)


def storms(bench, title: str, storm, make, classes, wanted: int) -> Report:
    """One storm with each watcher in each round; shared with connect-storm."""
    alone, figures, broken = Series(), {n: [] for n in TITLES}, {}
    for turn in bench.turns():
        bench.say(f"round {turn + 1}: nothing")
        with nothing():
            alone.add(one_storm(None, storm, "", 0, ())["wall"])
        for name in TITLES:
            if name in broken:
                continue
            bench.say(f"round {turn + 1}: {name}")
            try:
                one, pattern = make(name)
                with one:
                    figures[name].append(one_storm(one, storm, pattern, wanted, classes))
            except (Broken, Late, FileNotFoundError) as error:
                broken[name] = str(error)
    report = Report(title.split(":")[0], title.split(": ")[1], ["what", *TITLES.values()])
    report.setting = [f"{wanted:,} a round; nothing watching: {alone.text(2, 's')}"]

    def cells(value, digits=2):
        return [
            Series(map(value, figures[n])).text(digits) if figures[n] else "did not run" for n in TITLES
        ]

    ratios = []
    for name in TITLES:
        walls = [one["wall"] / base for one, base in zip(figures[name], alone.values)]
        ratios.append(Series(walls).text() if walls else "did not run")
    report.row("time against nothing watching", *ratios)
    report.row("its processor time, µs for each", *cells(lambda o: o["cpu"] / wanted * 1e6, 1))
    report.row("told, of a hundred", *cells(lambda o: 100 * o["told"] / wanted))
    report.row("lost, by its own count", *cells(lambda o: o["lost"], 0))
    report.notes = [f"{TITLES[name]} could not run: {why[:300]}" for name, why in broken.items()]
    return report


def run(bench) -> Report:
    # A program of our own, so that nobody else's are counted.
    program = bench.folder("storm")
    shutil.copy("/bin/true", program)
    return storms(
        bench,
        "exec-storm: short-lived processes, one after the other",
        lambda: run_storm(bench, program),
        lambda name: watcher(bench, name, program),
        ("exec", "fork", "exit"),
        bench.execs,
    )
