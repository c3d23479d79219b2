#!/usr/bin/env bash
# Installs a build below a prefix of its own, builds the project in outside/ against it by way of
# its CMake package and again by way of pkg-config, and runs both programs. Then the same with a
# project that the installed command writes.
# usage: install_test.sh CMAKE CXX BUILD-FOLDER VERSION LIBDIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cmake=$1
cxx=$2
build=$3
version=$4
libdir=$5

work=$build/install-test
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work"

expect() { # WHAT EXPECTED ACTUAL
    if [ "$2" != "$3" ]; then
        echo "install_test: $1: expected '$2', found '$3'" >&2
        exit 1
    fi
    echo "install_test: $1: $3"
}

"$cmake" --install "$build" --prefix "$prefix" > "$work/install.log"

expect "public headers" \
    "$(cd "$here/../../include" && find . -name '*.hpp' | sort)" \
    "$(cd "$prefix/include" && find . -name '*.hpp' | sort)"

# The installed tree is moved first: nothing in it may depend on where it was put.
mv "$prefix" "$work/moved"
prefix=$work/moved

"$cmake" -G Ninja -S "$here/outside" -B "$work/by-package" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_PREFIX_PATH="$prefix" > "$work/configure.log"
"$cmake" --build "$work/by-package" > "$work/build.log"
expect "found by find_package" "$version" "$("$work/by-package/outside")"

export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
expect "version in weft.pc" "$version" "$(pkg-config --modversion weft)"
# shellcheck disable=SC2046 # the flags are words
"$cxx" -std=c++20 $(pkg-config --cflags weft) "$here/outside/main.cpp" \
    -o "$work/by-pkg-config" $(pkg-config --libs weft)
expect "found by pkg-config" "$version" "$("$work/by-pkg-config")"

if compgen -G "$build/python/weft/_weft.*.so" > /dev/null; then
    packages=$(echo "$prefix"/lib/python3*/dist-packages)
    expect "the package for Python" "weft $version" \
        "$(cd "$work" && PYTHONPATH=$packages /usr/bin/python3 -B -m weft serve --version)"
    expect "its module, and its page" "200" "$(cd "$work" && PYTHONPATH=$packages \
        /usr/bin/python3 -B -c 'import weft._weft, weft.testing
print(weft.testing.TestClient(weft.App()).get("/docs").status_code)')"
fi

if [ -x "$build/weft" ]; then
    expect "installed command" "weft $version" "$("$prefix/bin/weft" --version | head -n 1 |
        cut -d ' ' -f 1,2)"

    # The project that it writes is built and tested against what was installed.
    (cd "$work" && "$prefix/bin/weft" new fresh > new.log)
    "$prefix/bin/weft" check "$work/fresh/weft.toml" > "$work/check.log"
    "$cmake" -G Ninja -S "$work/fresh" -B "$work/fresh/build" -DCMAKE_CXX_COMPILER="$cxx" \
        -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS="-Wall -Wextra" \
        > "$work/fresh-configure.log"
    "$cmake" --build "$work/fresh/build" > "$work/fresh-build.log"
    expect "warnings in the written project" "0" \
        "$(grep -c warning: "$work/fresh-build.log" || true)"
    "$(dirname "$cmake")/ctest" --test-dir "$work/fresh/build" > "$work/fresh-test.log" || {
        cat "$work/fresh-test.log" >&2
        exit 1
    }
    expect "tests of the written project" "1" \
        "$(grep -c '100% tests passed, 0 tests failed out of 1' "$work/fresh-test.log")"
    expect "a folder that is there" "1" \
        "$(cd "$work" && "$prefix/bin/weft" new fresh > again.log 2>&1; echo $?)"
fi
