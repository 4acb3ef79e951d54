# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees of files with content from a seed: no two alike, the same in every run."""
import pathlib
import random

WORDS = (
    "table index handle record buffer packet region vector signal cursor branch window module "
    "policy engine folder socket thread result number string option filter report"
).split()


def text(dice, size: int) -> bytes:
    lines, length = [], 0
    while length < size:
        line = " ".join(dice.choices(WORDS, k=9)) + f" {dice.getrandbits(40):x}"
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines).encode()


def content(dice, number: int) -> tuple[str, bytes]:
    """A name's ending and the bytes: what a source tree or a home folder mostly holds."""
    size = min(200_000, int(dice.lognormvariate(8.2, 1.1)))  # median 3.6 KiB, mean 6.7 KiB
    kind = dice.random()
    if kind < 0.55:
        return ".txt", text(dice, size)
    if kind < 0.75:
        page = b"<!DOCTYPE html><html><head><title>%d</title></head><body><p>" % number
        return ".html", page + text(dice, size) + b"</p></body></html>\n"
    if kind < 0.85:
        return ".py", b"#!/usr/bin/python3\n# " + text(dice, size).replace(b"\n", b"\n# ") + b"\n"
    return ".bin", dice.randbytes(size)


def make_tree(folder: pathlib.Path, files: int, seed: int = 1) -> int:
    """Writes so many files, 50 to a folder; how many bytes they have."""
    dice = random.Random(seed)
    total = 0
    for i in range(files):
        place = folder / f"part{i // 1000}" / f"folder{i // 50}"
        if i % 50 == 0:
            place.mkdir(parents=True)
        ending, data = content(dice, i)
        (place / f"file{i}{ending}").write_bytes(data)
        total += len(data)
    return total


def make_c_project(folder: pathlib.Path, units: int, seed: int = 2) -> None:
    """A program of `units` translation units, each with some functions, and its Makefile."""
    dice = random.Random(seed)
    folder.mkdir(parents=True)
    declarations = "".join(f"long unit{u}(long x);\n" for u in range(units))
    header = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + declarations
    (folder / "all.h").write_text(header, encoding="ascii")
    for u in range(units):
        parts = ['#include "all.h"\n']
        for f in range(20):
            a, b, c = dice.getrandbits(16), dice.randint(3, 99), dice.randint(5, 40)
            parts.append(
                f"static long f{f}(long x) {{\n  long sum = {a};\n"
                f"  for (long i = 0; i < {c}; ++i) {{\n    sum += (x ^ i) % {b};\n"
                f"    if (sum % {c} == 0) {{ sum += (long)strlen(\"{dice.getrandbits(60):x}\"); }}\n"
                "  }\n  return sum;\n}\n"
            )
        calls = " + ".join(f"f{f}(x + {f})" for f in range(20))
        parts.append(f"long unit{u}(long x) {{ return {calls}; }}\n")
        (folder / f"unit{u}.c").write_text("".join(parts), encoding="ascii")
    calls = " + ".join(f"unit{u}({u})" for u in range(units))
    main = f'#include "all.h"\nint main(void) {{ printf("%ld\\n", {calls}); return 0; }}\n'
    (folder / "main.c").write_text(main, encoding="ascii")
    makefile = (
        "objects := $(patsubst %.c,%.o,$(wildcard *.c))\n"
        "program: $(objects)\n\tgcc -o $@ $^\n"
        "%.o: %.c all.h\n\tgcc -O1 -c -o $@ $<\n"
    )
    (folder / "Makefile").write_text(makefile, encoding="ascii")
