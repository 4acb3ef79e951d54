#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs clang-tidy over src/**/*.cpp, one per processor, and remembers what was found clean.

A file is analysed again only if something that the result depends on changed: the version of
clang-tidy, its configuration, the compile command, the preprocessed text, or the raw text of one of
our files in it (for comments such as NOLINT). The path of the checkout is no part of the key.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

KEEP_DAYS = 30
FILE_LIMIT_SECONDS = 300
# Tests are run under the sanitizers, and the macros of gtest branch, nest and cost most of the time:
# what is left for them is what a run does not show.
NOT_IN_TESTS = (
    "-clang-analyzer-*,-modernize-*,-readability-*,readability-identifier-naming"
)
LINE_MARKER = re.compile(rb'^# \d+ "([^"]+)"', re.M)


class Tidy:
    def __init__(self, root: pathlib.Path, build: pathlib.Path, binary: str, cache: pathlib.Path):
        self.root = root
        self.build = build
        self.binary = binary
        self.cache = cache
        self.prefix = os.fsencode(root) + b"/"
        version = subprocess.run([binary, "--version"], check=True, capture_output=True).stdout
        self.common = version + (root / ".clang-tidy").read_bytes()

    def preprocessed(self, entry: dict) -> bytes:
        command = shlex.split(entry["command"])
        if pathlib.Path(command[0]).name == "ccache":
            command = command[1:]
        at = command.index("-o")
        del command[at : at + 2]
        command.remove("-c")
        return subprocess.run(
            [*command, "-E"], cwd=entry["directory"], check=True, capture_output=True
        ).stdout

    def key(self, entry: dict) -> str:
        text = self.preprocessed(entry)
        key = hashlib.sha256(self.common + " ".join(self.options(entry)).encode())
        key.update(entry["command"].replace(str(self.root), ".").encode())
        key.update(text.replace(self.prefix, b"./"))
        for name in sorted(set(LINE_MARKER.findall(text))):
            if name.startswith(self.prefix):
                key.update(pathlib.Path(os.fsdecode(name)).read_bytes())
        return key.hexdigest()

    def options(self, entry: dict) -> list[str]:
        return [f"--checks={NOT_IN_TESTS}"] if entry["file"].endswith("_test.cpp") else []

    def run(self, entry: dict) -> tuple[str, float, str]:
        """What became of the file (cached, clean, failed), seconds, and the findings."""
        start = time.monotonic()
        try:
            stamp = self.cache / self.key(entry)
        except subprocess.CalledProcessError as error:
            return "failed", time.monotonic() - start, error.stderr.decode(errors="replace")
        if stamp.exists():
            stamp.touch()
            return "cached", time.monotonic() - start, ""
        try:
            done = subprocess.run(
                [self.binary, "-p", str(self.build), "--quiet", *self.options(entry), entry["file"]],
                capture_output=True, text=True, errors="replace", timeout=FILE_LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "failed", time.monotonic() - start, f"{entry['file']}: over {FILE_LIMIT_SECONDS} s"
        if done.returncode != 0:
            return "failed", time.monotonic() - start, done.stdout + done.stderr
        stamp.touch()
        return "clean", time.monotonic() - start, ""


def forget_old(cache: pathlib.Path) -> None:
    for stamp in cache.iterdir():
        if time.time() - stamp.stat().st_mtime > KEEP_DAYS * 86400:
            stamp.unlink(missing_ok=True)


def entries_under(build: pathlib.Path, folder: pathlib.Path, only: str) -> list[dict]:
    listed = json.loads((build / "compile_commands.json").read_text())
    chosen = {}
    for entry in listed:
        path = pathlib.Path(entry["file"])
        if path.is_relative_to(folder) and re.search(only, entry["file"]):
            chosen[entry["file"]] = entry
    # The longest first, so that the last one is not waited for alone.
    return sorted(chosen.values(), key=lambda e: -os.path.getsize(e["file"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build directory, configured with clang")
    parser.add_argument("--only", default="", help="regular expression on the path")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--times", action="store_true", help="print the time of each file")
    parser.add_argument("--clang-tidy", default="clang-tidy-19")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    root = pathlib.Path(__file__).resolve().parent.parent
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = pathlib.Path(home) / "vigia" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    forget_old(cache)
    build = options.build.resolve()
    entries = entries_under(build, root / "src", options.only)
    if not entries:
        print(f"tidy: {build}/compile_commands.json names no file of src/")
        return 1
    tidy = Tidy(root, build, options.clang_tidy, cache)
    count = {"cached": 0, "clean": 0, "failed": 0}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for entry, (what, seconds, findings) in zip(entries, pool.map(tidy.run, entries)):
            count[what] += 1
            if options.times:
                print(f"{seconds:6.1f} s  {what:6}  {os.path.relpath(entry['file'], root)}")
            if findings:
                print(findings.strip())
    print(f"tidy: {count['clean']} clean, {count['cached']} unchanged, {count['failed']} with findings")
    return int(count["failed"] > 0)


sys.exit(main())
