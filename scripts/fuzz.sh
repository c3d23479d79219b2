#!/usr/bin/env bash
# Runs each fuzz target for some seconds, starting from its corpus.
# usage: fuzz.sh BUILD-FOLDER SECONDS
#
# What a run discovers goes to BUILD-FOLDER/corpus/NAME, and an input that fails to
# BUILD-FOLDER/found/NAME-*; both are for a person to look at before they join fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
seconds=$2

shopt -s nullglob
targets=("$build"/fuzz/*_fuzz)
if [ "${#targets[@]}" -eq 0 ]; then
    echo "fuzz: there are no targets in $build/fuzz" >&2
    exit 1
fi

mkdir -p "$build/found"
failed=0
for target in "${targets[@]}"; do
    name=$(basename "$target" _fuzz)
    mkdir -p "$build/corpus/$name"
    echo "== $name: $seconds s"
    "$target" -max_total_time="$seconds" -timeout=5 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" \
        "$build/corpus/$name" "fuzz/corpus/$name" < /dev/null || failed=$((failed + 1))
done
echo "fuzz: ${#targets[@]} targets, $failed failed"
[ "$failed" -eq 0 ]
