# Toolchain: Debian's cross compiler for 64-bit Arm, and qemu-user to run what it makes.
#
# WEFT_TARGET_ROOT is where the target's libraries that do not come with the compiler lie, as they
# would below / (scripts/test-aarch64.sh fills it).

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES WEFT_TARGET_ROOT)
set(CMAKE_FIND_ROOT_PATH "${WEFT_TARGET_ROOT}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(ENV{PKG_CONFIG_SYSROOT_DIR} "${WEFT_TARGET_ROOT}")
set(ENV{PKG_CONFIG_LIBDIR} "${WEFT_TARGET_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig")
