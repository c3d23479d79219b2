"""ASGI applications, over a real socket."""

import asyncio
import contextvars
import gc
import os
import signal
import struct
import socket
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import unittest.mock
import weakref

from support import read_all, read_until, run, run_asgi
from weft import _loop, _weft, _worker


def start(status=200, headers=()):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope, receive, send):
    await send(start(headers=[(b"content-type", b"text/plain")]))
    await send(body(b"hello"))


class Answers(unittest.TestCase):
    def test_an_answer_in_one_piece_has_its_length(self):
        status, fields, data = run_asgi(hello, lambda s: s.get("/any/where"))
        self.assertEqual((status, data), (200, b"hello"))
        self.assertEqual(fields["content-length"], "5")
        self.assertEqual(fields["content-type"], "text/plain")

    def test_an_answer_in_parts_is_chunked(self):
        async def app(scope, receive, send):
            await send(start())
            for part in (b"one,", b"", b"two,"):
                await send(body(part, True))
                await asyncio.sleep(0)
            await send(body(b"three"))
        status, fields, data = run_asgi(app, lambda s: s.get("/"))
        self.assertEqual((status, data), (200, b"one,two,three"))
        self.assertEqual(fields["transfer-encoding"], "chunked")

    def test_parts_of_a_known_length_are_not_chunked(self):
        async def app(scope, receive, send):
            await send(start(headers=[(b"content-length", b"6")]))
            await send(body(b"abc", True))
            await send(body(b"def"))
        status, fields, data = run_asgi(app, lambda s: s.get("/"))
        self.assertEqual((fields["content-length"], data), ("6", b"abcdef"))
        self.assertNotIn("transfer-encoding", fields)

    def test_the_first_part_goes_out_before_the_second_is_made(self):
        async def app(scope, receive, send):
            await send(start())
            await send(body(b"first", True))
            self.assertEqual(await receive(), {"type": "http.request", "body": b"",
                                               "more_body": False})
            await asyncio.get_running_loop().run_in_executor(None, seen.wait, 20)
            await send(body(b"second"))
        seen = threading.Event()

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                read_until(connection, b"first")
                seen.set()
                return read_all(connection)
        self.assertIn(b"second", run_asgi(app, client))

    def test_files_are_sent_by_path_and_by_descriptor(self):
        async def app(scope, receive, send):
            await send(start(headers=[(b"content-length", scope["query_string"])]
                             if scope["query_string"] else []))
            if scope["path"] == "/path":
                await send({"type": "http.response.pathsend", "path": file.name})
            elif scope["path"] == "/missing":
                await send({"type": "http.response.pathsend", "path": "/nowhere/at/all"})
            elif scope["path"] == "/folder":
                await send({"type": "http.response.pathsend", "path": "/"})
            else:
                with open(file.name, "rb") as opened:
                    await send({"type": "http.response.zerocopysend", "file": opened,
                                "offset": 10, "count": 20})
        content = os.urandom(300_000)
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()

            def client(served):
                return [served.get(path) for path in
                        ("/path", "/path?300000", "/part?20", "/part", "/missing", "/folder",
                         "/path?7")] + [served.get("/path", "HEAD")]
            answers = run_asgi(app, client, {"log_level": "error"})
        self.assertEqual([one[0] for one in answers], [200] * 4 + [500] * 3 + [200])
        self.assertEqual([one[2] for one in answers[:4]], [content] * 2 + [content[10:30]] * 2)
        self.assertEqual([one[1].get("content-length") for one in answers[:4]],
                         ["300000", "300000", "20", "20"])
        self.assertEqual((answers[7][1]["content-length"], answers[7][2]), ("300000", b""))

    def test_a_descriptor_is_read_from_where_it_stands(self):
        refused = []

        async def app(scope, receive, send):
            await send(start())
            with open(file.name, "rb", buffering=0) as opened:
                opened.seek(4)
                message = {"type": "http.response.zerocopysend", "file": opened}
                try:
                    await send({**message, "more_body": True})
                except ValueError as error:
                    refused.append(str(error))
                await send(message)
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0123456789")
            file.flush()
            self.assertEqual(run_asgi(app, lambda s: s.get("/"))[2], b"456789")
        self.assertEqual(len(refused), 1)

    def test_of_a_start_that_is_refused_nothing_stays(self):
        async def app(scope, receive, send):
            try:
                await send(start(418, [(b"x-one", b"1"), (b"content-type", b"a/b"),
                                       (b"content-length", b"77"), (b"x two", b"2")]))
            except ValueError:
                await hello(scope, receive, send)
        status, fields, data = run_asgi(app, lambda s: s.get("/"))
        self.assertEqual((status, data, fields["content-type"]), (200, b"hello", "text/plain"))
        self.assertNotIn("x-one", fields)

    def test_head_has_the_length_that_the_application_says(self):
        async def app(scope, receive, send):
            await send(start(headers=[(b"content-length", b"12345")]))
            await send(body(b"" if scope["path"] == "/empty" else b"x" * 12345))

        def client(served):
            return [served.get(path, "HEAD") for path in ("/empty", "/whole")]
        for status, fields, data in run_asgi(app, client):
            self.assertEqual((status, fields["content-length"], data), (200, "12345", b""))

    def test_statuses_without_a_body(self):
        async def app(scope, receive, send):
            await send(start(int(scope["path"][1:])))
            await send(body(b""))

        def client(served):
            return [served.get(f"/{status}")[::2] for status in (204, 304, 205)]
        self.assertEqual(run_asgi(app, client), [(204, b""), (304, b""), (205, b"")])

    def test_fields_of_the_servers_own_are_left_to_it(self):
        async def app(scope, receive, send):
            await send(start(headers=[(b"Date", b"never"), (b"Connection", b"close"),
                                      (b"transfer-encoding", b"chunked"), [b"X-One", b"1"]]))
            await send(body(b"ok"))
        _, fields, data = run_asgi(app, lambda s: s.get("/"))
        self.assertEqual((data, fields["x-one"], fields["content-length"]), (b"ok", "1", "2"))
        self.assertNotEqual(fields["date"], "never")

    def test_a_long_answer_is_written_as_the_client_takes_it(self):
        parts = 400

        async def app(scope, receive, send):
            await send(start())
            for _ in range(parts):
                await send(body(b"x" * 65536, True))
                most["unsent"] = max(most["unsent"], 0)
            await send(body())
        most = {"unsent": 0}
        _, _, data = run_asgi(app, lambda s: s.get("/"))
        self.assertEqual(len(data), parts * 65536)

    def test_who_writes_waits_for_a_client_that_takes_nothing(self):
        written = []

        async def app(scope, receive, send):
            await send(start())
            try:
                for i in range(4000):
                    await send(body(b"x" * 65536, True))
                    written.append(i)
                    if i % 50 == 0:
                        await asyncio.sleep(0)
            finally:
                ended.set()
        ended = threading.Event()

        def client(served):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", served.port))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            read_until(connection, b"xxxx")
            before = -1
            # Nothing more is written once all buffers are full.
            while before != len(written):
                before = len(written)
                ended.wait(0.5)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            self.assertTrue(ended.wait(20))
            return before
        self.assertLess(run_asgi(app, client), 1000)

    def test_ten_thousand_requests_leave_nothing_behind(self):
        class Marker:
            pass
        markers = weakref.WeakSet()

        async def app(scope, receive, send):
            marker = scope["marker"] = Marker()
            markers.add(marker)
            if scope["path"] == "/wait":
                await asyncio.sleep(0)
            await hello(scope, receive, send)

        def client(served):
            with served.connect() as connection:
                for i in range(100):
                    path = b"/wait" if i % 2 else b"/"
                    one = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"
                    connection.sendall(one * 100)
                    seen = 0
                    rest = b""
                    while seen < 100:
                        rest += connection.recv(65536)
                        seen += rest.count(b"hello")
                        rest = rest[rest.rfind(b"hello") + 5:] if b"hello" in rest else rest
            return True
        self.assertTrue(run_asgi(app, client))
        gc.collect()
        self.assertEqual(len(markers), 0)


