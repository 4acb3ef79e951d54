#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the JUnit file that ctest wrote; names what failed and why tests were skipped. The last line
is exactly "N passed, N failed, N skipped". Exit status 0 only if a test ran and none failed."""
import re
import sys
import xml.etree.ElementTree as ElementTree

GTEST_SKIP = re.compile(r"^.*: Skipped\n(.*?)\n*^\[  SKIPPED \]", re.M | re.S)


def reason(case: ElementTree.Element) -> str:
    output = case.findtext("system-out") or ""
    if found := GTEST_SKIP.search(output):
        return " ".join(found.group(1).split()) or "no reason given"
    return "disabled" if case.get("status") == "disabled" else "no reason given"


def kind(case: ElementTree.Element) -> str:
    """ctest says "notrun" both for a test that skipped itself and for one it could not start."""
    status = case.get("status", "")
    if status == "run" and case.find("failure") is None and case.find("error") is None:
        return "passed"
    if status == "disabled":
        return "skipped"
    mark = case.find("skipped")
    if status == "notrun" and mark is not None and "SKIP_RE" in mark.get("message", ""):
        return "skipped"
    return "failed"


def main() -> int:
    count = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        cases = list(ElementTree.parse(sys.argv[1]).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"no result of the tests: {error}")
        cases = []
    for case in cases:
        what = kind(case)
        count[what] += 1
        if what == "failed":
            print(f"failed: {case.get('name')}")
        elif what == "skipped":
            print(f"skipped: {case.get('name')}: {reason(case)}")
    if count["passed"] + count["failed"] == 0:
        print("no test ran")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return int(count["failed"] > 0 or count["passed"] == 0)


sys.exit(main())
