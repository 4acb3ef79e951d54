# SPDX-License-Identifier: GPL-2.0-or-later
"""A million prefixes: how long a list takes to be in force, what it costs a connect, and whether
there is a moment without it while it is exchanged."""
import re
import time

from lib import processes
from lib.measure import Series
from lib.processes import Program, wait_until
from lib.report import Report
from lib.storms import Sensors, python

# Networks of documentation and of carriers (100.64.0.0/10): nobody whom this host talks to.
BLOCKED = "203.0.113.0/24"


def write_feed(file, count: int, shift: int) -> None:
    """Replaced whole, as a feed is."""
    fresh = file.with_suffix(".new")
    with open(fresh, "w", encoding="ascii") as out:
        out.write(BLOCKED + "\n")
        for i in range(count - 1):
            n = i * 2 + shift
            if i % 2:
                out.write(f"2001:db8:{n >> 16:x}:{n & 65535:x}::/64\n")
            else:
                out.write(f"100.{64 + (n >> 16) % 64}.{n >> 8 & 255}.{n & 255}\n")
    fresh.replace(file)


def listed(product) -> tuple[int, int]:
    """Networks in the kernel, and KiB of them."""
    for monitor in product.status()["monitors"]:
        found = re.search(r"networks listed: (\d+) \((\d+) KiB", monitor.get("detail") or "")
        if found:
            return int(found.group(1)), int(found.group(2))
    return 0, 0


def load(product, feed, count: int, shift: int) -> float:
    """Seconds from the replaced file to the list in force."""
    before = product.events.read_bytes().count(b'"addresses-loaded"')
    write_feed(feed, count, shift)
    begun = time.monotonic()
    wait_until(
        "the list is in force",
        300,
        lambda: product.events.read_bytes().count(b'"addresses-loaded"') > before,
        interval=0.02,
    )
    return time.monotonic() - begun


def connect_ns(bench) -> float:
    done = processes.run(python("connect_writer.py", bench.connects // 4), seconds=600)
    return float(done.stdout.split()[1])


def run(bench) -> Report:
    first, swap, cost, memory = Series(), Series(), Series(), Series()
    refused = others = 0
    for turn in bench.turns():
        bench.say(f"round {turn + 1}")
        bare = connect_ns(bench)
        folder = bench.folder("lists")
        folder.mkdir()
        feed = folder / "block.txt"
        feed.write_text(BLOCKED + "\n", encoding="ascii")
        more = f'[network]\nmode = "block"\nblock_files = ["{feed}"]\nloopback = true\n'
        with Sensors(bench, folder / "vigia", more) as sensors:
            product = sensors.product
            wait_until("the first list", 60, lambda: listed(product)[0] == 1, interval=0.1)
            small = connect_ns(bench)
            first.add(load(product, feed, bench.prefixes, 0))
            kib = wait_until("it is stated", 60, lambda: listed(product)[0] > 1 and listed(product)[1])
            memory.add(kib / 1024)
            large = connect_ns(bench)
            cost.add((large - small) / 1000)
            hammer = folder / "hammer"
            with Program(python("refused_writer.py", "203.0.113.1"), hammer) as at_it:
                wait_until("connects are tried", 20, lambda: hammer.read_text().startswith("begun"))
                swap.add(load(product, feed, bench.prefixes, 1))
                at_it.stop()
            counted = hammer.read_text().split()
            refused, others = refused + int(counted[1]), others + int(counted[2])
        bench.say(f"connect: {bare / 1000:.1f} µs bare, {small / 1000:.1f} one prefix, {large / 1000:.1f}")
    report = Report("address-lists", f"{bench.prefixes:,} prefixes to block", ["what", "Vigía"])
    report.setting = ["IPv4 addresses and IPv6 networks; the feed file is replaced whole"]
    report.row("from the file to the list in force, s", first.text(2))
    report.row("exchanged for another of that size, s", swap.text(2))
    report.row("connects meanwhile that were refused / that were not", f"{refused:,} / {others}")
    report.row("memory of the kernel, MiB", memory.text(1))
    report.row("dearer for a connect than one prefix, µs", cost.text(2))
    return report
