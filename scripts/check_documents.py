#!/usr/bin/python3
"""Compiles the C++ that documents show, against the public headers.

usage: check_documents.py [--root ROOT] [--compiler CXX] [--jobs N] [DOCUMENT...]

A block is what stands between ```cpp and ```. The blocks of a document are compiled together, in
their order, as one unit, so that one can use what an earlier one declares:

- #include lines come first, each of them once
- a block that declares something in its first line of code stands as it is; `main` gets a name of
  its own
- any other is the body of a function that has `weft::App app`, `weft::Context& c`, `int argc` and
  `char** argv`
- tests/documents/NAME.hpp, where there is one, declares what docs/NAME.md takes for granted

docs/green-threads.md and docs/http.md are left out: their blocks are parts of sources that the
tests compile and run.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LEFT_OUT = {"docs/green-threads.md", "docs/http.md"}
# Fragments do not use all that they show, and a main() may end without a return.
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wno-unused",
         "-Wno-unused-parameter", "-Wno-return-type"]
# A block of its own within, for fragments with an `app` of theirs.
FUNCTION = "auto block_{}(weft::App& app, weft::Context& c, int argc, char** argv) {{ {{"
DECLARES = re.compile(
    r"(struct|class|enum|union|template|namespace|using|inline|constexpr|static|TEST)\b|"
    r"[\w:<>,&* ]*[\w>&*] [\w:]+\([^;]*\) (?:const )?\{$|#")
STATEMENT = re.compile(r"(if|for|while|switch|return|co_return|co_await|auto|const auto)\b")


def documents(root):
    found = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return [path for path in found if str(path.relative_to(root)) not in LEFT_OUT]


def blocks(document):
    """Yields (number of its first line, lines)."""
    inside, lines, first = False, [], 0
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), start=1):
        if not inside and line == "```cpp":
            inside, lines, first = True, [], number + 1
        elif inside and line == "```":
            inside = False
            yield first, lines
        elif inside:
            lines.append(line)


def declares(lines):
    for line in lines:
        if line.strip() and not line.startswith(("//", "#include")):
            return DECLARES.match(line) is not None and STATEMENT.match(line) is None
    return True


def unit_of(root, document):
    """The document's blocks as one source, with #line so that complaints lead to them."""
    includes, body = ["#include <weft/weft.hpp>"], []
    prelude = root / "tests/documents" / f"{document.stem}.hpp"
    if prelude.exists():
        includes.append(f'#include "{prelude}"')
    for number, (first, lines) in enumerate(blocks(document)):
        place = f'#line {first} "{document.relative_to(root)}"'
        includes += [line for line in lines if line.startswith("#include")]
        lines = ["" if line.startswith("#include") else line for line in lines]
        if declares(lines):
            text = "\n".join(lines).replace("int main(", f"int main_of_block_{number}(")
            body += [place, text]
        else:
            body += [FUNCTION.format(number), place, *lines, "} }"]
    return "\n".join([*dict.fromkeys(includes), *body, ""])


def check(command, root, document):
    """How many blocks there are, and what the compiler had to say of them."""
    count = sum(1 for _ in blocks(document))
    if count == 0:
        return 0, ""
    done = subprocess.run([*command, "-x", "c++", "-"], input=unit_of(root, document),
                          capture_output=True, text=True, check=False)
    return count, done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("documents", nargs="*", type=Path)
    options = parser.parse_args()
    root = options.root.resolve()
    chosen = [path.resolve() for path in options.documents] or documents(root)
    flags = [*FLAGS, f"-I{root / 'include'}"]
    with tempfile.TemporaryDirectory() as folder:
        # All of them include it, so it is compiled once.
        header = Path(folder) / "weft.hpp"
        header.write_text("#include <weft/weft.hpp>\n", encoding="utf-8")
        subprocess.run([options.compiler, *flags, "-x", "c++-header", header, "-o",
                        f"{header}.gch"], check=True)
        command = [options.compiler, *flags, "-fsyntax-only", "-include", str(header)]
        with ThreadPoolExecutor(options.jobs) as pool:
            results = list(pool.map(lambda document: check(command, root, document), chosen))
    complaints = "".join(said for _, said in results)
    print(complaints, end="")
    print(f"documents: {sum(count for count, _ in results)} blocks in {len(chosen)} documents")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
