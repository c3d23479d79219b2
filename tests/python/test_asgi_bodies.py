"""ASGI applications, over a real socket: bodies, and how requests end."""

import asyncio
import gc
import gzip
import os
import socket
import struct
import threading
import unittest

from support import body, hello, read_all, read_until, run, run_asgi, start
from weft import _loop, _weft


class Bodies(unittest.TestCase):
    async def echo(self, scope, receive, send):
        data = b""
        while True:
            message = await receive()
            self.assertEqual(message["type"], "http.request")
            data += message["body"]
            if not message["more_body"]:
                break
        await send(start())
        await send(body(data))

    def test_short_and_long_ones(self):
        def client(served):
            return [served.get("/", "POST", os.urandom(1) * size)[2]
                    for size in (0, 1, 65536, 65537, 3_000_000)]
        answers = run_asgi(self.echo, client, {"max_body": "4MiB"})
        self.assertEqual([len(one) for one in answers], [0, 1, 65536, 65537, 3_000_000])

    def test_a_chunked_one(self):
        def client(served):
            return served.get("/", "POST", iter([b"ab", b"cde", b"f" * 70000]),
                              {"Transfer-Encoding": "chunked"})[2]
        self.assertEqual(run_asgi(self.echo, client), b"abcde" + b"f" * 70000)

    def test_encoded_ones_are_for_who_takes_them_alone(self):
        packed = gzip.compress(b"x" * 1000)
        for taken, fields in ((True, {}), (True, {"Transfer-Encoding": "chunked"}), (False, {})):
            server = _weft.Server()
            server.add_asgi(self.echo, encoded_bodies=taken)
            fields = fields | {"Content-Encoding": "gzip"}
            body = packed if "Transfer-Encoding" not in fields else iter((packed[:9], packed[9:]))
            status, _, data = run(server, lambda s: s.get("/", "POST", body, fields))
            self.assertEqual(status, 200 if taken else 415)
            if taken:
                self.assertEqual(data, packed)

    def test_encoded_ones_beyond_the_limit_are_413(self):
        server = _weft.Server()
        server.add_asgi(self.echo, encoded_bodies=True)
        status, _, _ = run(server, lambda s: s.get("/", "POST", b"x" * 101,
                                                   {"Content-Encoding": "gzip"}),
                           {"max_body": "100"})
        self.assertEqual(status, 413)

    def test_parts_go_back_while_others_come(self):
        async def app(scope, receive, send):
            await send(start())
            while True:
                message = await receive()
                await send(body(message["body"], message["more_body"]))
                if not message["more_body"]:
                    break

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n")
                for part in (b"one", b"two", b"six"):
                    connection.sendall(b"3\r\n" + part + b"\r\n")
                    read_until(connection, part)
                connection.sendall(b"0\r\n\r\n")
                return read_all(connection)
        self.assertIn(b"0\r\n\r\n", run_asgi(app, client))

    def test_an_answer_is_written_while_receive_waits(self):
        async def app(scope, receive, send):
            async def read():
                while (await receive())["more_body"]:
                    pass
            reading = asyncio.create_task(read())
            await asyncio.sleep(0)
            await send(start())
            await send(body(b"early", True))
            await reading
            await send(body(b"late"))

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                   b"Content-Length: 70000\r\n\r\n")
                read_until(connection, b"early")
                connection.sendall(b"x" * 70000)
                return read_all(connection)
        self.assertIn(b"late", run_asgi(app, client))

    def test_a_body_beyond_the_limit_is_413(self):
        def client(served):
            return (served.get("/", "POST", b"x" * 200_000)[0],
                    served.get("/", "POST", iter([b"x" * 200_000]),
                               {"Transfer-Encoding": "chunked"})[0])
        async def app(scope, receive, send):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RuntimeError("the client has gone")
                if not message["more_body"]:
                    break
        self.assertEqual(run_asgi(app, client, {"max_body": "100000"}), (413, 413))

    def test_a_body_that_nobody_reads_is_no_matter(self):
        def client(served):
            return [served.get("/", "POST", b"x" * size)[0] for size in (10, 100_000)]
        self.assertEqual(run_asgi(hello, client), [200, 200])

    def test_a_body_beyond_the_limit_is_413_whatever_is_answered(self):
        async def app(scope, receive, send):
            while (await receive()).get("more_body"):
                pass
            await send(start())
            await send(body(b"as if"))
        self.assertEqual(run_asgi(app, lambda s: s.get(
            "/", "POST", iter([b"x" * 200_000]), {"Transfer-Encoding": "chunked"})[0],
            {"max_body": "100000"}), 413)

    def test_who_waits_is_not_collected(self):
        uploads = 50
        waiting = []

        async def app(scope, receive, send):
            waiting.append(1)
            size = 0
            while True:
                message = await receive()
                size += len(message["body"])
                if not message["more_body"]:
                    break
            await send(start())
            await send(body(b"<%d>" % size))

        def client(served):
            connections = [served.connect() for _ in range(uploads)]
            for one in connections:
                one.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                            b"Content-Length: 70000\r\n\r\n" + b"x" * 35000)
            while len(waiting) < uploads:
                served.on_loop(gc.collect)
            served.on_loop(gc.collect)
            answers = []
            for one in connections:
                with one:
                    one.sendall(b"x" * 35000)
                    answers.append(read_all(one).endswith(b"<70000>"))
            return answers, served.errors
        self.assertEqual(run_asgi(app, client), ([True] * uploads, []))

    def test_receive_and_send_make_tasks(self):
        async def app(scope, receive, send):
            message = await asyncio.create_task(receive())
            await asyncio.create_task(send(start()))
            await asyncio.wait_for(send(body(message["body"])), 5)
        self.assertEqual(run_asgi(app, lambda s: s.get("/", "POST", b"abc"))[2], b"abc")

    def test_each_of_several_receivers_has_its_own_message(self):
        told = []

        async def app(scope, receive, send):
            await receive()
            one, other = asyncio.create_task(receive()), asyncio.create_task(receive())
            await asyncio.sleep(0.01)
            one.cancel()
            await asyncio.sleep(0)
            self.assertFalse(other.done())
            await hello(scope, receive, send)
            told.append((await other)["type"])
        run_asgi(app, lambda s: s.get("/"))
        self.assertEqual(told, ["http.disconnect"])

    def test_receive_that_was_cancelled_loses_nothing(self):
        async def app(scope, receive, send):
            try:
                await asyncio.wait_for(receive(), 0.05)
            except asyncio.TimeoutError:
                go.set()
            data = b""
            while True:
                message = await receive()
                data += message["body"]
                if not message["more_body"]:
                    break
            await send(start())
            await send(body(b"%d" % len(data)))
        go = threading.Event()

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                   b"Content-Length: 70000\r\n\r\n")
                self.assertTrue(go.wait(20))
                connection.sendall(b"x" * 70000)
                return read_all(connection)
        self.assertTrue(run_asgi(app, client).endswith(b"70000"))


