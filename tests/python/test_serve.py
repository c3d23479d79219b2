"""`python3 -m weft serve` with its options, the examples, and what becomes of processes."""

import contextlib
import http.client
import json
import signal
import socket
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from serving import ONE, PATIENCE_SECONDS, Case, Served, ask, run, under_load, wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"

class OptionsTest(Case):
    def test_a_start_line_an_answer_and_an_end(self):
        server = self.served()
        self.assertIn("serves one_main:app (weft.App) on http://127.0.0.1:", server.said[0])
        self.assertEqual(ask(server.url)["pid"], server.process.pid)
        self.assertEqual(server.stop(), 0)

    def test_sigint_ends_it_too(self):
        self.assertEqual(self.served().stop(signal.SIGINT), 0)

    def test_a_unix_socket(self):
        path = self.folder / "socket"
        server = self.served(listen=("--uds", str(path), "--uds-mode", "0600"))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = b"".join(iter(lambda: client.recv(65536), b""))
        self.assertIn(b'["","http",null]', data)
        server.stop()
        self.assertFalse(path.exists())

    def test_factory_env_file_root_path_and_headers(self):
        file = self.folder / "settings.env"
        file.write_text("FROM_FILE='a b'\nWEFT_ROOT_PATH=/api\n")
        server = self.served("--factory", "--env-file", str(file), "--header", "X-More: 1",
                             target="one_main:make")
        self.assertEqual(ask(server.url, "/env")["FROM_FILE"], "a b")
        self.assertEqual(ask(server.url, "/about")[0], "/api")
        with urllib.request.urlopen(server.url, timeout=PATIENCE_SECONDS) as answer:
            self.assertEqual((answer.headers["x-more"], answer.headers["server"]), ("1", "weft"))

    def test_proxies_are_believed_where_they_are_trusted(self):
        forwarded = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}
        self.assertEqual(ask(self.served().url, "/about", **forwarded), ["", "https", "1.2.3.4"])
        server = self.served("--forwarded-allow-ips", "10.0.0.0/8")
        self.assertEqual(ask(server.url, "/about", **forwarded), ["", "http", "127.0.0.1"])
        server = self.served("--forwarded-allow-ips", "*", "--proxy-headers", "forwarded")
        self.assertEqual(ask(server.url, "/about", Forwarded="for=9.9.9.9;proto=https"),
                         ["", "https", "9.9.9.9"])

    def test_access_log_and_pid_file(self):
        pid_file = self.folder / "pid"
        server = self.served("--access-log", "--pid-file", str(pid_file))
        self.assertEqual(int(pid_file.read_text()), server.process.pid)
        ask(server.url, "/?q=1")
        wait_for(lambda: any('"GET /?q=1 HTTP/1.1" 200' in line for line in server.said))
        status, said = run("--pid-file", str(pid_file), "one_main:app", app_dir=self.folder)
        self.assertEqual(status, 2)
        self.assertIn("runs already", said[0])
        server.stop()
        self.assertFalse(pid_file.exists())

    def test_limits_of_the_server(self):
        server = self.served("--max-body", "1KiB", "--limit-concurrency", "1")
        self.assertEqual(server.process.poll(), None)
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        client.request("GET", "/slow")
        second = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        wait_for(lambda: self.status(second, "/") == 503)
        self.assertEqual(client.getresponse().read(), b"slow")
        client.close()
        second.close()

    def status(self, client, path):
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        return answer.status

    def test_mistakes_are_told(self):
        self.write("import nothing_of_this_name\n", "broken.py")
        self.write("from weft import App\nasync def life(app):\n    raise KeyError('no db')\n"
                   "    yield\napp = App(lifespan=life)\n", "failing.py")
        for words, status, said in (
            (["one_mian:app"], 1, "did you mean 'one_main'?"),
            (["one_main:ap"], 1, "did you mean 'one_main:app'?"),
            (["broken:app"], 1, "nothing_of_this_name"),
            (["failing:app"], 3, "no db"),
            (["--max-body", "much", "one_main:app"], 1, "max_body must be"),
            (["one_main:VERSION"], 1, "cannot be called"),
            (["--workers", "two", "one_main:app"], 2, "a whole number"),
        ):
            ended, lines = run(*words, app_dir=self.folder)
            self.assertEqual(ended, status, (words, lines))
            self.assertIn(said, "\n".join(lines))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ended, lines = run("one_main:app", app_dir=self.folder,
                               listen=("--port", str(taken.getsockname()[1])))
        self.assertEqual(ended, 1)

    def test_requests_end_before_the_server_does(self):
        server = self.served()
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        client.request("GET", "/slow")
        time.sleep(0.1)  # It is under way, or it comes too late and is refused: never cut off.
        self.assertEqual(server.stop(), 0)
        with contextlib.suppress(http.client.RemoteDisconnected, ConnectionResetError):
            self.assertEqual(client.getresponse().read(), b"slow")
        client.close()

    def test_a_client_that_goes_cancels_its_handler(self):
        server = self.served()
        client = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(ask(server.url)["version"], 1)
        client.close()
        wait_for(lambda: "cancelled" in server.said)
        self.assertEqual(server.stop(), 0)

    def test_one_process_ends_after_its_requests(self):
        server = self.served("--limit-max-requests", "5", "--limit-max-requests-jitter", "0")
        for _ in range(5):
            ask(server.url)
        self.assertEqual(server.wait(), 0)


