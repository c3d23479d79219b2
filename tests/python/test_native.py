"""weft.App, asked through weft.testing: answers and routes."""

import asyncio
import os
import tempfile
import unittest
from pathlib import Path as FilePath

from shapes import Address, Case, Colour

from weft import (App, BackgroundTasks, Cookie, Depends, Event, EventStream, FileResponse, Group,
                  HTMLResponse, JSONResponse, RedirectResponse, Request, Response,
                  StreamingResponse)
from weft.testing import TestClient


class AnswersTest(Case):
    def answer(self, result, **options):
        app = App()
        app.get("/", **options)(lambda: result() if callable(result) else result)
        with TestClient(app) as client:
            return client.get("/")

    def test_plain_values(self):
        for value, kind, body in (
            ({"a": [1, None]}, "application/json", b'{"a":[1,null]}'),
            ([1.5, True], "application/json", b"[1.5,true]"),
            ("hä", "text/plain; charset=utf-8", "hä".encode()),
            (b"\0", "application/octet-stream", b"\0"),
            (7, "application/json", b"7"),
            (Colour.RED, "application/json", b'"red"'),
            (Address("s", "z"), "application/json", b'{"street":"s","zip":"z"}'),
            ("\ud800", "text/plain; charset=utf-8", None),
        ):
            if body is None:
                continue
            answer = self.answer(value)
            self.assertEqual((answer.status_code, answer.headers["content-type"], answer.content),
                             (200, kind, body))
            self.assertEqual(answer.headers["content-length"], str(len(body)))

    def test_status_and_headers_beside_a_body(self):
        self.assertEqual(self.answer(("gone", 410)).status_code, 410)
        answer = self.answer(({"a": 1}, 202, {"X-Seen": "yes"}))
        self.assertEqual((answer.status_code, answer.headers["x-seen"]), (202, "yes"))
        self.assertEqual(self.answer((1, 2)).json(), [1, 2])
        self.assertEqual(self.answer(None).status_code, 204)
        self.assertEqual(self.answer({"a": 1}, status_code=201).status_code, 201)
        self.assertEqual(self.answer("<p>", response_class=HTMLResponse).headers["content-type"],
                         "text/html; charset=utf-8")

    def test_response_objects(self):
        self.assertEqual(self.answer(lambda: JSONResponse(None)).content, b"null")
        answer = self.answer(lambda: HTMLResponse("<p>", 203, {"x": "1"}))
        self.assertEqual((answer.status_code, answer.headers["x"]), (203, "1"))
        app = App()
        app.get("/a")(lambda: RedirectResponse("/b c", 303))
        app.get("/b c")(lambda: "there")
        client = TestClient(app)
        self.addCleanup(client.close)
        self.assertEqual(client.get("/a", follow_redirects=False).headers["location"], "/b%20c")
        self.assertEqual(client.get("/a").status_code, 404)  # Patterns are as they are sent.

    def test_bad_headers_are_refused(self):
        for name, value in (("x", "a\r\nb"), ("a b", "1"), ("", "1"), ("x", "\0")):
            with self.assertRaises(ValueError):
                Response("", headers={name: value})

    def test_cookies(self):
        @self.app.get("/set")
        def give():
            response = Response("set")
            response.set_cookie("a", "1 ;ä", max_age=60, httponly=True, secure=True,
                                samesite="strict")
            response.set_cookie("b", "2")
            return response

        @self.app.get("/get")
        def take(request: Request, a: str = Cookie("none")):
            return [a, dict(request.cookies)]

        @self.app.get("/drop")
        def drop(response: Response):
            response.delete_cookie("a")
            response.headers["x-more"] = "1"
            return "dropped"

        fields = self.client.get("/set").headers.get_all("set-cookie")
        self.assertEqual(fields[0], "a=1%20%3B%C3%A4; Max-Age=60; Path=/; Secure; HttpOnly; "
                                    "SameSite=Strict")
        self.assertEqual(self.client.get("/get").json(), ["1 ;ä", {"a": "1 ;ä", "b": "2"}])
        self.assertEqual(self.client.get("/drop").headers["x-more"], "1")
        self.assertEqual(self.client.get("/get").json(), ["none", {"b": "2"}])
        for arguments in ({"key": "a b"}, {"key": "a", "path": "/;x"}, {"key": "a",
                                                                       "samesite": "no"}):
            with self.assertRaises(ValueError):
                Response().set_cookie(**arguments)

    def test_streams(self):
        @self.app.get("/async")
        async def slowly():
            for number in range(3):
                await asyncio.sleep(0)
                yield f"{number}\n"

        @self.app.get("/plain")
        def plainly():
            yield "a"
            yield b"b"

        @self.app.get("/typed")
        def typed():
            return StreamingResponse(iter(["x", "y"]), media_type="text/csv")

        self.assertEqual(self.client.get("/async").text, "0\n1\n2\n")
        self.assertEqual(self.client.get("/plain").text, "ab")
        answer = self.client.get("/typed")
        self.assertEqual((answer.text, answer.headers["content-type"]),
                         ("xy", "text/csv; charset=utf-8"))

    def test_a_client_that_goes_ends_the_stream(self):
        ended = []

        @self.app.get("/")
        async def forever():
            try:
                while True:
                    yield "more\n"
                    await asyncio.sleep(0.001)
            finally:
                ended.append(True)

        with self.client.stream("GET", "/") as answer:
            lines = answer.iter_lines()
            self.assertEqual([next(lines), next(lines)], ["more", "more"])
            self.assertEqual(ended, [])
        self.assertEqual(ended, [True])

    def test_a_client_that_goes_cancels_the_handler(self):
        seen = []

        async def handler(request: Request):
            try:
                seen.append("begun")
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        self.app.get("/")(handler)

        async def ask():
            gone = asyncio.Event()

            async def receive():
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                seen.append(message["type"])

            scope = {"type": "http", "method": "GET", "path": "/", "headers": [],
                     "query_string": b""}
            task = asyncio.ensure_future(self.app(scope, receive, send))
            while not seen:
                await asyncio.sleep(0)
            gone.set()
            await asyncio.wait_for(task, 10)

        asyncio.run(ask())
        self.assertEqual(seen, ["begun", "cancelled"])

    def test_events(self):
        @self.app.get("/")
        def events():
            async def feed():
                yield {"n": 1}
                yield "two\nlines"
                yield Event("x", event="named", id="7", retry=1.5)

            return EventStream(feed())

        answer = self.client.get("/")
        self.assertEqual(answer.headers["content-type"], "text/event-stream; charset=utf-8")
        self.assertEqual(answer.text, 'data: {"n":1}\n\ndata: two\ndata: lines\n\n'
                                      "event: named\nid: 7\nretry: 1500\ndata: x\n\n")
        with self.assertRaises(ValueError):
            Event("x", event="a\nb")

    def test_a_quiet_event_stream_beats(self):
        @self.app.get("/")
        def events():
            async def feed():
                await asyncio.sleep(0.2)
                yield "late"

            return EventStream(feed(), heartbeat=0.02)

        self.assertRegex(self.client.get("/").text, r"^(:\n\n)+data: late\n\n$")

    def test_files_with_ranges_and_conditions(self):
        with tempfile.TemporaryDirectory() as folder:
            path = FilePath(folder, "a.txt")
            path.write_bytes(b"0123456789")
            self.app.get("/file")(lambda: FileResponse(path, filename="ü.txt"))
            self.app.get("/path")(lambda: path)
            self.app.get("/none")(lambda: FileResponse(folder + "/none"))
            self.app.files("/static", folder)
            whole = self.client.get("/file")
            self.assertEqual((whole.content, whole.headers["content-type"]),
                             (b"0123456789", "text/plain; charset=utf-8"))
            self.assertEqual(whole.headers["content-disposition"],
                             "attachment; filename*=utf-8''%C3%BC.txt")
            self.assertEqual(self.client.get("/path").content, b"0123456789")
            self.assertEqual(self.client.get("/none").status_code, 404)
            for field_value, status, body, content_range in (
                ("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=-3", 206, b"789",
                                                            "bytes 7-9/10"),
                ("bytes=8-", 206, b"89", "bytes 8-9/10"), ("bytes=10-", 416, b"", "bytes */10"),
                ("bytes=-0", 416, b"", "bytes */10"), ("bytes=4-2", 200, b"0123456789", None),
                ("bytes=0-1,4-5", 200, b"0123456789", None), ("lines=1", 200, b"0123456789", None),
                ("bytes=2-99", 206, b"23456789", "bytes 2-9/10"),
            ):
                part = self.client.get("/file", headers={"range": field_value})
                self.assertEqual((part.status_code, part.content,
                                  part.headers.get("content-range")),
                                 (status, body, content_range), field_value)
            tag = whole.headers["etag"]
            self.assertEqual(self.client.get("/file", headers={"if-none-match": tag}).status_code,
                             304)
            self.assertEqual(self.client.get("/file", headers={
                "if-modified-since": whole.headers["last-modified"]}).status_code, 304)
            self.assertEqual(self.client.get("/file", headers={
                "range": "bytes=0-0", "if-range": '"other"'}).status_code, 200)
            self.assertEqual(self.client.head("/file").headers["content-length"], "10")
            self.assertEqual(self.client.get("/static/a.txt").content, b"0123456789")
            os.symlink("/etc/passwd", folder + "/out")
            for outside in ("/static/../a.txt", "/static/%2e%2e/etc/passwd", "/static/out",
                            "/static/", "/static/a.txt/.", "/static/x%00"):
                self.assertEqual(self.client.get(outside).status_code, 404, outside)

    def test_head_is_answered_by_get_without_a_body(self):
        self.app.get("/")(lambda: "text")
        answer = self.client.head("/")
        self.assertEqual((answer.content, answer.headers["content-length"]), (b"", "4"))

    def test_background_tasks_run_after_the_answer(self):
        seen = []

        @self.app.get("/")
        def handler(tasks: BackgroundTasks):
            tasks.add(seen.append, "first")

            async def second(word):
                seen.append(word)

            def failing():
                raise KeyError("in the background")

            tasks.add(failing)
            tasks.add(second, word="second")
            return "answered"

        with self.assertLogs("weft.error", "ERROR"):
            self.assertEqual(self.client.get("/").text, "answered")
        self.assertEqual(seen, ["first", "second"])


