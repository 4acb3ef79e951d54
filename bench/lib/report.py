# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of one scenario, on the terminal and as its section of docs/BENCHMARKS.md."""
import dataclasses
import datetime
import os
import pathlib
import re

HEAD = """# Benchmarks

Written by `./dev bench [NAME…]`; a run replaces the sections of the scenarios that it ran. Absolute
times of a shared machine mean little: what counts is the ratio within one round, product and peer
in turn. Cells are median (least–greatest) over the rounds. These figures are of a noisy 2-core
virtual machine that was shared with builds and tests of others while they were taken.

The peer is ClamAV's own daemon with its on-access client, from Debian's package; both use the same
definitions, made from a seed in the shape of the public set. Everything lies on file systems of the
run's own. "Target" is what Vigía set itself; where it is missed, the table says so.
"""


@dataclasses.dataclass
class Report:
    """What a scenario found. Rows are as long as the header."""

    name: str
    title: str
    header: list[str]
    setting: list[str] = dataclasses.field(default_factory=list)
    rows: list[list[str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def row(self, *cells: str) -> None:
        assert len(cells) == len(self.header)
        self.rows.append(list(cells))

    def markdown(self) -> str:
        lines = [f"## {self.name}: {self.title}", ""]
        lines += [f"- {line}" for line in self.setting] + [""]
        lines.append("| " + " | ".join(self.header) + " |")
        lines.append("|" + "---|" * len(self.header))
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        if self.notes:
            lines += [""] + [f"- {note}" for note in self.notes]
        return "\n".join(lines) + "\n"

    def plain(self) -> str:
        widths = [max(len(r[i]) for r in [self.header, *self.rows]) for i in range(len(self.header))]
        rule = ["-" * w for w in widths]
        body = [self.header, rule, *self.rows]
        lines = [f"== {self.name}: {self.title}"]
        lines += ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in body]
        return "\n".join(lines + [f"({note})" for note in self.notes]) + "\n"


def machine(versions: str, seconds: float) -> str:
    kernel = os.uname().release
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    load = os.getloadavg()[2]
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{now}, kernel {kernel}, {os.cpu_count()} cores, {memory} GiB, load of the last 15 minutes "
        f"{load:.1f}, took {seconds:.0f} s; {versions}"
    )


def write(file: pathlib.Path, report: Report, order: list[str]) -> None:
    """Replaces the section of this scenario and leaves the others as they are."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    found = re.findall(r"<!-- (\S+) -->\n(.*?)<!-- end -->\n", old, re.S)
    sections = {name: text for name, text in found if name in order}
    sections[report.name] = report.markdown()
    text = HEAD
    for name in order:
        if name in sections:
            text += f"\n<!-- {name} -->\n{sections[name]}<!-- end -->\n"
    fresh = file.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
