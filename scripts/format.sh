#!/usr/bin/env bash
# Formats the C++ sources in place; with --check, changes nothing and fails where one would change.
# Exits with 77 where clang-format-19 is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v clang-format-19 > /dev/null; then
    echo "format: skipped, clang-format-19 is not installed (make tidy installs it)"
    exit 77
fi

mode=(-i)
if [ "${1:-}" = --check ]; then
    mode=(--dry-run --Werror)
fi

folders=()
for folder in include src tests examples bench fuzz; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
done
find "${folders[@]}" -type f \( -name '*.hpp' -o -name '*.cpp' \) \
    ! -path 'tests/tools/*' -print0 |
    sort -z | xargs -0 -r clang-format-19 "${mode[@]}"
