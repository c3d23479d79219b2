#!/usr/bin/python3
"""Makes the reference of the public headers, and fails where a public name lacks a sentence.

usage: check_reference.py [FOLDER]

Writes HTML into FOLDER (build/reference), begun anew. What Doxygen has to complain about is an
error, but for what needs no sentence: copying and moving, and the members of types called Iterator,
which are what the language asks of one. What is no part of the interface is in
docs/reference/Doxyfile; how comments are read is in scripts/reference_filter.py.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = 77

NEEDS_NO_SENTENCE = [
    re.compile(r"Member operator=\((?:const )?\w+(?:< \w+ >)? &&?\w*\)"),
    re.compile(r"Member (\w+)\((?:const )?\1(?:< \w+ >)? &&?\w*\)"),
    re.compile(r"Member .* of class weft::[\w:]*::Iterator is not documented"),
    # RouteVerbs, a second time for each of those that derive from it.
    re.compile(r"Member .* of class \w+< \w+ > is not documented"),
    # Defined outside of its class, for the compiler.
    re.compile(r"documented symbol .*weft::detail::"),
]


def complaints(text):
    for line in dict.fromkeys(text.splitlines()):
        if not any(rule.search(line) for rule in NEEDS_NO_SENTENCE):
            yield line.replace(f"{ROOT}/", "")


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/reference").resolve()
    if shutil.which("doxygen") is None:
        print("reference: there is no doxygen; the Debian package is called doxygen")
        return SKIPPED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run(["doxygen", "docs/reference/Doxyfile"], cwd=ROOT, check=False,
                          env={**os.environ, "WEFT_REFERENCE": str(folder)})
    found = list(complaints((folder / "warnings.txt").read_text(encoding="utf-8")))
    print("".join(f"{line}\n" for line in found), end="")
    print(f"reference: {len(found)} complaints; {folder}/index.html")
    return 1 if found or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
