#!/usr/bin/python3
"""What scripts/weft-gdb.py shows of a program with parked green threads, and of its core file.

usage: gdb_test.py PROGRAM
"""

import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "weft-gdb.py"
LOOK = ["weft threads", "weft apply all bt", "weft apply 0.2 up 2", "weft bt 0.99"]
SKIPPED = 77


def gdb(*commands):
    arguments = ["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off",
                 "-ex", f"source {SCRIPT}"]
    for command in commands:
        arguments += ["-ex", command]
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=False)
    return run.stdout + run.stderr


def expect(pattern, text):
    if not re.search(pattern, text, re.MULTILINE | re.DOTALL):
        sys.exit(f"gdb_test: nothing like {pattern!r} in\n{text}")


def check(text):
    expect(r"^ *0\.\d+  straight +waits for time to pass", text)
    expect(r"^ *0\.\d+  main +runs", text)
    expect(r"^5 green threads$", text)
    for name, depth in (("straight", 0), ("recursive", 4), ("large", 2), ("movable", 3)):
        part = re.search(rf"^green thread 0\.\d+ {name}: (.*?)(?=^green thread|\Z)", text,
                         re.MULTILINE | re.DOTALL)
        if not part:
            sys.exit(f"gdb_test: no stack of {name} in\n{text}")
        expect(r"parked_program::wait_for_long.*parked\.cpp:\d+\)", part[1])
        calls = part[1].count("parked_program::recurse")
        if calls != depth:
            sys.exit(f"gdb_test: {calls} calls of recurse() in the stack of {name}:\n{text}")
    expect(r"There is no green thread 0\.99", text)


def core_file(program, folder):
    """Where the kernel has put the core file of the program; None where it does otherwise."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").strip()
    if not re.fullmatch(r"core(\.%p)?", pattern):
        return None

    def allow_core():
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    subprocess.run([program, "abort"], cwd=folder, check=False, preexec_fn=allow_core,
                   stderr=subprocess.DEVNULL, timeout=100)
    return next(folder.glob("core*"), None)


def main():
    if not shutil.which("gdb"):
        print("gdb_test: skipped: there is no gdb")
        return SKIPPED
    program = Path(sys.argv[1]).resolve(strict=True)
    live = gdb(f"file {program}", "break everyone_is_parked", "run", *LOOK, "kill")
    if "Breakpoint 1, " not in live:
        print(f"gdb_test: skipped: gdb may not run a program here:\n{live}")
        return SKIPPED
    check(live)
    print("gdb_test: a running program shows its green threads")
    with tempfile.TemporaryDirectory() as folder:
        core = core_file(program, Path(folder))
        if core is None:
            print("gdb_test: core files do not stay where the program was started: not looked at")
            return 0
        check(gdb(f"file {program}", f"core-file {core}", *LOOK))
    print("gdb_test: a core file shows them too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
