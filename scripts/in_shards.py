#!/usr/bin/env python3
"""Runs the tests of a GoogleTest binary in COUNT processes at the same time, a part of them in
each, for tests that wait more than they compute. Prints what each said, one after the other.

Usage: in_shards.py COUNT COMMAND [ARGUMENT...]

Ends with 0 when every process has, else with 1.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile

PR_SET_PDEATHSIG = 1


def end_with_parent():
    """In the child: whoever is killed for taking too long takes its shards along."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, index, count, output):
    environment = dict(os.environ, GTEST_TOTAL_SHARDS=str(count), GTEST_SHARD_INDEX=str(index))
    return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT,
                            preexec_fn=end_with_parent)


def main():
    if len(sys.argv) < 3 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    count = int(sys.argv[1])
    shards = []
    for index in range(count):
        output = tempfile.TemporaryFile()
        shards.append((start(sys.argv[2:], index, count, output), output))
    ended = [(process.wait(), index) for index, (process, _) in enumerate(shards)]
    # Those that failed come last, where whoever shows the last lines finds them.
    for status, index in sorted(ended, key=lambda shard: shard[0] != 0):
        output = shards[index][1]
        output.seek(0)
        sys.stdout.buffer.write(output.read())
        if status != 0:
            print(f"shard {index} of {count} ended with {status}")
        sys.stdout.flush()
    sys.exit(1 if any(status for status, _ in ended) else 0)


if __name__ == "__main__":
    main()
