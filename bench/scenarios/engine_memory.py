# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of the scan service with 1, 2 and 4 workers against one engine, and clamd's."""
import os
import subprocess

from lib.measure import Series, met
from lib.processes import Program, descendants, pss_mib, wait_quiet
from lib.report import Report
from lib.trees import make_tree

WORKERS = (1, 2, 4)
LIMIT = 1.10  # of one engine, with four workers
FILES = 400  # scanned before measuring, so that every worker has worked


def one_engine(bench, definitions) -> float:
    """clamscan that has loaded the set and waits for a file on its standard input."""
    log = bench.folder("clamscan")
    command = ["clamscan", f"--database={definitions}", "-"]
    with Program(command, log, stdin=subprocess.PIPE) as engine:
        wait_quiet([engine.pid], 300)
        engine.check()
        return pss_mib([engine.pid])


def service(bench, prefix, disk, workers: int) -> tuple[float, float]:
    """PSS of zygote and workers, and of the daemon with its hashers."""
    (disk / "watched").mkdir(exist_ok=True)
    product = bench.vigia(prefix, disk / "watched")
    product.forget()
    product.workers = str(workers)
    with product:
        product.scan([disk / "tree"])
        wait_quiet([product.program.pid], 60, product.settled)
        pids = product.scan_service()
        if len(pids) != 1 + workers:
            raise RuntimeError(f"{len(pids) - 1} workers instead of {workers}")
        everything = pss_mib(descendants(product.program.pid))
        scanning = pss_mib(pids)
        return scanning, everything - scanning


def run(bench) -> Report:
    disk = bench.disk()
    make_tree(disk / "tree", FILES)
    definitions, _ = bench.definition_set()
    engine, peer, rest = Series(), Series(), Series()
    services = {n: Series() for n in WORKERS}
    for turn in bench.turns():
        bench.say(f"round {turn + 1}")
        engine.add(one_engine(bench, definitions))
        for workers, series in services.items():
            scanning, others = service(bench, disk / "prefix", disk, workers)
            series.add(scanning)
        rest.add(others)
        with bench.clamd() as clamd:
            clamd.scan([disk / "tree"])
            wait_quiet([clamd.program.pid], 60)
            peer.add(pss_mib([clamd.program.pid]))
    report = Report(
        "engine-memory",
        "memory of the scan service",
        ["what", "PSS, MiB", "against one engine", "target", "met"],
        [
            bench.set_text(),
            f"PSS after scanning {FILES} files with fresh processes; one engine = clamscan that has "
            "loaded the set and waits for input",
        ],
    )
    report.row("one engine (clamscan)", engine.text(0), "1", "", "")
    report.row("clamd", peer.text(0), (peer / engine).text(), "", "")
    for workers, series in services.items():
        ratio = series / engine
        limit = f"≤ {LIMIT:.2f}" if workers == max(WORKERS) else ""
        verdict = met(ratio.median, LIMIT) if limit else ""
        name = f"vigia-scand, zygote and {workers} worker" + ("s" if workers > 1 else "")
        report.row(name, series.text(0), ratio.text(), limit, verdict)
    report.row("vigiad and vigia-hash beside it", rest.text(0), "", "≤ 40", met(rest.median, 40))
    report.notes.append(f"The machine has {os.cpu_count()} cores; four workers are asked for by policy.")
    return report
