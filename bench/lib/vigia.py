# SPDX-License-Identifier: GPL-2.0-or-later
"""The product: an instance under a prefix of ours, watching a folder of ours."""
import json
import pathlib
import shutil

from lib.processes import Program, descendants, name_of, run, wait_until


class Vigia:
    def __init__(self, programs: pathlib.Path, prefix: pathlib.Path, watch: pathlib.Path):
        self.programs = programs
        self.prefix = prefix
        self.watch = watch
        self.definitions = None  # a folder of definition files, or only the built-in set
        self.signatures = 0  # at least so many once it is loaded
        self.workers = '"auto"'
        self.more = ""  # further sections of the policy
        self.through = ()  # a command that becomes vigiad
        self.protects = True  # or only answers, when it is started
        self.program = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def events(self) -> pathlib.Path:
        return self.prefix / "var/log/vigia/events.jsonl"

    def forget(self) -> None:
        """As on the day of installation: no caches, no journal."""
        shutil.rmtree(self.prefix, ignore_errors=True)

    def write_policy(self) -> None:
        sources = ""
        if self.definitions:
            sources = f'{{ kind = "folder", path = "{self.definitions}" }}'
        file = self.prefix / "etc/vigia/policy.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            '[policy]\nname = "Bench"\nserial = 1\n'
            f'[files]\nmode = "audit"\nwatch = ["{self.watch}"]\n'
            f"[definitions]\nsources = [{sources}]\n"
            f"[scan]\nworkers = {self.workers}\n{self.more}",
            encoding="utf-8",
        )

    def start(self, seconds: float = 300) -> None:
        """Returns when it protects: definitions loaded, self-test passed (or when it answers)."""
        self.write_policy()
        self.program = Program(
            [*self.through, self.programs / "vigiad", "--foreground", "--prefix", self.prefix],
            self.prefix / "daemon.out",
        )

        def protects():
            self.program.check()
            now = self.status(good=None)
            if not self.protects:
                return now
            return (
                now
                and now["state"] == "protected"
                and now["definitions"]["signatures"] >= self.signatures
            )

        wait_until("vigiad protects", seconds, protects, interval=0.05)

    def stop(self) -> None:
        if self.program:
            self.program.stop()
            self.program = None

    def command(self, *arguments, good=(0,), seconds: float = 300):
        return run([self.programs / "vigia", "--prefix", self.prefix, *arguments], seconds, good)

    def status(self, good=(0, 1)) -> dict | None:
        text = self.command("status", "--json", good=good).stdout
        return json.loads(text) if text.startswith(b"{") else None

    def scan(self, paths, seconds: float = 300) -> dict:
        return json.loads(
            self.command("scan", "--json", *paths, good=(0, 1), seconds=seconds).stdout
        )

    def settled(self) -> bool:
        now = self.status()
        return now["scan"]["pending"] == 0 and now["catch_up"]["state"] == "none"

    def scan_service(self) -> list[int]:
        """The zygote first, then its workers."""
        return [p for p in descendants(self.program.pid) if name_of(p) == "vigia-scand"]


def version(programs: pathlib.Path) -> str:
    return run([programs / "vigiad", "--version"]).stdout.decode().split()[-1]
