# SPDX-License-Identifier: GPL-2.0-or-later
"""How long `vigia doctor` takes on this machine, and what it says of it."""
import json
import subprocess
import time

from lib.measure import Series
from lib.report import Report

RUNS = 5  # in each round


def seconds(command: list[str]) -> tuple[float, str]:
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode not in (0, 1):  # 1: there are faults
        raise RuntimeError(f"{command}: {done.stderr}")
    return time.monotonic() - begun, done.stdout


def run(bench) -> Report:
    vigia = str(bench.programs / "vigia")
    start, doctor, ratio = Series(), Series(), Series()
    said = ""
    for turn in bench.turns():
        bench.say(f"round {turn + 1}")
        for _ in range(RUNS):
            plain, _ = seconds([vigia, "help"])
            took, said = seconds([vigia, "doctor", "--json"])
            start.add(plain)
            doctor.add(took)
            ratio.add(took / plain)
    answer = json.loads(said)
    faults = ", ".join(str(fault["id"]) for fault in answer["faults"]) or "none"
    missing = ", ".join(c["name"] for c in answer["capabilities"] if c["state"] != "ok") or "none"
    report = Report(
        "doctor",
        "the examination of this machine",
        ["what", "seconds", "against the start of the program"],
        [
            f"{RUNS} runs in each round; no peer has the like: the yardstick is `vigia help`, a start of the "
            "same program that examines nothing",
            f"faults that it foresees here: {faults}; capabilities that it does not find: {missing}",
        ],
    )
    report.row("vigia help", start.text(3), "1")
    report.row("vigia doctor --json", doctor.text(3), ratio.text(1))
    return report
