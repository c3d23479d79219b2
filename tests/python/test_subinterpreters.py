"""Several workers that are interpreters of one process."""

import contextlib
import signal
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving import Case, Served, ask, run, under_load, wait_for

APP = """
import asyncio, os, threading, time
from weft import App
app = App()
VERSION = {version}

@app.on_startup
def startup():
    print("startup", flush=True)

@app.on_shutdown
def shutdown():
    print("shutdown", flush=True)

@app.get("/")
def who():
    return {{"pid": os.getpid(), "thread": threading.get_native_id(), "version": VERSION}}

@app.get("/thread", executor="thread")
def in_a_thread():
    time.sleep(0.05)
    return {{"thread": threading.get_native_id()}}

@app.get("/busy")
def busy():
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    return {{"thread": threading.get_native_id()}}

@app.get("/wait")
async def wait():
    print("waits", flush=True)
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled", flush=True)
"""

# Fails in an interpreter beside the main one, once there is a file of that name.
FALLIBLE = APP + """
import _interpreters
if _interpreters.get_current()[0] != 0 and os.path.exists({name!r}):
    raise RuntimeError("not in this one")
"""

WORKER_ROUTE = """
from weft import App
app = App()

@app.get("/", executor="worker")
def far():
    return "far"
"""

TWO = ("--workers", "2", "--executor", "subinterpreter")


