"""The event loop that a server and asyncio share."""

import asyncio
import contextvars
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest

from support import body, hello, run_asgi, start
from weft import _loop, _weft


class Descriptors(unittest.TestCase):
    def test_two_servers_accept_from_one_socket_and_one_may_go(self):
        """As workers of a supervisor do, the second a process of its own."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            other = subprocess.Popen(
                [sys.executable, "-c", OTHER, str(listener.fileno())], env=environment,
                pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.addCleanup(other.stdout.close)
            self.assertEqual(other.stdout.readline(), b"open\n")
            failed = []

            def client(served):
                self.assertEqual(served.port, port)
                for i in range(300):
                    if i == 100:
                        other.stdin.close()  # it drains
                    try:
                        if served.get("/")[2] not in (b"hello", b"other"):
                            failed.append(i)
                    except OSError as error:
                        failed.append((i, error))
                return failed
            failures = run_asgi(hello, client, {"fd": str(listener.fileno()), "port": "0"})
            self.assertEqual(other.wait(30), 0)
        self.assertEqual(failures, [])


OTHER = """
import asyncio, sys
from weft import _loop, _weft
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"other"})
server = _weft.Server()
server.add_asgi(app)
loop = _loop.EventLoop()
def started(location):
    print("open", flush=True)
    loop.add_reader(sys.stdin, lambda: (loop.remove_reader(sys.stdin), server.drain()))