ENDS = """
import asyncio, os, threading
import weft._serve
from weft import App, BackgroundTasks

weft._serve.EXIT_SECONDS = 0.5
app = App()

async def later():
    await asyncio.sleep(0.5)
    print("done", flush=True)

async def never():
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled", flush=True)

@app.on_shutdown
def shutdown():
    print("shutdown", flush=True)

@app.get("/later")
def add(tasks: BackgroundTasks):
    tasks.add(later)
    return "added"

@app.get("/never")
def add_never(tasks: BackgroundTasks):
    tasks.add(never)
    return "added"

@app.get("/stuck", executor="thread")
def stuck():
    print("stuck", flush=True)
    threading.Event().wait()

@app.get("/pool", executor="worker")
def pool():
    return os.getpid()
"""

LOADS = """
import os, sys, time
print("loads", os.getpid(), flush=True)
time.sleep(3600)
"""


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class EndTest(Case):
    """What is under way when a process ends."""

    def setUp(self):
        super().setUp()
        self.write(ENDS)

    def of_the_application(self, server):
        return [line for line in server.said if line in ("done", "cancelled", "shutdown")]

    def test_background_tasks_end_before_the_application(self):
        server = self.served()
        self.assertEqual(ask(server.url, "/later"), "added")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.of_the_application(server), ["done", "shutdown"])

    def test_background_tasks_without_end_are_cancelled(self):
        server = self.served("--timeout-graceful-shutdown", "0.3")
        self.assertEqual(ask(server.url, "/never"), "added")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.of_the_application(server), ["cancelled", "shutdown"])

    def test_a_stuck_thread_does_not_hold_up_the_end(self):
        server = self.served("--timeout-graceful-shutdown", "0.3")
        client = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
        with client:
            client.sendall(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: "stuck" in server.said)
            self.assertEqual(server.stop(), 0)
        self.assertTrue(any("ending without what still runs: weft-thread_0" in line
                            for line in server.said), server.said)

    def test_an_exit_in_a_handler_is_the_servers(self):
        self.write("import sys\nfrom weft import App\napp = App()\n"
                   "@app.get('/')\ndef leave():\n    sys.exit(5)\n")
        server = self.served()
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(server.url)
        self.assertEqual(server.wait(), 5)

    def test_processes_of_the_pool_end_with_their_server(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            server = self.served(environment={"WEFT_WORKER_PROCESSES": "1"})
            pid = ask(server.url, "/pool")
            self.assertTrue(is_alive(pid))
            self.assertEqual(server.stop(number), 0 if number == signal.SIGTERM else -number)
            wait_for(lambda: not is_alive(pid))

    def test_a_process_that_still_loads_ends_with_its_supervisor(self):
        self.write(LOADS)
        server = self.served("--workers", "2")

        def loading():
            found = [line.split()[1] for line in server.said if line.startswith("loads ")]
            return found if len(found) == 2 else None

        pids = wait_for(loading)
        server.process.kill()
        wait_for(lambda: not any(is_alive(pid) for pid in pids))

    def test_a_number_that_is_no_socket_is_told(self):
        for number in ("999", "1"):
            status, said = run("--workers", "2", "--fd", number, "one_main:app", listen=(),
                               app_dir=self.folder)
            self.assertEqual(status, 2)
            self.assertIn(f"--fd {number}: this process has inherited no socket", said[-1])


BOTH_WAYS = """
import asyncio
from dataclasses import dataclass
from pathlib import Path
from weft import App, Depends, EventStream, HTMLResponse, HTTPError, Query, Request

app = App()
plain = app
# Dependencies make a route no matter of the server's own.
slow = app.group("/slow", dependencies=[Depends(lambda: None)])

@dataclass
class Point:
    x: int

class Mine(Exception):
    pass

@app.error(Mine)
def mine(request: Request, error):
    return {"mine": request.path_params}, 409

def values(n: int, f: float = 1.5, q: str = "-", b: bool = False, many: list[str] | None = None):
    return {"n": n, "f": f, "q": q, "b": b, "many": many}

async def waits(n: int):
    await asyncio.sleep(0.001)
    return [n, "ä", None, Point(n)]

def results(kind: str):
    return {
        "none": None, "text": "hä", "bytes": b"\\0", "number": 7, "pair": ("gone", 410),
        "html": HTMLResponse("<p>"), "point": Point(3), "file": Path(__file__),
        "stream": iter("ab") and (part for part in "ab"), "bad": object(),
    }[kind]

def fails(how: str):
    if how == "http":
        raise HTTPError(402, "pay", {"x-why": "money"})
    raise Mine() if how == "mine" else ValueError(how)

for group in (app, slow):
    group.get("/values/{n}")(values)
    group.get("/waits/{n}")(waits)
    group.get("/results/{kind}")(results)
    group.post("/made/{kind}", status_code=201)(results)
    group.get("/fails/{how}")(fails)

@app.get("/add")
def add():
    app.get("/added/{n}")(values)
    return "added"
"""


class BothWaysTest(Case):
    """Routes that the server calls itself answer as those that it leaves to Python."""

    def answer(self, method, path):
        client = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                            timeout=PATIENCE_SECONDS)
        with contextlib.closing(client):
            client.request(method, path)
            answer = client.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()
                      if name.lower() not in ("date", "etag", "last-modified")}
            return answer.status, fields, answer.read()

    def test_both_answer_alike(self):
        self.write(BOTH_WAYS)
        self.server = self.served()
        paths = ["/values/3", "/values/-3?f=2&q=a%20b&b=on&many=1&many=2", "/values/x?f=y",
                 "/values/99999999999999999999", "/values/3?q=%ff", "/values/1?n=2&b=7",
                 "/waits/4", "/waits/x", "/fails/http", "/fails/mine", "/fails/other", "/none"]
        paths += [f"/results/{kind}" for kind in (
            "none", "text", "bytes", "number", "pair", "html", "point", "file", "stream", "bad")]
        for method, path in [("GET", path) for path in paths] + [
                ("POST", "/made/none"), ("POST", "/made/text"), ("POST", "/made/pair"),
                ("HEAD", "/values/3"), ("DELETE", "/values/3"), ("OPTIONS", "/values/3")]:
            self.assertEqual(self.answer(method, path), self.answer(method, "/slow" + path),
                             (method, path))
        self.assertEqual(self.answer("GET", "/added/3")[0], 404)
        self.answer("GET", "/add")
        self.assertEqual(json.loads(self.answer("GET", "/added/3")[2])["n"], 3)


