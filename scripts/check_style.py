#!/usr/bin/python3
"""Fails on what the house style forbids and a few lines of text matching can see.

usage: check_style.py [ROOT]

Sources: at most 100 columns, no tab, no trailing white space, a newline at the end. Headers:
a comment that says what they are, then #pragma once, and nothing else before the first include.
A file past 600 lines is named, without failing.
Markdown: a relative link leads to something that is there, and so does the path of a source file
in backticks, but for patterns such as `src/FOLDER/NAME.cpp`.
"""

import re
import sys
from pathlib import Path

COLUMNS_MAX = 100
LINES_TO_LOOK_AGAIN = 600
FOLDERS = ["include", "src", "tests", "examples", "bench", "fuzz", "scripts", "python", ".ci"]
SUFFIXES = {".cpp", ".hpp", ".c", ".h", ".py", ".sh"}
# Data is bytes, whatever its name ends in.
DATA = ["tests/vectors", "fuzz/corpus", "tests/tools/layers"]

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`]*`")
SOURCE_PATH = re.compile(r"`((?:" + "|".join(map(re.escape, FOLDERS)) + r")/[\w./*-]+\.\w+)`")
PATTERN_WORD = re.compile(r"NAME|FOLDER|LAYER")


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                if not any(path.is_relative_to(root / data) for data in DATA):
                    yield path


def documents(root):
    yield from sorted(root.glob("*.md"))
    for folder in ["docs", *FOLDERS]:
        yield from sorted((root / folder).rglob("*.md"))


def leads_somewhere(path):
    return any(path.parent.glob(path.name)) if "*" in path.name else path.exists()


def check_references(root, document, text):
    shown = document.relative_to(root)
    in_block = False
    for number, line in enumerate(text.split("\n"), start=1):
        if line.lstrip().startswith("```"):
            in_block = not in_block
        if in_block:
            continue
        for target in LINK.findall(CODE.sub("``", line)):
            path = target.split("#")[0]
            # A link to elsewhere has a scheme; one within the document has no path.
            if ":" not in path and not leads_somewhere(document.parent / path):
                yield f"{shown}:{number}: a link to {target}, which is not there"
        for path in SOURCE_PATH.findall(line):
            if not PATTERN_WORD.search(path) and not leads_somewhere(root / path):
                yield f"{shown}:{number}: names {path}, which is not there"


def check_lines(shown, text):
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > COLUMNS_MAX:
            yield f"{shown}:{number}: {len(line)} columns; at most {COLUMNS_MAX}"
        if "\t" in line:
            yield f"{shown}:{number}: a tab"
        if line != line.rstrip():
            yield f"{shown}:{number}: white space at the end of the line"
    if text and not text.endswith("\n"):
        yield f"{shown}:{text.count(chr(10)) + 1}: no newline at the end of the file"


def check_header(shown, text):
    if not text.startswith(("//", "/*")):
        yield f"{shown}:1: a header starts with one sentence of comment on what it is"
    before_include = text.split("#include")[0]
    if "#pragma once" not in before_include:
        yield f"{shown}:1: no #pragma once before the first include"


def check_tree(root):
    complaints, notes = [], []
    for path in sources(root):
        shown = path.relative_to(root)
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            complaints.append(f"{shown}:1: not UTF-8")
            continue
        complaints += check_lines(shown, text)
        if path.suffix in (".hpp", ".h"):
            complaints += check_header(shown, text)
        lines = text.count("\n")
        if lines > LINES_TO_LOOK_AGAIN:
            notes.append(f"{shown}: note: {lines} lines; look again at what it holds")
    for document in documents(root):
        text = document.read_text(encoding="utf-8", errors="replace")
        complaints += check_references(root, document, text)
    return complaints, notes


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    complaints, notes = check_tree(root)
    for line in notes + complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
