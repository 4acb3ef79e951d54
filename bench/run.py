# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs scenarios; run.sh starts this in namespaces of its own.

usage: run.sh [--quick] [NAME…]     without a name: all of them
  engine-memory  worker-death  foreground  burst  storm  scan  idle  faults
  doctor  exec-storm  connect-storm  address-lists
--quick: one small round of each, a trial of the scenarios; the report goes nowhere unless
VIGIA_BENCH_REPORT says where.
environment:
  VIGIA_BENCH_ROUNDS   5      fewer for a trial; a figure counts from five on
  VIGIA_BENCH_MINUTES  20     of one scenario; no round is begun that would end later
  VIGIA_BENCH_SET      mid    small, mid (868,000 signatures), large (8.7 million)
  VIGIA_BENCH_FILES    4000   files of the tree of foreground
  VIGIA_BENCH_BURST    20000  files of burst, one in a hundred of them infected
  VIGIA_BENCH_STORM    200000 files of storm, 500 of them infected
  VIGIA_BENCH_SCANNED  863    files of scan
  VIGIA_BENCH_IDLE     60     seconds of a round of idle
  VIGIA_BENCH_RAISES   200    raises of each fault
  VIGIA_BENCH_EXECS    20000  processes of exec-storm
  VIGIA_BENCH_CONNECTS 50000  connections of connect-storm
  VIGIA_BENCH_PREFIXES 1000000  of address-lists
  VIGIA_BENCH_REPORT   docs/BENCHMARKS.md
  VIGIA_BENCH_PROGRAMS build/release/bin
"""
import importlib
import os
import pathlib
import signal
import sys
import time
import traceback

from lib import disk, report
from lib.bench import Bench
from lib.definitions import SCALES

NAMES = ["engine-memory", "worker-death", "foreground", "burst", "storm", "scan", "idle", "faults", "doctor",
         "exec-storm", "connect-storm", "address-lists"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


QUICK = {
    "VIGIA_BENCH_ROUNDS": "1",
    "VIGIA_BENCH_FILES": "500",
    "VIGIA_BENCH_BURST": "1600",
    "VIGIA_BENCH_STORM": "8000",
    "VIGIA_BENCH_SCANNED": "100",
    "VIGIA_BENCH_IDLE": "5",
    "VIGIA_BENCH_EXECS": "1000",
    "VIGIA_BENCH_CONNECTS": "4000",
    "VIGIA_BENCH_PREFIXES": "50000",
    "VIGIA_BENCH_SET": "small",
    "VIGIA_BENCH_REPORT": os.devnull,
}


def ended(*_):
    sys.exit("bench: asked to end")


def run_one(bench: Bench, name: str, file: pathlib.Path, write: bool) -> None:
    print(f"== {name}", flush=True)
    begun = time.monotonic()
    scenario = importlib.import_module("scenarios." + name.replace("-", "_"))
    result = scenario.run(bench)
    result.name = name
    versions = report.machine(bench.versions(), time.monotonic() - begun)
    result.setting = [versions, f"rounds: {bench.done}", *result.setting]
    if bench.done < 5:
        result.notes.append("Fewer than five rounds: a trial, not a figure that counts.")
    print(result.plain(), flush=True)
    if write:
        report.write(file, result, NAMES)


def main() -> int:
    work, *wanted = sys.argv[1:]
    if "--quick" in wanted:
        wanted.remove("--quick")
        for name, value in QUICK.items():
            os.environ.setdefault(name, value)
    if unknown := [name for name in wanted if name not in NAMES]:
        print(f"bench: no scenario {unknown[0]!r}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    file = pathlib.Path(os.environ.get("VIGIA_BENCH_REPORT", ROOT / "docs/BENCHMARKS.md"))
    disk.mount_work(pathlib.Path(work))
    programs = os.environ.get("VIGIA_BENCH_PROGRAMS", ROOT / "build/release/bin")
    bench = Bench(pathlib.Path(work), pathlib.Path(programs))
    if bench.set_name not in SCALES:
        print(f"bench: VIGIA_BENCH_SET is one of {', '.join(SCALES)}", file=sys.stderr)
        return 2
    failed = []
    for name in NAMES:
        if wanted and name not in wanted:
            continue
        try:
            run_one(bench, name, file, write=file != pathlib.Path(os.devnull))
        except Exception:  # pylint: disable=broad-except # the other scenarios still have their say
            traceback.print_exc()
            failed.append(name)
    if failed:
        print(f"bench: FAILED: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


sys.exit(main())