class Scopes(unittest.TestCase):
    async def show(self, scope, receive, send):
        self.scope = scope
        await hello(scope, receive, send)

    def scope_of(self, target, headers=None, method="GET", **options):
        run_asgi(self.show, lambda s: s.get(target, method, headers=headers), **options)
        return self.scope

    def test_all_of_it(self):
        scope = self.scope_of("/a%20b/%C3%A4?x=1%20&y", {"X-Thing": "One, two"}, "DELETE",
                              root_path="/api")
        self.assertEqual(scope["type"], "http")
        self.assertEqual(scope["asgi"], {"version": "3.0", "spec_version": "2.3"})
        self.assertEqual(scope["http_version"], "1.1")
        self.assertEqual(scope["method"], "DELETE")
        self.assertEqual(scope["scheme"], "http")
        self.assertEqual(scope["path"], "/a b/ä")
        self.assertEqual(scope["raw_path"], b"/a%20b/%C3%A4")
        self.assertEqual(scope["query_string"], b"x=1%20&y")
        self.assertEqual(scope["root_path"], "/api")
        self.assertIn((b"x-thing", b"One, two"), scope["headers"])
        self.assertEqual(scope["client"][0], "127.0.0.1")
        self.assertIsInstance(scope["client"][1], int)
        self.assertEqual(scope["server"][0], "127.0.0.1")
        self.assertEqual(scope["extensions"], {"http.response.pathsend": {},
                                               "http.response.zerocopysend": {}})
        self.assertNotIn("state", scope)

    def test_what_a_request_adds_is_not_the_next_ones(self):
        async def app(scope, receive, send):
            seen.append((dict(scope["asgi"]), dict(scope["extensions"])))
            scope["asgi"]["mine"] = scope["extensions"]["mine"] = {}
            await hello(scope, receive, send)
        seen = []
        run_asgi(app, lambda s: [s.get("/") for _ in range(2)])
        self.assertEqual(seen[0], seen[1])

    def test_a_prefix_stands_before_paths(self):
        server = _weft.Server()
        server.add_asgi(self.show, "/a b", "/a%20b")
        run(server, lambda s: s.get("/%C3%A4?x"))
        self.assertEqual((self.scope["root_path"], self.scope["path"], self.scope["raw_path"]),
                         ("/a b", "/a b/ä", b"/a%20b/%C3%A4"))

    def test_only_newer_starlettes_want_the_prefix(self):
        for version, root_path, prefix in (
                ("0.26.1", "/a b", ""), ("0.33.0", "/a b", "/a%20b"), ("1.0", "/a b", "/a%20b"),
                ("0.46.1", "", ""), ("unknown", "/a b", "")):
            module = types.SimpleNamespace(__version__=version)
            with self.subTest(version=version), \
                    unittest.mock.patch.dict(sys.modules, starlette=module):
                self.assertEqual(_worker.path_prefix_of(root_path), prefix)

    def test_escapes_as_unquote_has_them(self):
        self.assertEqual(self.scope_of("/%41%2fb")["path"], "/A/b")
        self.assertEqual(self.scope_of("/%ff")["path"], "/\ufffd")

    def test_http_1_0(self):
        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return read_all(connection)
        self.assertIn(b"hello", run_asgi(self.show, client))
        self.assertEqual(self.scope["http_version"], "1.0")

    def test_each_request_has_a_copy_of_the_lifespans_state(self):
        shared = {"pool": object()}
        scope = self.scope_of("/", state=shared)
        self.assertEqual(scope["state"], shared)
        self.assertIsNot(scope["state"], shared)

    def test_trusted_proxies_tell_the_client(self):
        scope = self.scope_of(
            "/", {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"},
            settings={"trusted_proxies": "loopback"})
        self.assertEqual((scope["client"][0], scope["scheme"]), ("192.0.2.7", "https"))
        scope = self.scope_of("/", {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
        self.assertEqual((scope["client"][0], scope["scheme"]), ("127.0.0.1", "http"))


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
