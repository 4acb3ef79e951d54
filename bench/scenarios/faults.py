# SPDX-License-Identifier: GPL-2.0-or-later
"""From a condition to the event of its fault, and what the fault engine costs while all is well."""
import json
import os
import pathlib
import signal
import time

from lib.bench import number
from lib.measure import Series, met, percentile
from lib.processes import TICKS, Late, wait_until
from lib.report import Report
from lib.tail import Tail
from lib.vigia import Vigia

LIMIT = 1.0  # seconds after raise_after, which is 0 here
IDLE = 60  # seconds
ENGINE = "fault-engine"  # the thread's name
OVERRIDES = ", ".join(
    f'{{ id = {fault}, raise_after = "0ms", clear_after = "0ms", quiet_after = "0ms"{more} }}'
    for fault, more in ((5, ""), (6, ', window = "1s", threshold = 1'), (8, ""))
)


def policy(watched, more: str = "") -> str:
    return (
        '[policy]\nname = "Bench"\nserial = 1\n'
        f'[files]\nmode = "audit"\nwatch = ["{watched}"]\n{more}'
        "[definitions]\nsources = []\n"
        "[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n"
        f"[faults]\nself_heal = false\noverrides = [{OVERRIDES}]\n"
    )


class Instance:
    """The product with the policy above; the built-in definitions do."""

    def __init__(self, bench, disk, name: str, through=()):
        self.product = Vigia(bench.programs, disk / name, disk / "watched")
        self.product.through = through
        self.file = self.product.prefix / "etc/vigia/policy.toml"
        self.write()
        self.product.write_policy = self.write

    def write(self, more: str = "") -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(policy(self.product.watch, more), encoding="utf-8")
        fresh.replace(self.file)


def told(tail: Tail, phase: str, fault: int, since: int) -> float | None:
    """When the event could be read (time.time), among the lines from number `since` on."""
    for at, line in tail.lines[since:]:
        if f'"{phase}"'.encode() in line:
            event = json.loads(line)["vigia"]
            if event["event"] == phase and event["fault"]["id"] == fault:
                return at
    return None


class Missed(Exception):
    """No event within its time."""


def one(tail: Tail, fault: int, begin, end) -> float:
    """Seconds from begin() until the event could be read; returns when the fault is over."""
    since = len(tail.lines)
    begun = time.time()
    begin()
    try:
        raised = wait_until("raised", 30, lambda: told(tail, "fault-raised", fault, since), 0.002)
        end()
        wait_until("cleared", 60, lambda: told(tail, "fault-cleared", fault, since), 0.01)
    except Late as late:
        raise Missed(f"fault {fault}: {late}") from late
    return raised - begun


def scan_user(product):
    folder = product.prefix / "var/lib/vigia/definitions"
    return lambda: folder.chmod(0o777), lambda: folder.chmod(0o755)


def workers(product):
    def kill():
        workers_now = wait_until("a worker", 60, lambda: product.scan_service()[1:])
        os.kill(workers_now[0], signal.SIGKILL)

    return kill, lambda: None


def monitor(instance: Instance):
    return instance.write, lambda: instance.write("monitor_copies_and_moves = false\n")


def measure(bench, tail: Tail, fault: int, begin, end, raises: int) -> list[float]:
    times = []
    stop = time.monotonic() + bench.minutes * 60 / 3
    while len(times) < raises and time.monotonic() < stop:
        times.append(one(tail, fault, begin, end))
    bench.say(f"fault {fault}: {len(times)} raises")
    return times


def engine_thread(pid: int) -> pathlib.Path:
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == ENGINE:
            return task
    raise RuntimeError(f"vigiad has no thread {ENGINE}")


def use_of(task: pathlib.Path) -> tuple[float, int]:
    """Seconds of processor time, by the scheduler where it says so, and sleeps so far."""
    precise = task / "schedstat"
    if precise.exists():
        seconds = int(precise.read_text().split()[0]) / 1e9
    else:
        fields = (task / "stat").read_text().rpartition(") ")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / TICKS
    for line in (task / "status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return seconds, int(line.split()[1])
    raise RuntimeError("no voluntary_ctxt_switches")


def idle(bench, product, cpu: Series, wakes: Series) -> None:
    task = engine_thread(product.program.pid)
    for _ in bench.turns():
        used, slept = use_of(task)
        time.sleep(IDLE / 5)
        used_then, slept_then = use_of(task)
        cpu.add((used_then - used) * 3600 / (IDLE / 5))
        wakes.add((slept_then - slept) * 60 / (IDLE / 5))


def run(bench) -> Report:
    disk = bench.disk(512)
    (disk / "watched").mkdir()
    raises = number("VIGIA_BENCH_RAISES", 200)
    times, cpu, wakes = {}, Series(), Series()
    first = Instance(bench, disk, "prefix")
    with first.product as product:
        idle(bench, product, cpu, wakes)
        with Tail(product.events) as tail:
            times[5] = measure(bench, tail, 5, *scan_user(product), raises)
            times[6] = measure(bench, tail, 6, *workers(product), raises)
    without = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    blind = Instance(bench, disk, "blind", without)
    blind.product.protects = False
    blind.product.write_policy = lambda: blind.write("monitor_copies_and_moves = false\n")
    with blind.product as product, Tail(product.events) as tail:
        times[8] = measure(bench, tail, 8, *monitor(blind), raises)
    report = Report(
        "faults",
        "from a condition to its published event, and the engine at rest",
        ["what", "raises", "p50, s", "p99, s", "greatest, s", "target for p99", "met"],
        [
            "raise_after and clear_after are 0; the built-in definitions; no peer has the like",
            "until the event can be read in events.jsonl (read every "
            f"{Tail.POLL * 1000:.0f} ms); journal and file on ext4, each event durable first",
            f"the engine at rest: its own thread, {IDLE // 5} s per round",
        ],
    )
    what = {
        5: "5: a folder of ours is made writable for all (inotify)",
        6: "6: a worker is killed, threshold 1 (pidfd)",
        8: "8: the file watch is asked for and refused (policy file, fanotify)",
    }
    for fault, values in times.items():
        p99 = percentile(values, 0.99)
        report.row(
            what[fault],
            str(len(values)),
            f"{percentile(values, 0.5):.3f}",
            f"{p99:.3f}",
            f"{max(values):.3f}",
            f"≤ {LIMIT}",
            met(p99, LIMIT),
        )
    report.row("at rest: processor seconds per hour", "", cpu.text(2), "", "", "", "")
    report.row("at rest: sleeps of its thread per minute, those within a look included", "", wakes.text(0), "", "", "", "")
    return report
