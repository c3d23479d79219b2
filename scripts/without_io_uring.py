#!/usr/bin/env python3
"""Runs a command in which io_uring_setup() fails with EPERM, as it does in many containers.

Usage: without_io_uring.py COMMAND [ARGUMENT...]
"""

import ctypes
import os
import struct
import sys

IO_URING_SETUP = 425  # on every processor
EPERM = 1

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000
# Operations of classic BPF.
LOAD_WORD = 0x20
JUMP_IF_EQUAL = 0x15
RETURN = 0x06


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def refuse_io_uring():
    program = b"".join([
        instruction(LOAD_WORD, 0),  # the call's number
        instruction(JUMP_IF_EQUAL, IO_URING_SETUP, 0, 1),
        instruction(RETURN, SECCOMP_RET_ERRNO | EPERM),
        instruction(RETURN, SECCOMP_RET_ALLOW),
    ])
    instructions = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0),
                      (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header))):
        if prctl(*(ctypes.c_ulong(argument) for argument in arguments), 0, 0) != 0:
            sys.exit(f"without_io_uring: {os.strerror(ctypes.get_errno())}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.strip())
    refuse_io_uring()
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
