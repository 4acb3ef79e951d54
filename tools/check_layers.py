#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fails if a source file includes what its layer may not see (see docs/ARCHITECTURE.md).

base <- model <- wire <- L2 folders <- L3 folders; L2 folders do not include each other. Besides
our own folders: who may see which library, and that heavy headers stay out of our headers.
"""
import pathlib
import re
import sys

L1 = {"base", "model", "wire"}
L2 = {
    "host", "sensors", "process_tree", "policy", "scan", "response", "definitions", "journal",
    "sinks", "health", "control", "metrics", "overload",
}
MAY_SEE = {  # folder -> folders it may include, besides itself
    "base": set(),
    "model": {"base"},
    "wire": {"base", "model"},
    **{folder: L1 for folder in L2},
    "daemon": L1 | L2,
    # The children of the daemon see nothing that could act on the system.
    "scand": L1,
    "hash": L1,
    "update": L1,
    "heal": L1 | {"host"},
    # What works without a daemon: policy check, faults explain, doctor.
    "cli": L1 | {"policy", "health", "host"},
}
ONLY_IN = {  # library header -> folders that may include it
    r"clamav\.h": {"scand"},
    r"bpf/.*|vigia_.*\.skel\.h": {"sensors"},
    r"vigia_records\.h": {"wire", "sensors"},
    r"microhttpd\.h": {"control"},
    r"curl/.*": {"cli", "update"},
    r"prometheus/.*": {"metrics"},
    r"CLI/.*": {"daemon"},
    r"toml\+\+/.*|toml\+\+\.h": {"policy"},
}
NOT_IN_HEADERS = re.compile(
    r"nlohmann/json\.hpp|toml\+\+.*|spdlog/.*|CLI/.*|sqlite3\.h|microhttpd\.h|prometheus/.*"
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)


def complaints_about_ours(home: str, target: str, is_test: bool) -> list[str]:
    folder = target.split("/")[0] if "/" in target else ""
    if is_test and folder == "support":
        return []
    if folder not in MAY_SEE:
        return [f'"{target}" does not begin with a known folder of src/']
    if folder != home and folder not in MAY_SEE[home]:
        return [f"{home}/ must not include {folder}/"]
    return []


def complaints_about_library(home: str, target: str, is_header: bool) -> list[str]:
    bad = [
        f"<{target}> belongs to {', '.join(sorted(folders))}"
        for pattern, folders in ONLY_IN.items()
        if re.fullmatch(pattern, target) and home not in folders
    ]
    if is_header and NOT_IN_HEADERS.fullmatch(target):
        bad.append(f"<{target}> is heavy: include it in the .cpp only")
    return bad


def check(path: pathlib.Path, home: str) -> list[str]:
    if home not in MAY_SEE:
        return [f"{path}: src/{home}/ is not in the table of tools/check_layers.py"]
    is_test = path.stem.endswith("_test")
    bad = []
    for quote, target in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if quote == '"':
            bad += complaints_about_ours(home, target, is_test)
        elif not is_test:
            bad += complaints_about_library(home, target, path.suffix == ".h")
    return [f"{path}: {complaint}" for complaint in bad]


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "src"
    bad = []
    files = 0
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".h", ".c", ".cpp"}):
        parts = path.relative_to(root).parts
        if len(parts) < 2:
            bad.append(f"{path}: every source file stands in a folder of src/")
            continue
        files += 1
        bad += check(path, parts[0])
    if files == 0:
        bad.append(f"{root}: no source files")
    print("\n".join(bad) or f"layers: {files} files ok")
    return int(bool(bad))


sys.exit(main())