@unittest.skipIf(sys.version_info < (3, 13), "this Python has no interpreters for it")
class InterpretersTest(Case):
    def setUp(self):
        super().setUp()
        self.write(APP.format(version=1))

    def of_the_application(self, server):
        return sorted(line for line in server.said if line in ("startup", "shutdown", "cancelled"))

    def threads(self, server, path="/busy"):
        """Of the workers that answer eight clients at once."""
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: ask(server.url, path), range(8)))
        return {answer["thread"] for answer in answers}

    def test_they_serve_one_socket_in_one_process(self):
        server = self.served(*TWO)
        self.assertIn("2 interpreters of one process", server.said[0])
        self.assertEqual(len({ask(server.url)["pid"] for _ in range(20)}), 1)
        wait_for(lambda: len(self.threads(server)) == 2)
        self.assertGreater(len(self.threads(server, "/thread")), 1)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.of_the_application(server), ["shutdown"] * 2 + ["startup"] * 2)

    def test_processes_are_what_several_workers_are_unless_asked(self):
        server = self.served("--workers", "2")
        self.assertIn("2 processes", server.said[0])
        self.assertEqual(server.stop(), 0)

    def test_what_waits_is_cancelled_at_the_end(self):
        server = self.served(*TWO, "--timeout-graceful-shutdown", "0.3")
        clients = ThreadPoolExecutor(8)
        for _ in range(8):
            clients.submit(self.gone, server.url)
        wait_for(lambda: server.said.count("waits") >= 4)
        self.assertEqual(server.stop(), 0)
        clients.shutdown()
        self.assertGreaterEqual(server.said.count("cancelled"), 4)
        self.assertEqual(server.said.count("shutdown"), 2)

    def gone(self, url):
        with contextlib.suppress(OSError):
            ask(url, "/wait")

    def test_sighup_brings_new_code_without_a_failed_request(self):
        server = self.served(*TWO)
        before = ask(server.url)["pid"]
        self.write(APP.format(version=22))
        server.process.send_signal(signal.SIGHUP)
        failures, asked = under_load(server, lambda: not Path("/proc", str(before)).exists())
        self.assertEqual(failures, [])
        self.assertGreater(asked, 0)
        self.assertEqual({ask(server.url)["version"] for _ in range(20)}, {22})

    def test_all_are_replaced_after_the_requests_of_one(self):
        server = self.served(*TWO, "--limit-max-requests", "50")
        before = ask(server.url)["pid"]
        failures, _ = under_load(server, lambda: not Path("/proc", str(before)).exists())
        self.assertEqual(failures, [])
        self.assertNotEqual(ask(server.url)["pid"], before)

    def test_one_that_does_not_start_ends_the_process(self):
        marker = self.folder / "fails"
        self.write(FALLIBLE.format(version=1, name=str(marker)))
        server = self.served(*TWO)
        pid = ask(server.url)["pid"]
        wait_for(lambda: server.said.count("startup") == 2)
        marker.touch()
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any("goes on with the code it has" in line for line in server.said))
        self.assertTrue(any("not in this one" in line for line in server.said), server.said)
        self.assertEqual(ask(server.url)["pid"], pid)
        self.assertEqual(server.stop(), 0)

    def test_a_signal_while_others_start_ends_it(self):
        self.write(APP.format(version=1) + """
import _interpreters
async def hang():
    print("hangs", flush=True)
    await asyncio.sleep(3600)
if _interpreters.get_current()[0] != 0:
    app.on_startup(hang)
""")
        server = self.served(*TWO, "--timeout-graceful-shutdown", "1")
        wait_for(lambda: "hangs" in server.said)
        begun = time.monotonic()
        server.stop()
        self.assertLess(time.monotonic() - begun, 10)

    def test_a_probe_ends_with_the_server_and_leaves_no_socket(self):
        self.write("import time\nprint('loads', flush=True)\ntime.sleep(3600)\n")
        path = self.folder / "s"
        server = Served(*TWO, "one_main:app", "--uds", str(path), app_dir=self.folder, listen=())
        self.addCleanup(server.__exit__)
        wait_for(path.exists)
        time.sleep(0.5)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(path.exists())

    def test_what_its_import_starts_and_says_does_not_hold_it_up(self):
        self.write("import _interpreters, subprocess\n"
                   "subprocess.Popen(['sleep', '20'], close_fds=False)\n"
                   "if _interpreters.get_current()[0]:\n    raise RuntimeError('x' * 200000)\n"
                   + APP.format(version=1))
        begun = time.monotonic()
        server = self.served(*TWO)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(server.stop(), 0)

    def expect_processes(self, why, target="one_main:app"):
        server = self.served(*TWO, target=target)
        self.assertTrue(any("the workers are processes, not interpreters" in line and why in line
                            for line in server.said), server.said)
        self.assertTrue(any("2 processes" in line for line in server.said), server.said)
        self.assertEqual(server.stop(), 0)

    def test_routes_of_other_processes_want_processes(self):
        self.write(WORKER_ROUTE)
        self.expect_processes('executor="worker"')

    def test_modules_that_refuse_are_told(self):
        try:
            import pydantic_core  # noqa: F401
        except ImportError:
            self.skipTest("not installed: pydantic")
        self.write("import pydantic_core\n" + APP.format(version=1))
        self.expect_processes("_pydantic_core does not support loading in subinterpreters")

    def test_an_application_that_does_not_load_at_all_is_told_by_its_processes(self):
        self.write("import nothing_of_this_name\n")
        status, said = run(*TWO, "one_main:app", app_dir=self.folder)
        self.assertEqual(status, 1)
        self.assertFalse(any("the workers are processes" in line for line in said), said)
        self.assertTrue(any("nothing_of_this_name" in line for line in said), said)


class NoInterpretersTest(Case):
    @unittest.skipIf(sys.version_info >= (3, 13), "this Python has them")
    def test_an_older_python_says_so(self):
        server = self.served(*TWO)
        self.assertIn("it wants Python 3.13; this is 3.", server.said[0])
        self.assertIn("2 processes", server.said[1])
        self.assertEqual(server.stop(), 0)

    def test_processes_may_be_asked_for(self):
        server = self.served("--workers", "2", "--executor", "process")
        self.assertIn("2 processes", server.said[0])
        self.assertEqual(server.stop(), 0)

    def test_another_word_is_refused(self):
        status, said = run("--executor", "subinterpreters", "one_main:app", app_dir=self.folder)
        self.assertEqual(status, 2)
        self.assertIn("did you mean subinterpreter", said[-1])


if __name__ == "__main__":
    unittest.main()
