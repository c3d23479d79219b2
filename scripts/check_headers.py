#!/usr/bin/python3
"""Compiles each header alone, so that none depends on what was included before it.

usage: check_headers.py [--jobs N] [--compiler CXX]
"""

import argparse
import functools
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-Wno-missing-field-initializers",
         # What the build defines, for tests and for the traits of a server.
         '-DWEFT_BINARY_DIR="build"', '-DWEFT_SOURCE_DIR="."',
         *(f"-DWEFT_SERVER_{choice}=1" for choice in
           ("SQPOLL", "FIXED_FILES", "MULTISHOT_ACCEPT", "ZERO_COPY_SEND"))]

# Where the headers of libraries are that do not lie in the system's own folder. Public headers
# include none of them.
LIBRARIES = ["lua5.4"]

# A header for one processor says so at the end of its name.
PROCESSORS = ("x86_64", "aarch64")


def is_for_another_processor(path):
    return path.stem.endswith(tuple(f"_{p}" for p in PROCESSORS if p != platform.machine()))


def headers():
    """Yields (include root, header as the project includes it)."""
    for root, folders in (("include", ["include"]), ("src", ["include", "src"]),
                          ("tests", ["include", "src", "tests"])):
        for path in sorted((ROOT / root).rglob("*.hpp")):
            if not path.is_relative_to(ROOT / "tests" / "tools") and \
                    not is_for_another_processor(path):
                yield folders, path.relative_to(ROOT / root)


@functools.cache
def library_flags():
    return subprocess.run(["pkg-config", "--cflags", *LIBRARIES], capture_output=True, text=True,
                          check=True).stdout.split()


def compile_alone(compiler, folders, header):
    """Returns what the compiler had to say, or nothing where it was content."""
    libraries = library_flags() if "src" in folders else []
    command = [compiler, *FLAGS, *(f"-I{ROOT / f}" for f in folders), *libraries, "-x", "c++", "-"]
    # Twice, so that a header without an include guard fails.
    unit = f'#include "{header}"\n' * 2
    done = subprocess.run(command, input=unit, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{header} does not compile alone:\n{done.stderr}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda one: compile_alone(options.compiler, *one), headers()))
    failures = [result for result in results if result]
    print("".join(failures), end="")
    print(f"headers: {len(results) - len(failures)} of {len(results)} compile alone")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
