#!/usr/bin/python3
"""Sums what ctest ran: prints "N passed, N failed", and the number skipped where there are some.

usage: count_tests.py LOG...

LOG is a build folder's Testing/Temporary/LastTest.log. A ctest entry that is a GoogleTest binary
counts as its tests, every other entry as one. A binary that died counts its tests that had passed,
and one failure.
"""

import re
import sys

ENTRY = re.compile(r"^\d+/\d+ Test: (.*)$")
RESULT = re.compile(r"^Test (Passed|Failed|Skipped|Not Run|Timeout)\b|^Test (Pass Reason|Fail Reason)")
ONE_OK = re.compile(r"^\[       OK \] ")
ONE_FAILED = re.compile(r"^\[  FAILED  \] \S+.* \(\d+ ms\)$")
ONE_SKIPPED = re.compile(r"^\[  SKIPPED \] \S+ \(\d+ ms\)$")


class Entry:
    """What the log tells of one ctest entry."""

    def __init__(self):
        self.ok = self.failed = self.skipped = 0
        self.result = "Failed"

    def totals(self):
        passed = self.result == "Passed"
        if self.result in ("Skipped", "Not Run") and not self.failed:
            return 0, 0, 1
        if self.ok + self.failed + self.skipped == 0:
            return (1, 0, 0) if passed else (0, 1, 0)
        failed = self.failed if passed else max(self.failed, 1)
        return self.ok, failed, self.skipped


def entries_of(lines):
    entry = None
    for line in lines:
        line = line.rstrip("\n")
        if ENTRY.match(line):
            entry = Entry()
            yield entry
        if entry is None:
            continue
        result = RESULT.match(line)
        if result and result.group(1):
            entry.result = result.group(1)
        entry.ok += bool(ONE_OK.match(line))
        entry.failed += bool(ONE_FAILED.match(line))
        entry.skipped += bool(ONE_SKIPPED.match(line))


def main():
    passed = failed = skipped = 0
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8", errors="replace") as log:
            for entry in list(entries_of(log)):
                counts = entry.totals()
                passed, failed, skipped = (passed + counts[0], failed + counts[1],
                                           skipped + counts[2])
    extra = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{extra}")


if __name__ == "__main__":
    main()
