# SPDX-License-Identifier: GPL-2.0-or-later
"""What dies is one process that scans; how long until there is a verdict again."""
import contextlib
import os
import signal
import time

from lib.clam import Clamonacc
from lib.measure import Series, met, timed
from lib.processes import Late, is_running, parent_of, wait_until
from lib.report import Report
from lib.samples import infected
from lib.tail import Tail

LIMIT = 0.5  # seconds
# A service that ends sooner than this after it was ready starts again with a delay that doubles, so
# that a set which kills it does not keep the machine busy. Measured is the end of one that ran.
PROVEN = 12  # seconds
PATIENCE = 10  # seconds after clamd is back, for a file that was dropped while it was away


class Samples:
    """Files never seen before, each a detection."""

    def __init__(self, folder):
        self.folder = folder
        self.made = 0
        self.missed = 0

    def drop(self):
        self.made += 1
        file = self.folder / f"sample{self.made}"
        file.write_bytes(infected(self.made))
        return file


def detected(tail: Tail, file) -> float | None:
    """When the event of its detection could be read (time.time)."""
    name = f'"path":"{file}"'.encode()
    for at, line in tail.lines:
        if b'"threat-detected"' in line and name in line.replace(b'": "', b'":"'):
            return at
    return None


def drop_and_wait(tail: Tail, samples: Samples, before=lambda: None, seconds: float = 120) -> float:
    """From before() to the detection of a file dropped right after it; so many seconds and counted
    as missed if there is none."""
    begun = time.time()
    before()
    file = samples.drop()
    try:
        return wait_until("detected", seconds, lambda: detected(tail, file), 0.005) - begun
    except Late:
        samples.missed += 1
        return seconds


def measure_vigia(bench, disk, samples) -> dict[str, Series]:
    found = {name: Series() for name in ("no death", "worker", "all")}
    product = bench.vigia(disk / "prefix", samples.folder)
    product.workers = "1"  # so that nobody else can give the next verdict
    with product, Tail(product.events) as tail:
        ready = time.monotonic()
        for turn in bench.turns():
            bench.say(f"vigia, round {turn + 1}")
            found["no death"].add(drop_and_wait(tail, samples))
            number = (signal.SIGKILL, signal.SIGSEGV)[turn % 2]
            _, worker = product.scan_service()
            found["worker"].add(
                drop_and_wait(tail, samples, lambda w=worker, n=number: os.kill(w, n))
            )
            time.sleep(max(0.0, ready + PROVEN - time.monotonic()))
            pids = wait_until("a worker again", 60, lambda: whole_service(product))
            found["all"].add(drop_and_wait(tail, samples, lambda p=pids: kill_all(p)))
            wait_until("a service again", 300, lambda: whole_service(product))
            ready = time.monotonic()
    return found


def kill_all(pids) -> None:
    """The zygote first, so that it makes no other worker; returns when both are gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # the worker may end with its zygote
            os.kill(pid, signal.SIGKILL)
    wait_until("the service is gone", 10, lambda: not any(map(is_running, pids)), 0.001)


def whole_service(product) -> list[int] | None:
    """Zygote and worker, if those two are all there is: nothing is on its way in or out."""
    pids = product.scan_service()
    parents = [parent_of(pid) for pid in pids]
    whole = len(pids) == 2 and parents == [product.program.pid, pids[0]]
    return pids if whole and product.status()["scan"]["state"] == "ready" else None


def measure_clamd(bench, samples) -> tuple[Series, Series, int]:
    """Without a death; killed, started again at once, to the verdict; dropped files never found."""
    plain, killed, missed = Series(), Series(), 0
    with bench.clamd(samples.folder) as clamd:
        for turn in range(bench.done):  # as many as before: ratios are round by round
            bench.say(f"clamd, round {turn + 1}")
            plain.add(timed(lambda: clamd.scan([samples.drop()], good=(1,))))
            with Clamonacc(clamd) as watcher:
                watcher.wait_watching(samples.folder / "proof", infected(0))
                begun = time.monotonic()
                clamd.program.signal(signal.SIGKILL)
                dropped = samples.drop()
                clamd.stop()
                clamd.start()
                clamd.scan([dropped], good=(1,))
                killed.add(time.monotonic() - begun)
                try:
                    wait_until("found", PATIENCE, lambda d=dropped: str(d) in watcher.found())
                except Late:
                    missed += 1
    return plain, killed, missed


def run(bench) -> Report:
    disk = bench.disk(512)
    (disk / "watched").mkdir()
    samples = Samples(disk / "watched")
    ours = measure_vigia(bench, disk, samples)
    plain, killed, missed = measure_clamd(bench, samples)
    report = Report(
        "worker-death",
        "from the death of what scans to the next verdict",
        ["what", "seconds to the verdict", "against clamd", "target", "met"],
        [
            bench.set_text(),
            "Vigía with one worker: an infected file is dropped into the watched folder right after "
            "the kill (SIGKILL and SIGSEGV in turn), until its event can be read in events.jsonl",
            "clamd killed with SIGKILL and started again at once by this script (its unit would not "
            "do it), until clamdscan of a file gives its verdict",
        ],
    )
    worker, everything = ours["worker"], ours["all"]
    report.row("Vigía, nothing dies", ours["no death"].text(3), "", "", "")
    report.row("clamd, nothing dies (clamdscan)", plain.text(3), "", "", "")
    report.row(
        "Vigía, its worker dies",
        worker.text(3),
        (worker / killed).text(3),
        f"≤ {LIMIT} s",
        met(worker.median, LIMIT),
    )
    report.row(
        "Vigía, zygote and worker die: definitions are loaded again",
        everything.text(3),
        (everything / killed).text(3),
        "",
        "",
    )
    report.row("clamd dies: definitions are loaded again", killed.text(3), "1", "", "")
    report.row(
        "files dropped in all this and never found: Vigía",
        f"{samples.missed} of {3 * bench.done}",
        "",
        "0",
        met(samples.missed, 0),
    )
    report.row(
        f"the same: clamonacc, {PATIENCE} s after clamd was back", f"{missed} of {bench.done}", "", "", ""
    )
    return report
