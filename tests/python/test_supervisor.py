"""The supervisor, with workers that are small programs of this file, and the watch on files.

A worker accepts on the shared socket and answers each connection with a line: its process number
and the text of a file, which stands for the application's code.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
from pathlib import Path

from serving import PATIENCE_SECONDS, wait_for
from weft._reload import Watch
from weft._supervisor import ListenError, Supervisor, Worker, open_socket

WORKER = """
import ctypes, os, signal, socket, sys

ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # It ends with its supervisor.
code = open(sys.argv[2]).read().strip()
if code == "broken":
    sys.exit("the code is broken")
if code == "stuck":
    open(sys.argv[2] + ".stuck", "w").close()
    signal.pause()
listener = socket.socket(fileno=int(sys.argv[1]))
pipe = int(os.environ["WEFT_READY_FD"])
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
listener.settimeout(0.05)
os.write(pipe, b"ready\\n")
if code == "short":
    sys.exit("it does not live long")
answered = 0
while not stopping:
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    with connection:
        connection.settimeout(20)
        asked = connection.recv(100)
        if asked == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        if asked == b"recycle":
            os.write(pipe, b"recycle\\n")
        try:
            connection.sendall(f"{os.getpid()} {code}".encode())
        except OSError:
            pass  # Whoever asked has gone.
"""

MAIN = """
import sys
from weft._reload import Watch
from weft._supervisor import Supervisor

worker, code, count, fd, watched = sys.argv[1:]
watch = Watch([watched], inotify=True) if watched else None
supervisor = Supervisor(lambda fd: [sys.executable, worker, str(fd), code], int(count), int(fd),
                        grace_seconds=0, watch=watch,
                        say=lambda text: print(text, flush=True))
