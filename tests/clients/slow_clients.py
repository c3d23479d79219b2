#!/usr/bin/python3
"""slowhttptest: slow heads, bodies and readers are closed, and others are answered meanwhile.

usage: slow_clients.py SERVER WEFT FLAGS
"""

import re
import subprocess
import time
from pathlib import Path

from common import ClientTest, main, note, program

SECONDS = 15  # for which slowhttptest would go on


class SlowClients(ClientTest):
    server_flags = ("--impatient",)

    def bytes_unsent(self):
        """What the kernel still keeps for clients of the server, after it has closed even."""
        port = f":{self.served.port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(port))

    def attack(self, name, count, path, *options):
        """Asks the server what it holds until it has rid itself of all slow clients."""
        slowhttptest = program("slowhttptest", "slowhttptest")
        command = [slowhttptest, "-c", str(count), "-r", str(count), "-l", str(SECONDS), "-p",
                   "2", "-u", self.served.url + path, *options]
        before = self.served.state()["accepted"]
        came = answered = 0
        longest = 0.0
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            self.addCleanup(child.kill)
            begun = time.monotonic()
            while time.monotonic() - begun < SECONDS:
                asked = time.monotonic()
                state = self.served.state()  # Each time over a connection of its own.
                answered += 1
                held, came = state["open"], state["accepted"] - before - answered
                longest = max(longest, time.monotonic() - asked)
                if came >= count and held <= 1 and not self.bytes_unsent():
                    break
                time.sleep(0.02)
            seconds = time.monotonic() - begun
            child.terminate()
            said = re.sub(r"\x1b\[[0-9;]*m", "", child.communicate()[0].decode())
        self.assertGreaterEqual(came, count, said)
        self.assertLessEqual(held, 1, f"slow clients are still there\n{said}")
        self.assertEqual(self.bytes_unsent(), 0)
        self.assertNotIn("service available:   NO", said)
        self.assertEqual(self.served.state()["errors"], 0)
        note(f"{name}: {count} gone after {seconds:.1f} s; {answered} others answered "
             f"meanwhile, the slowest in {longest * 1000:.0f} ms")

    def test_slow_heads_are_closed(self):
        self.attack("slow heads", 200, "/", "-H", "-i", "1")

    def test_slow_bodies_are_closed(self):
        self.attack("slow bodies", 200, "/seen/slow", "-B", "-s", "8192", "-i", "1")
        # What was read whole are slowhttptest's own questions whether the server is there.
        self.assertEqual(set(self.served.ledger()) - {"GET /seen/slow 0"}, set())

    def test_slow_readers_are_closed(self):
        self.attack("slow readers", 50, "/size/4000000", "-X", "-w", "512", "-y", "1024", "-n",
                    "5", "-z", "32")


if __name__ == "__main__":
    main()
