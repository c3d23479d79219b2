"""Servers for tests: `python3 -m weft serve` as a child, on a port that the system has chosen."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
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


ONE = """
import asyncio, os, time
from weft import App, Request
app = App()
VERSION = {version!r}

@app.get("/")
def who():
    return {{"pid": os.getpid(), "version": VERSION}}

@app.get("/slow")
async def slow():
    await asyncio.sleep(0.5)
    return "slow"

@app.get("/busy")
def busy():
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        pass
    return "busy"

@app.get("/die")
def die():
    os._exit(9)

@app.get("/env")
def env():
    return dict(os.environ)

@app.get("/about")
def about(request: Request):
    return [request.root_path, request.scheme, request.client[0] if request.client else None]

@app.get("/wait")
async def wait():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

def make():
    return app
"""


def ask(url, path="/", **headers):
    request = urllib.request.Request(url + path, headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        data = answer.read()
        return json.loads(data) if "json" in answer.headers["content-type"] else data.decode()


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.write(ONE.format(version=1))

    def write(self, text, name="one_main.py"):
        fresh = self.folder / f"{name}.fresh"
        fresh.write_text(text)
        fresh.replace(self.folder / name)

    def served(self, *words, target="one_main:app", **options):
        server = Served(*words, target, app_dir=self.folder, **options)
        self.addCleanup(server.__exit__)
        return server.__enter__()


def under_load(server, what, clients=2):
    """Failures of a load that goes on until `what()` has come true, and how many were asked."""
    failures, asked, done = [], [0], threading.Event()

    def load():
        while not done.is_set():
            try:
                ask(server.url)
                asked[0] += 1
                time.sleep(0.005)  # The new processes need some of the machine, too.
            except Exception as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=load) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_for(what)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return failures, asked[0]