sys.exit(supervisor.run())
"""


class SupervisorTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.write("worker", WORKER)
        self.write("main", MAIN)
        self.write("code.py", "one")
        self.said = []

    def write(self, name, text):
        # As editors do: whoever reads it sees the old text or the new one.
        fresh = self.folder / f".{name}.fresh"
        fresh.write_text(textwrap.dedent(text))
        fresh.replace(self.folder / name)

    def start(self, count, watched=""):
        listener = open_socket("127.0.0.1", 0)
        self.addCleanup(listener.close)
        os.set_inheritable(listener.fileno(), True)
        self.port = listener.getsockname()[1]
        import weft

        environment = {**os.environ, "PYTHONPATH": str(Path(weft.__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, "-B", self.folder / "main", self.folder / "worker",
             self.folder / "code.py", str(count), str(listener.fileno()), str(watched)],
            pass_fds=(listener.fileno(),), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment)
        self.listening = threading.Thread(target=self.listen)
        self.listening.start()
        self.addCleanup(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.listening.join()
        self.process.stdout.close()

    def listen(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip())

    def ask(self, what="x"):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as connection:
            connection.sendall(what.encode())
            return connection.recv(100).decode().split()

    def pids(self, count):
        return wait_for(lambda: (lambda found: found if len(found) >= count else None)(
            {self.ask()[0] for _ in range(20)}))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def test_all_processes_serve_and_end(self):
        self.start(2)
        pids = self.pids(2)
        self.assertEqual(self.stop(), 0)
        for pid in pids:
            self.assertFalse(Path("/proc", pid).exists())

    def test_one_that_dies_is_replaced(self):
        self.start(1)
        before = self.ask()[0]
        try:
            self.ask("die")
        except ConnectionError:
            pass
        self.assertNotEqual(self.ask()[0], before)
        self.assertEqual(self.stop(signal.SIGINT), 0)
        self.assertTrue(any("ended (SIGKILL)" in line for line in self.said), self.said)

    def test_what_never_starts_ends_the_server(self):
        self.write("code.py", "broken")
        self.start(2)
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 1)
        wait_for(lambda: any("do not start" in line for line in self.said))

    def test_sighup_replaces_all_without_losing_a_request(self):
        self.start(2)
        before = self.pids(2)
        answers, failures, done = [], [], threading.Event()

        def load():
            while not done.is_set():
                try:
                    answer = self.ask()
                    (answers if len(answer) == 2 else failures).append(answer)
                except OSError as error:
                    failures.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answers) > 20)
        self.write("code.py", "two")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: all(not Path("/proc", pid).exists() for pid in before))
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual({self.ask()[1] for _ in range(20)}, {"two"})
        self.assertEqual(len(self.pids(2) & before), 0)

    def test_new_code_that_does_not_start_leaves_the_old_in_place(self):
        self.start(2)
        before = self.pids(2)
        self.write("code.py", "broken")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any("goes on with the code it has" in line for line in self.said))
        self.assertEqual(self.pids(2), before)
        self.write("code.py", "three")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.ask()[1] == "three")

    def test_new_code_that_never_gets_ready_is_waited_for_until_there_is_newer(self):
        self.start(2)
        before = self.pids(2)
        self.write("code.py", "stuck")
        self.process.send_signal(signal.SIGHUP)
        wait_for((self.folder / "code.py.stuck").exists)
        self.assertEqual(self.pids(2), before)
        self.write("code.py", "three")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: {self.ask()[1] for _ in range(10)} == {"three"})
        self.assertEqual(self.stop(), 0)

    def test_one_that_ends_as_soon_as_it_is_ready_is_started_ever_later(self):
        self.write("code.py", "short")
        self.start(1)
        for pause in ("0.1", "0.2", "0.4"):
            wait_for(lambda: any(f"another one starts in {pause} s" in line
                                 for line in self.said))

    def test_a_successor_that_cannot_be_started_is_tried_again(self):
        with open_socket("127.0.0.1", 0) as listener:
            supervisor = Supervisor(lambda fd: ["/nothing/of/this/name"], 1, listener)
            supervisor._start_at.clear()
            old = Worker(0, None, -1)
            self.assertIsNone(supervisor._start(0, old))
            self.assertEqual(supervisor._start_at, {})
            self.assertEqual(supervisor._to_replace, [old])
            self.assertGreater(supervisor._patience(), 0)
            supervisor._selector.close()

    def test_one_that_has_answered_enough_is_replaced_while_it_serves(self):
        self.start(1)
        before = self.ask("recycle")[0]
        wait_for(lambda: self.ask()[0] != before)
        self.assertEqual(self.stop(), 0)
        self.assertFalse(any("ended" in line for line in self.said), self.said)

    def test_a_busy_worker_is_left_alone(self):
        self.start(1)
        pid = self.ask()[0]
        with socket.create_connection(("127.0.0.1", self.port), 10):
            # It waits for this connection, and answers nobody, for longer than any beat would be.
            with self.assertRaises(TimeoutError):
                with socket.create_connection(("127.0.0.1", self.port), 10) as other:
                    other.settimeout(1)
                    other.sendall(b"x")
                    other.recv(1)
        self.assertEqual(self.ask()[0], pid)

    def test_a_changed_file_brings_the_new_code(self):
        self.start(1, self.folder)
        self.assertEqual(self.ask()[1], "one")
        self.write("code.py", "two")
        wait_for(lambda: self.ask()[1] == "two")
        self.write("code.py", "broken")
        wait_for(lambda: any("goes on with the code" in line for line in self.said))
        self.assertEqual(self.ask()[1], "two")
        self.write("code.py", "three")
        wait_for(lambda: self.ask()[1] == "three")
        self.assertTrue(any("code.py changed" in line for line in self.said))

    def test_code_that_is_broken_at_first_is_waited_for(self):
        self.write("code.py", "broken")
        self.start(1, self.folder)
        wait_for(lambda: any("waiting for a file to change" in line for line in self.said))
        self.write("code.py", "mended")
        self.assertEqual(wait_for(self.ask)[1], "mended")


class SocketTest(unittest.TestCase):
    def test_an_address_in_use_is_told(self):
        with open_socket("127.0.0.1", 0) as first:
            with self.assertRaisesRegex(ListenError, "another program listens there"):
                open_socket("127.0.0.1", first.getsockname()[1])
        with self.assertRaisesRegex(ListenError, "no address"):
            open_socket("no such host", 1)

    def test_paths(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/s"
            open_socket("", 0, path, "0600").close()  # It leaves its file behind.
            with open_socket("", 0, path, "0600"):
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                with self.assertRaisesRegex(ListenError, "another server listens"):
                    open_socket("", 0, path)
            Path(folder, "file").write_text("precious")
            with self.assertRaisesRegex(ListenError, "other than a socket"):
                open_socket("", 0, f"{folder}/file")
            self.assertEqual(Path(folder, "file").read_text(), "precious")


class WatchTest(unittest.TestCase):
    def changes(self, inotify):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "old").mkdir()
            (root / "__pycache__").mkdir()
            (root / "a.py").write_text("1")
            (root / "gone.py").write_text("1")
            watch = Watch([folder], ("*.py", "*.html"), ("skip*",), inotify=inotify)
            self.addCleanup(watch.close)
            self.assertEqual(watch.fd is None, not inotify)
            self.assertEqual(watch.changed(), set())
            (root / "a.py").write_text("22")
            (root / "gone.py").unlink()
            (root / "old" / "b.html").write_text("x")
            (root / "fresh" / "deep").mkdir(parents=True)
            (root / "fresh" / "deep" / "c.py").write_text("x")
            for ignored in ("x.txt", "skip.py", "__pycache__/y.py"):
                (root / ignored).write_text("x")
            found = {os.path.relpath(path, folder) for path in watch.changed()}
            self.assertEqual(found, {"a.py", "gone.py", "old/b.html", "fresh/deep/c.py"})
            (root / "fresh" / "deep" / "c.py").write_text("yy")
            self.assertEqual({os.path.relpath(path, folder) for path in watch.changed()},
                             {"fresh/deep/c.py"})
            self.assertEqual(watch.changed(), set())

    def test_by_inotify(self):
        self.changes(True)

    def test_by_asking_for_times(self):
        self.changes(False)


if __name__ == "__main__":
    unittest.main()