class ProcessesTest(Case):
    def pids(self, server, count):
        """Of the processes, once there are so many and one answers. Which of them takes a client is
        the kernel's choice: it need not be each in turn."""
        pid = server.process.pid
        children = Path("/proc", str(pid), "task", str(pid), "children")
        found = wait_for(lambda: (lambda words: words if len(words) == count else None)(
            children.read_text().split()))
        wait_for(lambda: self.answers(server))
        return {int(word) for word in found}

    def answers(self, server):
        with contextlib.suppress(OSError):
            return ask(server.url)["pid"]

    def test_several_processes_serve_one_socket(self):
        server = self.served("--workers", "2")
        self.assertIn("2 processes", server.said[0])
        pids = self.pids(server, 2)
        self.assertIn(ask(server.url)["pid"], pids)
        self.assertEqual(server.stop(), 0)
        for pid in pids:
            self.assertFalse(Path("/proc", str(pid)).exists())

    def test_one_that_dies_is_replaced(self):
        server = self.served(environment={"WEB_CONCURRENCY": "2"})
        before = self.pids(server, 2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(server.url, "/die")
        wait_for(lambda: any("ended (status 9)" in line for line in server.said))
        self.assertNotEqual(self.pids(server, 2), before)

    def test_sighup_brings_new_code_without_a_failed_request(self):
        server = self.served("--workers", "2")
        before = self.pids(server, 2)
        # Of another size: by that and whole seconds Python knows what it has compiled already.
        self.write(ONE.format(version=2) + "\n")
        server.process.send_signal(signal.SIGHUP)
        failures, asked = under_load(
            server, lambda: not any(Path("/proc", str(pid)).exists() for pid in before))
        self.assertEqual(failures, [])
        self.assertGreater(asked, 0)
        self.assertEqual({ask(server.url)["version"] for _ in range(20)}, {2})

    def test_processes_are_replaced_after_their_requests(self):
        server = self.served("--workers", "2", "--limit-max-requests", "50")
        before = self.pids(server, 2)
        failures, _ = under_load(
            server, lambda: not all(Path("/proc", str(pid)).exists() for pid in before))
        self.assertEqual(failures, [])

    def test_a_busy_process_is_left_alone(self):
        server = self.served("--workers", "1", "--reload")
        pid = ask(server.url)["pid"]
        self.assertEqual(ask(server.url, "/busy"), "busy")
        self.assertEqual(ask(server.url)["pid"], pid)

    def test_reload_keeps_the_old_code_while_the_new_does_not_import(self):
        server = self.served("--reload")
        self.assertEqual(ask(server.url)["version"], 1)
        self.write(ONE.format(version=2))
        wait_for(lambda: ask(server.url)["version"] == 2)
        self.write("def broken(:\n")
        wait_for(lambda: any("goes on with the code" in line for line in server.said))
        self.assertTrue(any("SyntaxError" in line for line in server.said))
        self.assertTrue(any("one_main.py" in line for line in server.said))
        self.assertEqual(ask(server.url)["version"], 2)
        self.write(ONE.format(version=3))
        wait_for(lambda: ask(server.url)["version"] == 3)
        self.assertEqual(server.stop(), 0)


class ExamplesTest(unittest.TestCase):
    def post(self, url, value, **headers):
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(url, json.dumps(value).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def keeps_books(self, server):
        url = server.url
        self.assertEqual(ask(url, "/books/1"), {"title": "Emma", "pages": 474, "tags": ["novel"]})
        self.assertEqual(self.post(url + "/books", {"title": "x"})[0], 401)
        secret = {"X-Key": "secret"}
        self.assertEqual(self.post(url + "/books", {"title": "Persuasion"}, **secret),
                         (201, {"number": 2}))
        status, told = self.post(url + "/books", {"title": "", "pages": 0}, **secret)
        self.assertEqual((status, [one["loc"] for one in told["detail"]]),
                         (422, [["body", "title"], ["body", "pages"]]))
        self.assertEqual(list(ask(url, "/books?limit=1")), ["1"])
        self.assertEqual(list(ask(url, "/books?tag=novel")), ["1"])
        self.assertIn("/books/{number}", ask(url, "/openapi.json")["paths"])
        self.assertIn("Books", ask(url, "/docs"))

    def test_the_native_one(self):
        with Served(str(EXAMPLES / "books.py"), app_dir=None) as server:
            with urllib.request.urlopen(server.url + "/changes",
                                        timeout=PATIENCE_SECONDS) as events:
                self.assertEqual(events.readline(), b'data: {"books":1}\n')
                self.keeps_books(server)
                self.assertEqual(events.readline() + events.readline(),
                                 b'\ndata: {"books":2}\n')
            self.assertEqual(ask(server.url, "/primes/5"), [2, 3, 5, 7, 11])

    def test_an_application_that_runs_itself(self):
        for more in ("", ", workers=2"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "alone.py")
                path.write_text(ONE.format(version=7) + "if __name__ == '__main__':\n"
                                f"    app.run(port=0, root_path='/own'{more})\n")
                with Served(app_dir=None, listen=(), command=(str(path),)) as server:
                    self.assertEqual(ask(server.url)["version"], 7)
                    self.assertEqual(ask(server.url, "/about")[0], "/own")
                    self.assertEqual(server.stop(), 0)

    def test_the_one_in_fastapi(self):
        try:
            import fastapi  # noqa: F401
        except ImportError:
            self.skipTest("not installed: fastapi")
        with Served(str(EXAMPLES / "fastapi_books.py"), app_dir=None) as server:
            self.keeps_books(server)


if __name__ == "__main__":
    unittest.main()
