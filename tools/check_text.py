#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that need no compiler: licence line, unfinished marks, length of files, no whole EICAR."""
import pathlib
import re
import sys

CODE = {".h", ".c", ".cpp"}
SCRIPTS = {".py", ".sh"}
ROOTS = ("src", "bpf", "tests", "bench", "tools")
SINGLE = ("dev", ".ci/run")
# Kernel-side code is GPL-2.0 as the kernel asks; everything else may go on to a later version.
LICENCE = re.compile(r"SPDX-License-Identifier: GPL-2\.0-or-later\b")
LICENCE_BPF = re.compile(r"SPDX-License-Identifier: GPL-2\.0")
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")  # whole words: mkdtemp has its own X's
EICAR = "EICAR-STANDARD-" "ANTIVIRUS-TEST-FILE"
HARD_LIMIT = 500  # lines; docs/STYLE.md says what to aim at
AIM = {".cpp": 300, ".c": 300, ".h": 150}


def files_of(root: pathlib.Path) -> list[pathlib.Path]:
    found = [root / name for name in SINGLE if (root / name).is_file()]
    for folder in ROOTS:
        found += [p for p in (root / folder).rglob("*") if p.suffix in CODE | SCRIPTS]
    return sorted(found)


def check(path: pathlib.Path, name: str) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return [f"{name}: not UTF-8: {error}"]
    lines = text.splitlines()
    bad = []
    first = "\n".join(lines[:1] if path.suffix in CODE else lines[:2])
    if not (LICENCE_BPF if name.startswith("bpf/") else LICENCE).search(first):
        bad.append(f"{name}:1: no SPDX-License-Identifier: GPL-2.0-or-later")
    if EICAR in text:
        bad.append(f"{name}: a whole EICAR string; assemble it at run time")
    if path.suffix in CODE:
        for number, line in enumerate(lines, 1):
            if mark := MARKS.search(line):
                bad.append(f"{name}:{number}: unfinished mark {mark.group()}")
        if len(lines) > HARD_LIMIT:
            bad.append(f"{name}: {len(lines)} lines; find it a second room (limit {HARD_LIMIT})")
    return bad


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = files_of(root)
    bad = [line for path in files for line in check(path, str(path.relative_to(root)))]
    long = []
    for path in files:
        lines = path.read_text(encoding="utf-8", errors="replace").count("\n")
        if lines > AIM.get(path.suffix, HARD_LIMIT):
            long.append(f"{path.relative_to(root)} ({lines})")
    if long:
        print("longer than the aim, no error:", ", ".join(long))
    print("\n".join(bad) or f"text: {len(files)} files ok")
    return int(bool(bad))


sys.exit(main())
