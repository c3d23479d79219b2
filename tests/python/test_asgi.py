"""ASGI applications, over a real socket: answers and scopes."""

import asyncio
import gc
import os
import socket
import struct
import sys
import tempfile
import threading
import types
import unittest
import unittest.mock
import weakref

from support import body, hello, read_all, read_until, run, run_asgi, start
from weft import _weft, _worker


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


if __name__ == "__main__":
    unittest.main()
