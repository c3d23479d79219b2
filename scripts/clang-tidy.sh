#!/usr/bin/env bash
# Runs clang-tidy over weft's own C++ sources.
# usage: clang-tidy.sh BUILD-FOLDER JOBS
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
jobs=$2

# The compile commands name every source that is built, and only those can be checked.
/usr/bin/python3 - "$build/compile_commands.json" "$PWD" <<'PY' |
import json, sys
root = sys.argv[2]
files = {entry["file"] for entry in json.load(open(sys.argv[1]))}
wanted = tuple(f"{root}/{folder}/" for folder in ("src", "tests", "examples", "bench", "fuzz"))
print("\n".join(sorted(f for f in files if f.startswith(wanted) and f.endswith(".cpp"))))
PY
    xargs -r -n 1 -P "$jobs" clang-tidy-19 -p "$build" --quiet --warnings-as-errors='*' \
        --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-zero-length-array \
        2> >(grep -v 'warnings generated' >&2)
