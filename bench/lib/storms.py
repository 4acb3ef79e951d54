# SPDX-License-Identifier: GPL-2.0-or-later
"""What watches processes and connections beside us, for the storms: auditd and bpftrace."""
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

from lib.processes import Broken, Program, cpu_seconds, run, wait_until
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

    def pids(self) -> list[int]:
        return [self.product.program.pid]

    def settle(self, pattern: str, wanted: int) -> int:
        return settled_count(lambda: count_in(self.product.events, pattern), wanted)

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

    def pids(self) -> list[int]:
        return [self.program.pid]

    def settle(self, pattern: str, wanted: int) -> int:
        return settled_count(lambda: count_in(self.output, pattern), wanted)

    def lost(self, _) -> int:
        return sum(int(n) for n in re.findall(r"Lost (\d+) events", self.output.read_text(errors="replace")))


class Auditd:
    """With one rule; the kernel's state is put back afterwards. One audit daemon a kernel: if there
    is one already, Broken."""

    def __init__(self, folder: pathlib.Path, rule: list[str]):
        self.folder, self.rule = folder, rule
        self.program, self.before = None, {}

    def __enter__(self):
        self.folder.mkdir(parents=True)
        self.before = self._state()
        if self.before.get("pid", 0):
            raise Broken("another audit daemon is at work")
        (self.folder / "auditd.conf").write_text(
            f"log_file = {self.folder}/audit.log\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\n"
            "freq = 50\nmax_log_file = 2000\nnum_logs = 2\nmax_log_file_action = ROTATE\n"
            "space_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\n"
            "admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n"
            "write_logs = yes\nlocal_events = yes\nname_format = NONE\nq_depth = 2000\n",
            encoding="utf-8",
        )
        self.program = Program(["auditd", "-n", "-c", self.folder], self.folder / "out")
        try:
            wait_until("auditd is at work", 20, lambda: self.program.check() or self._state().get("pid", 0))
            run(["auditctl", "-b", "65536"])
            run(["auditctl", *self.rule])
            run(["auditctl", "-e", "1"])
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        run(["auditctl", "-D", "-k", "vigia-bench"], good=None)
        run(["auditctl", "-e", str(self.before.get("enabled", 0))], good=None)
        run(["auditctl", "-b", str(self.before.get("backlog_limit", 64))], good=None)
        self.program.stop()

    @staticmethod
    def _state() -> dict[str, int]:
        text = run(["auditctl", "-s"]).stdout.decode()
        return {n: int(v) for n, v in re.findall(r"^(\w+) (\d+)", text, re.M)}

    def pids(self) -> list[int]:
        return [self.program.pid]

    def settle(self, pattern: str, wanted: int) -> int:
        return settled_count(lambda: count_in(self.folder / "audit.log", pattern), wanted)

    def lost(self, _) -> int:
        return self._state().get("lost", 0) - self.before.get("lost", 0)


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
    used = cpu_seconds(watcher.pids()) if watcher else 0.0
    begun = time.monotonic()
    storm()
    wall = time.monotonic() - begun
    if not watcher:
        return {"wall": wall}
    told = watcher.settle(pattern, wanted)
    return {
        "wall": wall,
        "cpu": cpu_seconds(watcher.pids()) - used,
        "told": told,
        "lost": watcher.lost(classes),
    }


def python(script: str, *arguments) -> list:
    here = pathlib.Path(__file__).resolve().parent
    return [sys.executable, "-B", here / script, *map(str, arguments)]
