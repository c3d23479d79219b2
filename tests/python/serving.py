"""Servers for tests: `python3 -m weft serve` as a child, on a port that the system has chosen."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

APPS = Path(__file__).parent / "apps"
PATIENCE_SECONDS = 60


def wait_for(what, patience=PATIENCE_SECONDS):
    """Polls until `what()` is true, and returns that."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {patience} s in vain")


class Served:
    """`with Served("fastapi_app:app") as server: server.url`. Its lines are in `said`."""

    def __init__(self, *words, app_dir=APPS, environment=None, listen=("--port", "0"),
                 command=("-m", "weft", "serve")):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith("WEFT_") and name != "WEB_CONCURRENCY"}
        place = ("--app-dir", str(app_dir)) if app_dir is not None else ()
        self.said = []
        self.process = subprocess.Popen(
            [sys.executable, *command, *place, *listen, *words], env=clean | (environment or {}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))

    def __enter__(self):
        try:
            self.url = wait_for(self._location)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _location(self):
        for line in list(self.said):
            found = re.search(r"(http://[^ ,]*|unix:[^ ,]*),", line)
            if found and "serv" in line:
                return found[1]
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.said}")
        return None

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def stop(self, number=signal.SIGTERM):
        """The exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status

    def wait(self):
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status

    def __exit__(self, *_):
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE_SECONDS)
        self.process.stdout.close()


def run(*words, **options):
    """(status, lines) of a server that ends by itself."""
    served = Served(*words, **options)
    try:
        return served.wait(), served.said
    finally:
        served.process.kill()
        served.process.stdout.close()
