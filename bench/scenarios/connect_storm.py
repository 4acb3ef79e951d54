# SPDX-License-Identifier: GPL-2.0-or-later
"""Many short connections: what watching them costs, and how many of them are told."""
import os
import sys

from lib import processes
from lib.report import Report
from lib.storms import CONNECT_SCRIPT, Auditd, Bpftrace, Sensors, python
from scenarios.exec_storm import storms

# Everything is told, however much it is: what a level of overload leaves out is another question.
LOOPBACK = (
    "[network]\nloopback = true\n"
    '[overload]\nreduce_at = "100%"\ncritical_at = "100%"\nreduce_events = 1000000\ncritical_events = 1000000\n'
)


def run(bench) -> Report:
    port = {"value": 0}

    def storm() -> None:
        done = processes.run(python("connect_writer.py", bench.connects), seconds=1200)
        port["value"] = int(done.stdout.split()[0])

    class Settled:
        """The port is known after the storm only."""

        def __init__(self, inner, pattern):
            self.inner, self.pattern = inner, pattern

        def __enter__(self):
            self.inner.__enter__()
            return self

        def __exit__(self, *words):
            self.inner.__exit__(*words)

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def settle(self, _, wanted):
            return self.inner.settle(self.pattern.replace("PORT", str(port["value"])), wanted)

    def make(name: str):
        folder = bench.folder(name)
        if name == "vigia":
            pattern = '"connection-opened".*"Outbound"|"Outbound".*"connection-opened"'
            return Settled(Sensors(bench, folder, LOOPBACK), pattern), ""
        if name == "auditd":
            rule = ["-a", "always,exit", "-F", "arch=b64", "-S", "connect", "-F", "success=1"]
            pattern = f'type=SYSCALL.*success=yes.*exe="{os.path.realpath(sys.executable)}"'
            return Settled(Auditd(folder, [*rule, "-k", "vigia-bench"]), pattern), ""
        return Settled(Bpftrace(folder, CONNECT_SCRIPT), "^[0-9]+ .* PORT$"), ""

    return storms(
        bench,
        "connect-storm: connections over loopback, opened and closed",
        storm,
        make,
        ("connect", "accept", "close"),
        bench.connects,
    )
