#!/usr/bin/env bash
# Installs a build below a prefix of its own, builds the project in outside/ against it by way of
# its CMake package and again by way of pkg-config, and runs both programs.
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

if [ -x "$build/weft" ]; then
    expect "installed command" "weft $version" "$("$prefix/bin/weft" --version | head -n 1 |
        cut -d ' ' -f 1,2)"
fi
