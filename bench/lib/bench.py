# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario is given: sizes, folders, and the products ready to start."""
import dataclasses
import os
import pathlib
import sys
import time

from lib import clam, definitions, disk, processes, vigia


def number(name: str, default: int) -> int:
    """A size from the environment; a mistake ends the run before it begins."""
    text = os.environ.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        sys.exit(f"bench: {name} must be a whole number above 0, not {text!r}")
    return int(text)


@dataclasses.dataclass
class Bench:
    work: pathlib.Path  # a tmpfs of our own
    programs: pathlib.Path  # where vigiad is
    rounds: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_ROUNDS", 5))
    files: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_FILES", 4000))
    burst: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_BURST", 20000))
    storm: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_STORM", 200000))
    scanned: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_SCANNED", 863))
    idle: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_IDLE", 60))
    execs: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_EXECS", 20000))
    connects: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_CONNECTS", 50000))
    prefixes: int = dataclasses.field(
        default_factory=lambda: number("VIGIA_BENCH_PREFIXES", 1_000_000)
    )
    set_name: str = dataclasses.field(
        default_factory=lambda: os.environ.get("VIGIA_BENCH_SET", "mid")
    )
    minutes: int = dataclasses.field(default_factory=lambda: number("VIGIA_BENCH_MINUTES", 20))
    done: int = 0  # rounds of the scenario that is running
    _sets: dict = dataclasses.field(default_factory=dict)
    _folders: int = 0

    def turns(self):
        """The rounds of a scenario; no further one is begun that would end after its time."""
        begun, self.done = time.monotonic(), 0
        while self.done < self.rounds:
            spent = time.monotonic() - begun
            if self.done and spent + spent / self.done > self.minutes * 60:
                self.say(f"no time for a round more than {self.done}")
                return
            yield self.done
            self.done += 1

    def say(self, text: str) -> None:
        print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)

    def folder(self, name: str) -> pathlib.Path:
        self._folders += 1
        return self.work / f"{name}{self._folders}"

    def disk(self, mebibytes: int = 2048) -> pathlib.Path:
        """A fresh ext4, unmounted when the run ends; nothing of an earlier scenario is on it."""
        return disk.make_ext4(self.folder("disk"), mebibytes)

    def definition_set(self) -> tuple[pathlib.Path, int]:
        if self.set_name not in self._sets:
            place = self.work / f"definitions-{self.set_name}"
            self.say(f"makes the definition set {self.set_name}")
            self._sets[self.set_name] = place, definitions.make_definitions(place, self.set_name)
        return self._sets[self.set_name]

    def set_text(self) -> str:
        return f"definition set \"{self.set_name}\": {self.definition_set()[1]:,} signatures"

    def vigia(self, prefix: pathlib.Path, watch: pathlib.Path) -> vigia.Vigia:
        """With the definition set; its own files under `prefix`."""
        instance = vigia.Vigia(self.programs, prefix, watch)
        instance.definitions, instance.signatures = self.definition_set()
        return instance

    def clamd(self, watch: pathlib.Path | None = None) -> clam.Clamd:
        return clam.Clamd(self.folder("clamd"), self.definition_set()[0], watch)

    def versions(self) -> str:
        gcc = processes.run(["gcc", "-dumpfullversion"]).stdout.decode().strip()
        return (
            f"vigia {vigia.version(self.programs)}, clamd/clamonacc/libclamav {clam.version()}, "
            f"gcc {gcc}, python {sys.version.split()[0]}"
        )
