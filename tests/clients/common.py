"""What the tests with other people's clients share: the server, their programs, and the end.

The server process and free ports come from the benchmarks' harness. A client that is not installed
is a skipped test, which names the package, unless WEFT_CLIENTS_REQUIRED is set to 1.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

# No test is to ask the network's proxy for a server of its own machine.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import harness  # noqa: E402

COMMAND_SECONDS = 100
SKIPPED = 77
SYSTEM_FOLDERS = "/usr/sbin:/sbin"  # where a daemon's program is, which not everybody's PATH names

if len(sys.argv) != 4:
    sys.exit(f"usage: {sys.argv[0]} SERVER WEFT FLAGS")
SERVER, WEFT = (Path(word).resolve() for word in sys.argv[1:3])
FLAGS = sys.argv[3]  # of the server, as one word


def missing(what, package):
    """Skips the test that runs, or fails it where everything is to be there."""
    text = f"there is no {what}: install the package {package}"
    if os.environ.get("WEFT_CLIENTS_REQUIRED") == "1":
        raise AssertionError(text)
    raise unittest.SkipTest(text)


def program(name, package):
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_FOLDERS}")
    return found or missing(name, package)


def run(*command, status=0, **options):
    """What the program wrote to its standard output. Its status must be as given."""
    words = [str(word) for word in command]
    options.setdefault("timeout", COMMAND_SECONDS)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          **options)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n"
                             f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def note(text):
    """A figure for whoever reads the test's output."""
    print(f"{Path(sys.argv[0]).stem} {FLAGS}: {text}", flush=True)


class Served:
    """A running server; its address and what it says of itself."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read()

    def state(self):
        return json.loads(self.get("/state"))

    def ledger(self):
        """The requests below /seen/ that were read whole since the last time, as lines."""
        return self.get("/ledger").decode().splitlines()


@contextlib.contextmanager
def serving(*first):
    """A server, which must drain and end with 0 when the test is done with it."""
    command = f"{SERVER} {' '.join(first)} --port {{port}} {FLAGS}"
    with harness.running_server(command) as (server, port):
        yield Served(port)
        status = server.stop()
        if status != 0:
            raise AssertionError(f"the server ended with {status}:\n{server.log()}")


class ClientTest(unittest.TestCase):
    """Each test has a server of its own, `served`."""

    server_flags = ()

    def setUp(self):
        self.served = self.entered(serving(*self.server_flags))

    def entered(self, manager):
        """Holds a context until the test is over."""
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value


def main():
    """Runs the tests of the script; 77 where none of them could be run."""
    harness.end_cleanly_on_sigterm()
    outcome = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2, warnings="ignore").result
    if not outcome.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if outcome.testsRun == len(outcome.skipped) else 0)
