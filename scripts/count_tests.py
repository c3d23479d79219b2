#!/usr/bin/python3
"""Sums what ctest ran: prints what failed, with what it said, and last "N passed, N failed", with
the number skipped where there are some.

usage: count_tests.py RESULTS...

RESULTS is a file that `ctest --output-junit` wrote, with the output of passed tests not cut. An
entry that is a GoogleTest binary counts as its tests, every other entry as one. A binary that died
counts the tests that had passed, and one failure. A file that is not there is one failure: its
tests never ran. Of what failed, the last lines are shown.
"""

import os
import re
import sys
import xml.etree.ElementTree as xml

SHOWN_LINES = 20
OK = re.compile(r"^\[       OK \] ", re.MULTILINE)
FAILED = re.compile(r"^\[  FAILED  \] \S+.* \(\d+ ms\)$", re.MULTILINE)
FAILED_WHOLE = re.compile(
    r"^\[ RUN      \] (\S+)\n((?:(?!\[ RUN ).*\n)*?)\[  FAILED  \] \1", re.MULTILINE)
SKIPPED = re.compile(r"^\[  SKIPPED \] \S+.* \(\d+ ms\)$", re.MULTILINE)


def totals(entry):
    """What one ctest entry adds: passed, failed, skipped."""
    status = entry.get("status")
    if status == "notrun" and entry.find("skipped") is not None:
        missing = "SKIP_RETURN_CODE" not in entry.find("skipped").get("message", "")
        return (0, 1, 0) if missing else (0, 0, 1)
    output = entry.findtext("system-out") or ""
    ok, failed, skipped = (len(p.findall(output)) for p in (OK, FAILED, SKIPPED))
    passed = status == "run"
    if ok + failed + skipped == 0:
        return (1, 0, 0) if passed else (0, 1, 0)
    return ok, failed if passed else max(failed, 1), skipped


def failures(entry):
    """The name and the last lines of each test of one entry that failed, or of the whole entry."""
    output = entry.findtext("system-out") or ""
    found = FAILED_WHOLE.findall(output)
    if not found and totals(entry)[1]:
        found = [("the entry", output or entry.get("status", ""))]
    for name, said in found:
        yield name, said.splitlines()[-SHOWN_LINES:]


def main():
    sums = [0, 0, 0]
    for name in sys.argv[1:]:
        if not os.path.exists(name):
            sums[1] += 1
            print(f"failed: {name} is not there: its tests never ran")
            continue
        for entry in xml.parse(name).getroot().iter("testcase"):
            sums = [total + more for total, more in zip(sums, totals(entry))]
            for test, lines in failures(entry):
                print(f"failed: {test} of {entry.get('name')} in {name}", *lines, sep="\n    ")
    passed, failed, skipped = sums
    extra = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{extra}")


if __name__ == "__main__":
    main()