class RoutingTest(Case):
    def test_the_most_exact_route_answers(self):
        for pattern in ("/users/{id:int}", "/users/me", "/users/{name}", "/users/{rest:path}",
                        "/users/{u:uuid}", "/{a}/x"):
            self.app.get(pattern)(lambda request, pattern=None: request.route)
        for path, pattern in (("/users/me", "/users/me"), ("/users/7", "/users/{id:int}"),
                              ("/users/ada", "/users/{name}"), ("/users/a/b", "/users/{rest:path}"),
                              ("/users/", "/users/{rest:path}"), ("/other/x", "/{a}/x"),
                              ("/users/12345678-1234-5678-1234-567812345678", "/users/{u:uuid}"),
                              ("/users/99999999999999999999", "/users/{name}")):
            self.assertEqual(self.client.get(path).text, pattern, path)

    def test_parameters_are_decoded_and_paths_compared_as_sent(self):
        self.app.get("/a/{name}")(lambda name: name)
        self.assertEqual(self.client.get("/a/%C3%A4%2Fb").text, "ä/b")
        self.assertEqual(self.client.get("/%61/x").status_code, 404)
        self.assertEqual(self.client.get("/a/").status_code, 404)

    def test_methods(self):
        @self.app.route(["GET", "PUT"], "/both")
        def both(request):
            return request.method

        self.app.any("/any")(lambda request: request.method)
        self.app.post("/any")(lambda: "post")
        for method in ("get", "put", "post", "patch", "delete", "options"):
            self.app.route(method, "/each")(lambda request: request.method)
        self.assertEqual(self.client.put("/both").text, "PUT")
        answer = self.client.delete("/both")
        self.assertEqual((answer.status_code, answer.headers["allow"]),
                         (405, "GET, HEAD, OPTIONS, PUT"))
        self.assertEqual(self.client.options("/both").headers["allow"], "GET, HEAD, OPTIONS, PUT")
        self.assertEqual([self.client.request(m, "/any").text for m in ("GET", "POST", "TRACE")],
                         ["GET", "post", "TRACE"])
        self.assertEqual([self.client.request(m, "/each").text for m in ("PATCH", "OPTIONS")],
                         ["PATCH", "OPTIONS"])

    def test_what_cannot_be_told_apart_is_refused(self):
        self.app.get("/users/{id}")(lambda id: id)
        with self.assertRaisesRegex(ValueError, "/users/{name}.*cannot be told from"):
            self.app.get("/users/{name}")(lambda name: name)
        self.app.post("/users/{name}")(lambda name: name + "!")
        self.assertEqual(self.client.post("/users/x").text, "x!")
        for bad in ("users", "/{", "/a{b}", "/{a:float}", "/{a}/{a}", "/{a:path}/b", "/{1}"):
            with self.assertRaises(ValueError, msg=bad):
                self.app.get(bad)(lambda: "")

    def test_slashes(self):
        for mode, status, text in (("strict", 404, None), ("redirect", 301, None),
                                   ("ignore", 200, "here")):
            app = App(trailing_slash=mode)
            app.get("/here")(lambda: "here")
            client = TestClient(app, follow_redirects=False)
            answer = client.get("/here/?q=1")
            self.assertEqual(answer.status_code, status)
            if status == 301:
                self.assertEqual(answer.headers["location"], "/here?q=1")
            if text:
                self.assertEqual(answer.text, text)
            client.close()

    def test_groups(self):
        order = []

        def note(word):
            async def around(request, call_next):
                order.append(word)
                return await call_next(request)

            return around

        v1 = self.app.group("/v1", middleware=[note("v1")], tags=["one"])
        users = v1.group("/users/{id}", dependencies=[Depends(lambda: order.append("dep"))])
        users.middleware(note("users"))

        @users.get("")
        def user(id: int):
            return id

        apart = Group("/apart")
        apart.get("/x")(lambda: "x")
        v1.include(apart)
        self.app.include(apart, "/again")
        apart.get("/later")(lambda: "later")
        self.assertEqual(self.client.get("/v1/users/3").json(), 3)
        self.assertEqual(order, ["v1", "users", "dep"])
        for path in ("/v1/apart/x", "/again/apart/x", "/v1/apart/later", "/again/apart/later"):
            self.assertEqual(self.client.get(path).status_code, 200, path)
        with self.assertRaises(ValueError):
            apart.include(apart)

    def test_mounts(self):
        inner = App()
        inner.get("/x")(lambda request: [request.root_path, request.path])
        self.app.mount("/sub", inner)
        self.app.get("/sub/own")(lambda: "own")
        self.assertEqual(self.client.get("/sub/x").json(), ["/sub", "/x"])
        self.assertEqual(self.client.get("/sub/own").text, "own")
        self.assertEqual(self.client.get("/subx").status_code, 404)

    def test_routes_added_while_it_serves_take_effect(self):
        self.assertEqual(self.client.get("/new").status_code, 404)
        self.app.get("/new")(lambda: "new")
        self.assertEqual(self.client.get("/new").text, "new")
        self.assertIn("/new", self.client.get("/openapi.json").json()["paths"])

    def test_root_path(self):
        self.app.get("/x")(lambda request: request.root_path)
        client = TestClient(self.app, root_path="/api")
        self.assertEqual(client.get("/api/x").text, "/api")
        self.assertEqual(client.get("/x").text, "/api")
        client.close()


if __name__ == "__main__":
    unittest.main()
