#!/usr/bin/env bash
# Builds weft and its unit tests for 64-bit Arm, into build/aarch64, and runs the tests named below
# under qemu-user. JOBS is the number of compilers at a time.
#
# The libraries for the target are fetched by apt with state of its own, so the system's list of
# architectures stays as it is. qemu-user knows no io_uring, so what needs one is skipped there.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly jobs=${JOBS:-$(nproc)}
readonly build=$PWD/build/aarch64
readonly root=$build/root
readonly toolchain=$PWD/cmake/aarch64-linux-gnu.cmake
readonly libraries=(liburing-dev libtomlplusplus-dev libsimdjson-dev libsodium-dev zlib1g-dev
    libbrotli-dev libzstd-dev libxxhash-dev libkainjow-mustache-dev liblua5.4-dev)
readonly emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)

fetch_libraries() {
    [ -e "$root/usr/.fetched" ] && [ "$(cat "$root/usr/.fetched")" = "${libraries[*]}" ] && return
    local state=$build/apt
    local options=(-q -o APT::Architecture=arm64 -o APT::Architectures=arm64
        -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache"
        -o APT::Sandbox::User= -o Acquire::Retries=3)
    echo "test-aarch64: fetching ${libraries[*]} for arm64"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$root"
    : > "$state/status"
    # Sources that have nothing for this architecture may complain.
    apt-get "${options[@]}" update > "$state/update.log" 2>&1 || true
    # There is no static simdjson: its library has the version in its package's name.
    local simdjson
    simdjson=$(apt-cache "${options[@]}" depends libsimdjson-dev |
        sed -n 's/^ *Depends: \(libsimdjson[0-9][^ ]*\)$/\1/p' | head -n 1)
    (cd "$state" && apt-get "${options[@]}" download "${libraries[@]}" "$simdjson")
    local package
    for package in "$state"/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    # The compiler's own folder for this header is not searched below this root.
    cp "$root/usr/include/aarch64-linux-gnu/lua5.4-deb-multiarch.h" "$root/usr/include/lua5.4/"
    # What is left of them are static libraries, which need not be found when a test is run.
    rm -f "$root"/usr/lib/aarch64-linux-gnu/lib{uring,sodium,z,brotli,zstd,xxhash,lua5.4}*.so*
    echo "${libraries[*]}" > "$root/usr/.fetched"
}

configure() {
    local source=$1 binary=$2
    shift 2
    [ -e "$binary/build.ninja" ] && return
    cmake -S "$source" -B "$binary" -G Ninja --log-level=WARNING \
        -DCMAKE_TOOLCHAIN_FILE="$toolchain" -DWEFT_TARGET_ROOT="$root" \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g" "$@"
}

build_googletest() {
    [ -e "$root/usr/lib/libgtest.a" ] && return
    configure /usr/src/googletest "$build/googletest" \
        -DCMAKE_INSTALL_PREFIX="$root/usr" -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_GMOCK=OFF
    cmake --build "$build/googletest" --parallel "$jobs"
    cmake --install "$build/googletest" > "$build/googletest/install.log"
}

# Runs one test binary, without what the filter leaves out.
run_tests() {
    local name=$1 left_out=$2
    echo "test-aarch64: $name"
    timeout -k 5 600 "${emulator[@]}" "$build/weft/tests/weft_${name}_test" --gtest_brief=1 \
        --gtest_filter="-Slow*.*:$left_out"
}

fetch_libraries
build_googletest
# Programs need only the libraries they use, which leaves simdjson out of those that are run.
configure "$PWD" "$build/weft" -DWEFT_WERROR=ON -DWEFT_BUILD_EXAMPLES=OFF -DWEFT_BUILD_BENCH=OFF \
    -DCMAKE_EXE_LINKER_FLAGS=-Wl,--as-needed
cmake --build "$build/weft" --parallel "$jobs" --target weft_gvt_test weft_ksvc_test

status=0
# Left out is what the emulator cannot do: execute the test anew, as some death tests do; keep a
# limit on addresses for itself; send the signal that asks a stalled worker for its stack; guards
# without a mapping of their own; keep a store with release before a load with acquire, as Arm does,
# without which a wake-up is lost now and then. Names of functions need a library that is not
# fetched.
run_tests gvt "StackOverflowDeathTest.*:OverflowDeathTest.*:DeadlockDeathTest.*\
:*FailedSpawnDeathTest.*:*parking_during_a_visit_ends_the_process:StallDetector.tells_*\
:StallDetector.says_where_*:StallDetector.knows_who_waits_*:ManyStacks.*\
:*Snapshot.shows_where_a_parked_green_thread_stands*\
:*sleeping_worker_is_woken_by_every_single_post" || status=1
# And here: fork what has threads, as death tests do; wipe memory in a forked child, on which the
# shared page relies; begin a thread with no descriptor left; take a thread that has ended off /proc
# at once; and say there that a filter refuses io_uring.
run_tests ksvc "*DeathTest*:*Page*:*in_a_forked_child*:IoBackendProcessTest/shared_epoll.shortage*\
:SharedReactor.refusal_of_the_back_end_is_the_reactors:KernelFeatures.seccomp*:Uring*\
:Options/Uring*" || status=1
exit $status
