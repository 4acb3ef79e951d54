# SPDX-License-Identifier: GPL-2.0-or-later
"""What watches processes and connections beside us, for the storms: auditd and bpftrace."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from lib.processes import TICKS, Broken, Program, cpu_seconds, run, wait_until
from lib.vigia import Vigia

EXEC_SCRIPT = 'tracepoint:syscalls:sys_enter_execve { printf("%d %s\\n", pid, str(args->filename)); }'
CONNECT_SCRIPT = (
    "tracepoint:sock:inet_sock_set_state /args->newstate == 2/ "
    '{ printf("%d %s %d\\n", pid, comm, args->dport); }'
)


class Sensors:
    """Vigía's own, without a file watched that the storm touches. None lost means: none anywhere."""

    def __init__(self, bench, folder: pathlib.Path, more: str = ""):
        (folder / "watched").mkdir(parents=True)
        self.product = Vigia(bench.programs, folder / "prefix", folder / "watched")
        self.product.more = more

    def __enter__(self):
        self.product.start()
        wait_until("the sensors run in the kernel", 60, self._in_kernel, interval=0.1)
        return self

    def __exit__(self, *_):
        self.product.stop()

    def _in_kernel(self) -> bool:
        monitors = {m["name"]: m for m in self.product.status()["monitors"]}
        return all((monitors[n].get("backend") or "").startswith("ebpf") for n in ("processes", "network"))

    def cpu_seconds(self) -> float:
        return cpu_seconds([self.product.program.pid])

    def settle(self, pattern: str, wanted: int) -> int:
        # 20,000 connections are more than one file of events holds.
        def count() -> int:
            kept = self.product.events.parent.glob("events.jsonl*")
            return sum(count_in(file, pattern) for file in kept)

        return settled_count(count, wanted)

    def lost(self, classes) -> int:
        return sum(a["lost"] or 0 for a in self.product.status()["accounting"] if a["class"] in classes)


class Bpftrace:
    def __init__(self, folder: pathlib.Path, script: str):
        folder.mkdir(parents=True)
        self.output = folder / "out"
        self.script = script
        self.program = None

    def __enter__(self):
        tracing = pathlib.Path("/sys/kernel/tracing")
        if not (tracing / "events").is_dir():  # ours alone: run.sh made a mount namespace
            run(["mount", "-t", "tracefs", "tracefs", tracing])
        # 4,096 pages a processor: the default loses much of a storm.
        os.environ["BPFTRACE_PERF_RB_PAGES"] = "4096"
        self.program = Program(
            ["bpftrace", "-B", "line", "-e", f'BEGIN {{ printf("begun\\n"); }} {self.script}'],
            self.output,
        )
        wait_until("bpftrace has begun", 60, lambda: self.program.check() or count_in(self.output, "begun"))
        return self

    def __exit__(self, *_):
        self.program.stop()

    def cpu_seconds(self) -> float:
        return cpu_seconds([self.program.pid])

    def settle(self, pattern: str, wanted: int) -> int:
        return settled_count(lambda: count_in(self.output, pattern), wanted)

    def lost(self, _) -> int:
        return sum(int(n) for n in re.findall(r"Lost (\d+) events", self.output.read_text(errors="replace")))


class Auditd:
    """With one rule. It runs outside of our namespaces: audit_outside.py, in VIGIA_BENCH_AUDIT."""

    def __init__(self, folder: pathlib.Path, rule: list[str]):
        self.folder = pathlib.Path(os.environ.get("VIGIA_BENCH_AUDIT", "/nonexistent")) / folder.name
        self.rule = rule
        self.lost_before = 0

    def _ask(self, **request) -> dict:
        answer = self.folder.parent / f"{self.folder.name}.answer"
        fresh = answer.with_suffix(".part")
        fresh.write_text(json.dumps(request), encoding="utf-8")
        fresh.rename(answer.with_suffix(".request"))
        wait_until("the audit helper answers", 60, answer.exists)
        said = json.loads(answer.read_text(encoding="utf-8"))
        answer.unlink()
        if "error" in said:
            raise Broken(said["error"])
        return said

    def __enter__(self):
        self.folder.mkdir()
        (self.folder / "auditd.conf").write_text(
            f"log_file = {self.folder}/audit.log\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\n"
            "freq = 50\nmax_log_file = 2000\nnum_logs = 2\nmax_log_file_action = ROTATE\n"
            "space_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\n"
            "admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\n"
            "disk_error_action = IGNORE\nwrite_logs = yes\nlocal_events = yes\n"
            "name_format = NONE\nq_depth = 2000\n",
            encoding="utf-8",
        )
        self.lost_before = self._ask(do="start", config=str(self.folder), rule=self.rule)["lost"]
        return self

    def __exit__(self, *_):
        self._ask(do="stop")

    def cpu_seconds(self) -> float:
        return self._ask(do="cpu")["ticks"] / TICKS

    def settle(self, pattern: str, wanted: int) -> int:
        return settled_count(lambda: count_in(self.folder / "audit.log", pattern), wanted)

    def lost(self, _) -> int:
        return self._ask(do="cpu")["lost"] - self.lost_before


def count_in(file: pathlib.Path, pattern: str) -> int:
    done = subprocess.run(["grep", "-c", "-E", "-e", pattern, str(file)], capture_output=True, check=False)
    return int(done.stdout or 0)


def settled_count(count, wanted: int, patience: float = 20) -> int:
    """Waits until all is there, or nothing more has come for two seconds."""
    last, since, end = -1, time.monotonic(), time.monotonic() + patience * 6
    while time.monotonic() < end:
        now = count()
        if now >= wanted:
            return now
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 2:
            return now
        time.sleep(0.25)
    return last


@contextlib.contextmanager
def nothing():
    yield None


def one_storm(watcher, storm, pattern: str, wanted: int, classes) -> dict:
    """Wall and processor time of one storm, and what was told of it."""
    used = watcher.cpu_seconds() if watcher else 0.0
    begun = time.monotonic()
    storm()
    wall = time.monotonic() - begun
    if not watcher:
        return {"wall": wall}
    told = watcher.settle(pattern, wanted)
    return {
        "wall": wall,
        "cpu": watcher.cpu_seconds() - used,
        "told": told,
        "lost": watcher.lost(classes),
    }


def python(script: str, *arguments) -> list:
    here = pathlib.Path(__file__).resolve().parent
    return [sys.executable, "-B", here / script, *map(str, arguments)]
