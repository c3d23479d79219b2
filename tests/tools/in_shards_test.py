"""Every test of a binary runs once, whatever the number of processes, and none fails unnoticed."""

import subprocess
import sys
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent.parent / "scripts" / "in_shards.py"
BINARY = """
import os, sys
index, count = int(os.environ["GTEST_SHARD_INDEX"]), int(os.environ["GTEST_TOTAL_SHARDS"])
for number in range(10):
    if number % count == index:
        print("ran", number)
sys.exit(index == int(sys.argv[1]))
"""


def run(count, failing_shard):
    return subprocess.run([TOOL, str(count), sys.executable, "-c", BINARY, str(failing_shard)],
                          capture_output=True, text=True, check=False)


class InShards(unittest.TestCase):
    def test_every_test_runs_once(self):
        for count in (1, 3):
            done = run(count, -1)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(sorted(done.stdout.split("\n")[:-1]),
                             [f"ran {number}" for number in range(10)])

    def test_a_shard_that_fails_fails_the_whole(self):
        for failing in (0, 1, 2):
            done = run(3, failing)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"shard {failing} of 3 ended with 1", done.stdout)


if __name__ == "__main__":
    unittest.main()