loop.run_until_complete(_loop.serve(server, {"fd": sys.argv[1], "quiet": "true"}, None, started))
"""


class Loop(unittest.TestCase):
    def test_current_task_and_context_are_each_requests_own(self):
        var = contextvars.ContextVar("var", default="unset")
        seen = []

        async def app(scope, receive, send):
            task = asyncio.current_task()
            self.assertIsNotNone(task)
            seen.append(var.get())
            var.set(scope["path"])
            await asyncio.sleep(0.01)
            self.assertIs(asyncio.current_task(), task)
            self.assertEqual(var.get(), scope["path"])
            await hello(scope, receive, send)

        def client(served):
            return [served.get(f"/{i}")[0] for i in range(3)]
        self.assertEqual(run_asgi(app, client), [200] * 3)
        self.assertEqual(seen, ["unset"] * 3)

    def test_timers_threads_and_sockets_go_on(self):
        async def app(scope, receive, send):
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            with ours, theirs:
                ours.setblocking(False)
                reading = loop.create_task(loop.sock_recv(ours, 10))
                await loop.run_in_executor(None, theirs.send, b"abc")
                data = await reading
            await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(10)))
            await send(start())
            await send(body(data))

        def client(served):
            return [served.get("/")[2] for _ in range(5)]
        self.assertEqual(run_asgi(app, client), [b"abc"] * 5)

    def test_timers_wake_the_loop_behind_many_that_were_cancelled(self):
        async def app(scope, receive, send):
            loop = asyncio.get_running_loop()
            if scope["path"] == "/cancel":
                timers = [loop.call_later(1000, print) for _ in range(300)]
                for timer in timers[100:]:
                    timer.cancel()
            else:
                await asyncio.sleep(0.02)
            await hello(scope, receive, send)

        def client(served):
            return [served.get(path)[2] for path in ("/cancel", "/", "/cancel", "/", "/")]
        self.assertEqual(run_asgi(app, client), [b"hello"] * 5)

    def test_a_socket_that_is_not_emptied_is_ready_again(self):
        async def app(scope, receive, send):
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            read = []
            done = loop.create_future()
            with ours, theirs:
                def one():
                    read.append(ours.recv(1))
                    if len(read) == 5:
                        loop.remove_reader(ours)
                        done.set_result(None)
                loop.add_reader(ours, one)
                theirs.send(b"abcde")
                await asyncio.wait_for(done, 10)
            await send(start())
            await send(body(b"".join(read)))
        self.assertEqual(run_asgi(app, lambda s: s.get("/"))[2], b"abcde")

    def test_a_busy_loop_serves_all_the_same(self):
        async def app(scope, receive, send):
            await hello(scope, receive, send)

        def client(served):
            turning = True

            def turn():
                if turning:
                    served.loop.call_soon(turn)
            served.loop.call_soon_threadsafe(turn)
            answers = [served.get("/")[2] for _ in range(20)]
            turning = False
            return answers
        self.assertEqual(run_asgi(app, client), [b"hello"] * 20)

    def test_in_debug_mode(self):
        async def app(scope, receive, send):
            await asyncio.sleep(0)
            await hello(scope, receive, send)
        self.assertEqual(run_asgi(app, lambda s: s.get("/"), debug=True)[2], b"hello")

    def test_signals_reach_their_handlers(self):
        got = []

        async def app(scope, receive, send):
            await hello(scope, receive, send)

        def client(served):
            done = threading.Event()

            def on_signal():
                got.append("asyncio")
                done.set()
            served.on_loop(lambda: served.loop.add_signal_handler(signal.SIGUSR1, on_signal))
            os.kill(os.getpid(), signal.SIGUSR1)
            self.assertTrue(done.wait(20))
            served.on_loop(lambda: served.loop.remove_signal_handler(signal.SIGUSR1))
            return served.get("/")[0]
        self.assertEqual(run_asgi(app, client), 200)
        self.assertEqual(got, ["asyncio"])

    def test_a_task_that_does_not_wait_is_done_at_once(self):
        async def main():
            loop = asyncio.get_running_loop()

            async def quick():
                self.assertIs(asyncio.current_task(), asyncio.current_task())
                return 7

            async def slow():
                await asyncio.sleep(0)
                return 8
            one = loop.weft_tasks.start(slow())
            self.assertFalse(one.done())
            return await one

        def call_from_loop(loop, result):
            async def quick():
                return asyncio.current_task()
            task = loop.weft_tasks.start(quick())
            result.append((task.done(), task.result() is task))
        loop = _loop.EventLoop()
        result = []
        loop.call_soon(call_from_loop, loop, result)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        self.assertEqual(result, [(True, True)])


class Starting(unittest.TestCase):
    def test_settings_that_make_no_sense_are_refused(self):
        async def refused(settings):
            loop = asyncio.get_running_loop()
            server = _weft.Server()
            server.add_asgi(hello)
            try:
                loop.start_server(server, settings)
            except (ValueError, OSError) as error:
                return type(error).__name__, str(error)
            return None
        loop = _loop.EventLoop()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            answers = [loop.run_until_complete(refused(one)) for one in (
                {"prot": "1"}, {"port": "many"}, {"workers": "2"}, {"port": str(port)})]
        loop.close()
        self.assertEqual(answers[0], (
            "ValueError", 'there is no setting "prot"; did you mean port?'))
        self.assertEqual(answers[1][0], "ValueError")
        self.assertIn("port", answers[1][1])
        self.assertEqual(answers[2][0], "ValueError")
        self.assertEqual(answers[3][0], "OSError")
        self.assertIn("cannot listen on 127.0.0.1", answers[3][1])

    def test_a_server_that_is_dropped_while_it_serves_ends(self):
        server = _weft.Server()
        server.add_asgi(hello)
        loop = _loop.EventLoop()

        async def main():
            asyncio.get_running_loop().start_server(server, {"port": "0", "quiet": "true"})
            server.open()
            await asyncio.sleep(0.01)
            return server.port
        port = loop.run_until_complete(main())
        loop._weft_selector.server = None
        loop.close()
        del server
        del loop
        gc.collect()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

    def test_on_both_back_ends(self):
        async def app(scope, receive, send):
            await asyncio.sleep(0.001)
            await hello(scope, receive, send)
        for backend in ("epoll", "auto"):
            with self.subTest(backend=backend):
                def client(served):
                    return [served.get("/")[2] for _ in range(10)], served.server.stats()
                answers, stats = run_asgi(app, client, {"backend": backend})
                self.assertEqual(answers, [b"hello"] * 10)
                self.assertEqual(stats["requests"], 10)


if __name__ == "__main__":
    unittest.main()