class Ends(unittest.TestCase):
    def test_a_client_that_goes_is_told_of(self):
        told = []
        came = threading.Event()
        over = threading.Event()

        async def app(scope, receive, send):
            told.append((await receive())["type"])
            came.set()
            told.append((await receive())["type"])
            await send(start())  # no matter
            await send(body(b"nobody"))
            told.append((await receive())["type"])
            over.set()

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(came.wait(20))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.assertTrue(over.wait(20))
        run_asgi(app, client)
        self.assertEqual(told, ["http.request", "http.disconnect", "http.disconnect"])

    def test_who_writes_to_nobody_leaves_others_their_turn(self):
        gone = threading.Event()
        enough = threading.Event()

        async def app(scope, receive, send):
            if scope["path"] != "/endless":
                return await hello(scope, receive, send)
            await send(start())
            await send(body(b"begun", True))
            await receive()
            await receive()
            gone.set()
            while not enough.is_set():
                await send(body(b"x", True))

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
                read_until(connection, b"begun")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                self.assertTrue(gone.wait(20))
                return served.get("/")[2]
            finally:
                enough.set()
        self.assertEqual(run_asgi(app, client), b"hello")

    def test_a_send_that_was_cancelled_takes_nobody_along(self):
        outcome = []
        full = threading.Event()

        async def app(scope, receive, send):
            await send(start())
            while True:
                one = asyncio.create_task(send(body(b"x" * 1_000_000, True)))
                done, _ = await asyncio.wait([one], timeout=0.2)
                if not done:
                    break
            other = asyncio.create_task(send(body(b"y" * 1000, True)))
            await asyncio.sleep(0)
            one.cancel()
            await asyncio.wait([one])
            last = asyncio.create_task(send(body(b"z" * 1000, True)))
            await asyncio.sleep(0)
            full.set()
            await asyncio.wait([other, last])
            outcome.extend((one.cancelled(), other.cancelled(), last.cancelled()))
            await send(body(b"end"))

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertTrue(full.wait(20))
                return read_all(connection)
        self.assertIn(b"end\r\n0\r\n", run_asgi(app, client))
        self.assertEqual(outcome, [True, False, False])

    def test_no_answer_at_the_end_of_the_grace_is_503(self):
        began = threading.Event()

        async def app(scope, receive, send):
            await receive()
            began.set()
            await receive()

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(began.wait(20))
                served.on_loop(served.server.drain)
                return read_all(connection).partition(b"\r\n")[0]
        self.assertIn(b" 503 ", run_asgi(app, client, {"drain_grace": "100ms"}))

    def test_receive_behind_the_answer_says_disconnect(self):
        told = []

        async def app(scope, receive, send):
            await receive()
            waiting = asyncio.create_task(receive())
            await asyncio.sleep(0)
            await hello(scope, receive, send)
            told.append((await waiting)["type"])
            told.append((await receive())["type"])
        run_asgi(app, lambda s: s.get("/"))
        self.assertEqual(told, ["http.disconnect"] * 2)

    def failures(self, app):
        def client(served):
            status, _, data = served.get("/")
            return status, data, served.errors
        return run_asgi(app, client, {"log_level": "error"})

    def test_an_exception_before_the_answer_is_500(self):
        async def app(scope, receive, send):
            raise ValueError("of mine")
        status, data, errors = self.failures(app)
        self.assertEqual((status, data), (500, b"Internal Server Error\n"))
        self.assertEqual([str(one["exception"]) for one in errors], ["of mine"])

    def test_and_so_is_one_behind_a_wait(self):
        async def app(scope, receive, send):
            await send(start())
            await asyncio.sleep(0)
            raise ValueError("of mine")
        status, data, errors = self.failures(app)
        self.assertEqual((status, len(errors)), (500, 1))
        self.assertNotIn(b"of mine", data)

    def test_an_exception_amid_the_answer_cuts_the_connection_off(self):
        async def app(scope, receive, send):
            await send(start())
            await send(body(b"begun", True))
            await asyncio.sleep(0.01)
            raise ValueError("of mine")

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                return read_all(connection), len(served.errors)
        data, errors = run_asgi(app, client, {"log_level": "error"})
        self.assertIn(b"begun", data)
        self.assertFalse(data.endswith(b"0\r\n\r\n"))
        self.assertEqual(errors, 1)

    def test_no_answer_is_500(self):
        async def app(scope, receive, send):
            await asyncio.sleep(0)
        self.assertEqual(self.failures(app)[0], 500)

    def test_half_an_answer_is_500(self):
        async def app(scope, receive, send):
            await send(start(headers=[(b"x-mine", b"1")]))
        self.assertEqual(self.failures(app)[0], 500)

    def refusal(self, *messages):
        raised = []

        async def app(scope, receive, send):
            try:
                for message in messages:
                    await send(message)
            except Exception as error:
                raised.append(error)
                raise
        status = self.failures(app)[0]
        self.assertEqual(len(raised), 1, "nothing was refused")
        return status, type(raised[0]).__name__, str(raised[0])

    def test_messages_out_of_turn_and_malformed_ones_are_refused(self):
        self.assertEqual(self.refusal(body(b"x")), (
            500, "RuntimeError",
            "Expected ASGI message 'http.response.start', but got 'http.response.body'."))
        self.assertEqual(self.refusal(start(), start())[1:], (
            "RuntimeError",
            "Expected ASGI message 'http.response.body', but got 'http.response.start'."))
        self.assertEqual(self.refusal(start(), body(b"x"), body(b"y"))[:2], (200, "RuntimeError"))
        self.assertEqual(self.refusal("no message")[1], "TypeError")
        self.assertEqual(self.refusal({})[1], "KeyError")
        self.assertEqual(self.refusal(start(99))[1], "ValueError")
        self.assertEqual(self.refusal(start("200"))[1], "TypeError")
        self.assertEqual(self.refusal(start(headers=[("x", "y")]))[1], "TypeError")
        self.assertEqual(self.refusal(start(headers=[(b"x", b"y\r\nz: 1")]))[1], "ValueError")
        self.assertEqual(self.refusal(start(headers=[(b"x y", b"z")]))[1], "ValueError")
        self.assertEqual(self.refusal(start(headers=[(b"content-length", b"-1")]))[1], "ValueError")
        self.assertEqual(self.refusal(start(), body("text"))[1], "TypeError")

    def test_what_does_not_fit_the_length_that_was_announced(self):
        five = start(headers=[(b"content-length", b"5")])
        self.assertEqual(self.refusal(five, body(b"123456"))[1:], (
            "RuntimeError", "Response content longer than Content-Length"))
        self.assertEqual(self.refusal(five, body(b"1234"))[1:], (
            "RuntimeError", "Response content shorter than Content-Length"))

    def test_drain_waits_for_a_request_and_then_ends(self):
        began = threading.Event()

        async def app(scope, receive, send):
            began.set()
            await asyncio.sleep(0.3)
            await hello(scope, receive, send)

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(began.wait(20))
                served.on_loop(served.server.drain)
                return read_all(connection)
        self.assertIn(b"hello", run_asgi(app, client))

    def test_a_stream_that_never_ends_is_cancelled_at_the_end_of_the_grace(self):
        ended = []

        async def app(scope, receive, send):
            await send(start())
            try:
                while True:
                    await send(body(b"x", True))
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        def client(served):
            connection = served.connect()
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            read_until(connection, b"x\r\n")
            self.addCleanup(connection.close)
        run_asgi(app, client, {"drain_grace": "200ms"})
        self.assertEqual(ended, ["cancelled"])

    def test_keyboard_interrupt_ends_the_loop(self):
        async def app(scope, receive, send):
            raise KeyboardInterrupt
        loop = _loop.EventLoop()
        server = _weft.Server()
        server.add_asgi(app)

        def client(port):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                connection.settimeout(20)
                try:
                    connection.recv(100)
                except OSError:
                    pass
        thread = None

        def started(_location):
            nonlocal thread
            thread = threading.Thread(target=client, args=(server.port,))
            thread.start()
        with self.assertRaises(KeyboardInterrupt):
            loop.run_until_complete(_loop.serve(server, {"port": "0", "quiet": "true"},
                                                started=started))
        server.cut_off()
        loop.run_until_complete(server.wait_ended())
        loop.close()
        thread.join(20)


if __name__ == "__main__":
    unittest.main()
