# SPDX-License-Identifier: GPL-2.0-or-later
"""A scan on demand of programs and libraries of /usr, the first time and again."""
import os
import pathlib
import shutil

from lib.disk import EXT4
from lib.measure import Series, met, timed
from lib.processes import cpu_seconds
from lib.processes import run as run_program
from lib.report import Report

SOURCES = ("/usr/bin", "/usr/sbin", f"/usr/lib/{os.uname().machine}-linux-gnu")
LARGEST = 4 << 20  # bytes
WARM_LIMIT = 0.1  # of sha256sum


def choose(count: int) -> list[pathlib.Path]:
    """So many files, evenly over the sources in the order of their names."""
    files = []
    for source in SOURCES:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                file = pathlib.Path(folder, name)
                plain = file.is_file() and not file.is_symlink()
                if plain and 0 < file.stat().st_size <= LARGEST:
                    files.append(file)
    return [files[i * len(files) // count] for i in range(count)]


def copy_of(files, folder: pathlib.Path) -> int:
    total = 0
    for file in files:
        target = folder / file.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        total += target.stat().st_size
    return total


def run(bench) -> Report:
    disk = bench.disk()
    (disk / "watched").mkdir()
    tree = disk / "tree"
    total = copy_of(choose(bench.scanned), tree)
    files = sorted(p for p in tree.rglob("*") if p.is_file())
    yardstick = Series()
    ours, peer, ours_cpu, peer_cpu = ({"cold": Series(), "warm": Series()} for _ in range(4))

    def digest():
        return run_program(["sha256sum", "--", *files])

    def vigia_scan(product):
        job = product.scan([tree])
        if job["state"] != "completed" or job["files"] != len(files) or job["errors_total"]:
            raise RuntimeError(f"scan: {job['state']}, {job['files']} files, {job['errors'][:3]}")

    digest()  # the page cache is warm for everybody
    for turn in bench.turns():
        bench.say(f"round {turn + 1}")
        yardstick.add(timed(digest))
        product = bench.vigia(disk / "prefix", disk / "watched")
        product.forget()
        with product:
            for what, series in ours.items():
                used = cpu_seconds([product.program.pid])
                series.add(timed(lambda p=product: vigia_scan(p)))
                ours_cpu[what].add(cpu_seconds([product.program.pid]) - used)
        with bench.clamd() as clamd:
            for what, series in peer.items():
                used = cpu_seconds([clamd.program.pid])
                series.add(timed(lambda c=clamd: c.scan([tree])))
                peer_cpu[what].add(cpu_seconds([clamd.program.pid]) - used)
    report = Report(
        "scan",
        f"vigia scan of {len(files)} files of /usr",
        ["what", "Vigía, s", "clamdscan, s", "Vigía against clamdscan", "Vigía against sha256sum",
         "clamdscan against sha256sum", "target", "met", "processor time: Vigía, s", "clamd, s"],
        [
            bench.set_text(),
            f"{len(files)} files, {total / 2**20:.0f} MiB, evenly over {', '.join(SOURCES)}, none above "
            f"{LARGEST >> 20} MiB, copied; {EXT4}; page cache warm for all",
            "cold: the product has just been started and knows none of the files; warm: the same "
            "command again; clamdscan --multiscan --fdpass",
            f"yardstick: one sha256sum of the same files, {yardstick.text()} s",
        ],
    )
    for what in ours:
        to_peer, to_digest = ours[what] / peer[what], ours[what] / yardstick
        cold = what == "cold"
        report.row(
            what,
            ours[what].text(3),
            peer[what].text(3),
            to_peer.text(),
            to_digest.text(),
            (peer[what] / yardstick).text(),
            "≤ clamdscan" if cold else f"≤ {WARM_LIMIT} of sha256sum",
            met(to_peer.median, 1.0) if cold else met(to_digest.median, WARM_LIMIT),
            ours_cpu[what].text(),
            peer_cpu[what].text(),
        )
    return report
