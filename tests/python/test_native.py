"""weft.App, asked through weft.testing: routes, parameters, bodies, answers, and around them."""

import asyncio
import contextlib
import datetime
import decimal
import enum
import os
import tempfile
import time
import unittest
import uuid
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Annotated, Literal, TypedDict

import weft
from weft import (App, BackgroundTasks, Body, Cookie, Depends, Event, EventStream, Field, File,
                  FileResponse, Form, Group, Header, HTMLResponse, HTTPError, JSONResponse, Path,
                  Query, RedirectResponse, Request, Response, StreamingResponse, UploadFile,
                  ValidationError)
from weft.testing import TestClient


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Address:
    street: str
    zip: Annotated[str, Field(pattern=r"^[0-9]{5}$")]


@dataclass
class User:
    """Somebody."""

    name: Annotated[str, Field(min_length=1, max_length=10)]
    age: Annotated[int, Field(ge=0)] = 0
    address: Address | None = None
    tags: list[str] = field(default_factory=list)
    friends: "list[User]" = field(default_factory=list)


class Point(TypedDict):
    x: int
    y: int


@dataclass
class Filter:
    size: int = 10
    tag: list[str] = field(default_factory=list)


def errors_of(response):
    """(location, type) of each."""
    assert response.status_code == 422, response
    return [(tuple(one["loc"]), one["type"]) for one in response.json()["detail"]]


class Case(unittest.TestCase):
    def setUp(self):
        self.app = App()
        self.client = TestClient(self.app)
        self.addCleanup(self.client.close)


class ParametersTest(Case):
    def test_path_and_query_are_converted_by_annotation(self):
        @self.app.get("/users/{id}")
        def user(id: int, q: str = "", big: bool = False):
            return {"id": id, "q": q, "big": big}

        self.assertEqual(self.client.get("/users/7?q=a%20b&big=on").json(),
                         {"id": 7, "q": "a b", "big": True})
        self.assertEqual(self.client.get("/users/7").json(), {"id": 7, "q": "", "big": False})
        self.assertEqual(errors_of(self.client.get("/users/x?big=2")),
                         [(("path", "id"), "int_parsing"), (("query", "big"), "bool_parsing")])

    def test_all_kinds_of_scalars(self):
        @self.app.get("/")
        def every(i: int, f: float, u: uuid.UUID, d: datetime.date, t: datetime.datetime,
                  m: decimal.Decimal, c: Colour, o: Literal["a", 1], z: datetime.timedelta):
            return [i, f, u, d, t, m, c, o, z]

        params = {"i": "-3", "f": "1.5", "u": "12345678-1234-5678-1234-567812345678",
                  "d": "2026-02-03", "t": "2026-02-03T04:05:06Z", "m": "2.50", "c": "red",
                  "o": "1", "z": "90"}
        self.assertEqual(self.client.get("/", params=params).json(),
                         [-3, 1.5, "12345678-1234-5678-1234-567812345678", "2026-02-03",
                          "2026-02-03T04:05:06+00:00", 2.5, "red", 1, 90.0])
        bad = dict.fromkeys(params, "~")
        self.assertEqual([kind for _, kind in errors_of(self.client.get("/", params=bad))],
                         ["int_parsing", "float_parsing", "uuid_parsing", "date_parsing",
                          "datetime_parsing", "decimal_parsing", "enum", "literal_error",
                          "time_delta_parsing"])

    def test_missing_optional_and_repeated_values(self):
        @self.app.get("/")
        def handler(need: int, maybe: int | None = None, many: list[int] = [], s: set[str] = set()):
            return {"need": need, "maybe": maybe, "many": many, "s": sorted(s)}

        self.assertEqual(self.client.get("/?need=1").json(),
                         {"need": 1, "maybe": None, "many": [], "s": []})
        self.assertEqual(self.client.get("/?need=1&maybe=2&many=3&many=4&s=b&s=a&s=b").json(),
                         {"need": 1, "maybe": 2, "many": [3, 4], "s": ["a", "b"]})
        self.assertEqual(errors_of(self.client.get("/?many=3&many=x")),
                         [(("query", "need"), "missing"), (("query", "many", 1), "int_parsing")])

    def test_headers_cookies_and_aliases(self):
        @self.app.get("/")
        def handler(user_agent: Annotated[str, Header()], x: list[str] = Header([], alias="x-tag"),
                    session: str | None = Cookie(None), q: str = Query("-", alias="from")):
            return [user_agent, x, session, q]

        answer = self.client.get("/?from=here", headers={"User-Agent": "me", "X-Tag": "1"},
                                 cookies={"session": "abc"})
        self.assertEqual(answer.json(), ["me", ["1"], "abc", "here"])

    def test_rules_of_parameters(self):
        @self.app.get("/{n}")
        def handler(n: Annotated[int, Path(gt=0, le=5)], w: str = Query("ab", max_length=3,
                                                                       pattern="^[a-z]+$")):
            return n

        self.assertEqual(self.client.get("/5").json(), 5)
        self.assertEqual(errors_of(self.client.get("/0?w=A")),
                         [(("path", "n"), "greater_than"),
                          (("query", "w"), "string_pattern_mismatch")])
        self.assertEqual(errors_of(self.client.get("/6?w=abcd")),
                         [(("path", "n"), "less_than_equal"), (("query", "w"), "string_too_long")])

    def test_a_dataclass_of_the_query(self):
        @self.app.get("/")
        def handler(wanted: Annotated[Filter, Query()]):
            return wanted

        self.assertEqual(self.client.get("/?size=3&tag=a&tag=b").json(),
                         {"size": 3, "tag": ["a", "b"]})
        self.assertEqual(errors_of(self.client.get("/?size=x")),
                         [(("query", "size"), "int_parsing")])

    def test_long_digits_are_refused_quickly(self):
        @self.app.get("/{n}")
        def handler(n: int):
            return "ok"

        begin = time.monotonic()
        self.assertEqual(self.client.get("/" + "9" * 5000).status_code, 422)
        self.assertLess(time.monotonic() - begin, 5)

    def test_what_cannot_be_bound_is_refused_when_it_is_added(self):
        class Odd:
            pass

        with self.assertRaisesRegex(TypeError, "parameter x: .*Odd.*cannot be made"):
            @self.app.get("/a")
            def handler(x: Odd):
                pass

        with self.assertRaisesRegex(TypeError, "a request has one body"):
            @self.app.post("/b")
            def both(x: User, y: str = Form()):
                pass

        with self.assertRaisesRegex(TypeError, "no option 'status'"):
            self.app.get("/c", status=3)

        with self.assertRaisesRegex(ValueError, "executor is one of"):
            @self.app.get("/d", executor="gpu")
            def somewhere():
                pass

        with self.assertRaisesRegex(TypeError, "runs in the event loop"):
            @self.app.get("/e", executor="thread")
            async def nowhere():
                pass

        with self.assertRaisesRegex(TypeError, "no {id}"):
            @self.app.get("/f")
            def without(id: int = Path()):
                pass


class BodiesTest(Case):
    def test_a_dataclass_with_all_that_is_wrong_told_at_once(self):
        @self.app.post("/users", status_code=201)
        def create(user: User):
            self.assertIsInstance(user, User)
            return user

        good = {"name": "ada", "address": {"street": "x", "zip": "12345"}, "tags": ["a"],
                "friends": [{"name": "bob"}]}
        answer = self.client.post("/users", json=good)
        self.assertEqual(answer.status_code, 201)
        self.assertEqual(answer.json(), {
            "name": "ada", "age": 0, "address": {"street": "x", "zip": "12345"}, "tags": ["a"],
            "friends": [{"name": "bob", "age": 0, "address": None, "tags": [], "friends": []}]})
        bad = {"age": -1, "address": {"zip": "1"}, "tags": ["a", 5], "friends": [{"name": ""}, 3]}
        self.assertEqual(errors_of(self.client.post("/users", json=bad)), [
            (("body", "name"), "missing"), (("body", "age"), "greater_than_equal"),
            (("body", "address", "street"), "missing"),
            (("body", "address", "zip"), "string_pattern_mismatch"),
            (("body", "tags", 1), "string_type"),
            (("body", "friends", 0, "name"), "string_too_short"),
            (("body", "friends", 1), "dict_type")])

    def test_what_is_no_json(self):
        @self.app.post("/")
        def handler(user: User):
            return user

        json_type = {"content-type": "application/json"}
        self.assertEqual(errors_of(self.client.post("/", content="{", headers=json_type)),
                         [(("body", 1), "json_invalid")])
        self.assertEqual(errors_of(self.client.post("/", content='{"name": NaN}',
                                                    headers=json_type)),
                         [(("body", 0), "json_invalid")])
        self.assertEqual(errors_of(self.client.post("/")), [(("body",), "missing")])
        # What any page can have a browser send is not taken for JSON.
        self.assertEqual(self.client.post("/", content='{"name": "a"}',
                                          headers={"content-type": "text/plain"}).status_code, 415)
        deep = "[" * 100_000 + "]" * 100_000
        self.assertEqual(self.client.post("/", content=deep, headers=json_type).status_code, 422)

    def test_other_bodies(self):
        @self.app.post("/list")
        def several(users: list[User]):
            return [one.name for one in users]

        @self.app.post("/point")
        def point(at: Point):
            return at["x"] + at["y"]

        @self.app.post("/two")
        def two(a: User, n: int = Body()):
            return [a.name, n]

        @self.app.post("/raw")
        def raw(data: bytes = Body()):
            return len(data)

        @self.app.post("/any")
        def anything(data: dict):
            return data

        @self.app.post("/maybe")
        def maybe(user: User | None = None):
            return user is None

        self.assertEqual(self.client.post("/list", json=[{"name": "a"}, {"name": "b"}]).json(),
                         ["a", "b"])
        self.assertEqual(self.client.post("/point", json={"x": 1, "y": 2}).json(), 3)
        self.assertEqual(self.client.post("/two", json={"a": {"name": "a"}, "n": 2}).json(),
                         ["a", 2])
        self.assertEqual(errors_of(self.client.post("/two", json={"n": "x"})),
                         [(("body", "a"), "missing"), (("body", "n"), "int_parsing")])
        self.assertEqual(self.client.post("/raw", content=b"\0\1").json(), 2)
        self.assertEqual(self.client.post("/any", json={"q": [1]}).json(), {"q": [1]})
        self.assertEqual(self.client.post("/maybe").json(), True)

    def test_a_post_init_that_complains_is_a_422(self):
        @self.app.post("/")
        def handler(span: Span):
            return span

        self.assertEqual(errors_of(self.client.post("/", json={"low": 2, "high": 1})),
                         [(("body",), "value_error")])

    def test_unions_take_what_fits(self):
        @self.app.post("/")
        def handler(x: int | str | list[int] = Body()):
            return [type(x).__name__, x]

        for value, kind in ((1, "int"), ("1", "str"), ([1], "list")):
            self.assertEqual(self.client.post("/", json=value).json(), [kind, value])

    def test_forms_and_files(self):
        @self.app.post("/form")
        def form(name: str = Form(), age: int = Form(3), tags: list[str] = Form([])):
            return [name, age, tags]

        @self.app.post("/file")
        async def file(photo: UploadFile, note: str = Form(""), more: list[UploadFile] = []):
            return [photo.filename, photo.content_type, len(await photo.read()), note,
                    [one.filename for one in more]]

        @self.app.post("/bytes")
        def data(photo: bytes = File()):
            return len(photo)

        self.assertEqual(self.client.post("/form", data={"name": "ä b", "tags": ["x", "y"]}).json(),
                         ["ä b", 3, ["x", "y"]])
        self.assertEqual(errors_of(self.client.post("/form", data={"age": "x"})),
                         [(("form", "name"), "missing"), (("form", "age"), "int_parsing")])
        files = [("photo", ("ab.png", b"\x89PNG\r\n--x" * 100_000, "image/png")),
                 ("more", ("1", b"")), ("more", ("2", b"--"))]
        answer = self.client.post("/file", data={"note": "hi"}, files=files)
        self.assertEqual(answer.json(), ["ab.png", "image/png", 900_000, "hi", ["1", "2"]])
        self.assertEqual(self.client.post("/bytes", files={"photo": b"123"}).json(), 3)
        self.assertEqual(self.client.post("/form", json={}).status_code, 415)
        self.assertEqual(errors_of(self.client.post("/form")), [(("form", "name"), "missing")])

    def test_a_multipart_form_in_pieces_of_one_byte(self):
        @self.app.post("/")
        async def handler(request: Request):
            form = await request.form()
            return [[name, value if isinstance(value, str) else
                     [value.filename, (await value.read()).decode()]]
                    for name, value in form.pairs()]

        body = (b'preamble\r\n--BB\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
                b'--BB  \r\ncontent-disposition: form-data; name="f"; filename="x.txt"\r\n'
                b'Content-Type: text/plain\r\n\r\nhi\r\n--B\r\n--BB--\r\nepilogue')
        answer = self.client.post("/", content=[body[i:i + 1] for i in range(len(body))],
                                  headers={"content-type": "multipart/form-data; boundary=BB"})
        self.assertEqual(answer.json(), [["a", ""], ["f", ["x.txt", "hi\r\n--B"]]])

    def test_malformed_and_excessive_forms(self):
        @self.app.post("/")
        async def handler(request: Request):
            await request.form()
            return "?"

        def status(body, kind="multipart/form-data; boundary=B"):
            return self.client.post("/", content=body, headers={"content-type": kind}).status_code

        head = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
        self.assertEqual(status(b""), 400)
        self.assertEqual(status(head + b"no end"), 400)
        self.assertEqual(status(b"--B\r\n\r\n\r\n--B--"), 400)
        self.assertEqual(status(b"--Bx\r\n" + head), 400)
        self.assertEqual(status(b"--B\r\nX" * 5), 400)
        self.assertEqual(status(b"--B\r\n" + b"x" * 100_000), 400)
        self.assertEqual(status(head + b"x" * (2 << 20) + b"\r\n--B--"), 413)
        self.assertEqual(status((head + b"\r\n") * 1001 + b"--B--"), 413)
        self.assertEqual(status(b"", "multipart/form-data"), 400)
        self.assertEqual(status(b"a=1&" * 2000, "application/x-www-form-urlencoded"), 400)
        self.assertEqual(status(b"a" * (2 << 20), "application/x-www-form-urlencoded"), 413)
        self.assertEqual(status(b"", "text/plain"), 415)


@dataclass
class Span:
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")


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


class AroundTest(Case):
    def test_middleware_sees_requests_and_answers(self):
        @self.app.middleware
        async def outer(request, call_next):
            if request.headers.get("x-stop"):
                return JSONResponse("stopped", 403)
            request.state.words = ["outer"]
            response = await call_next(request)
            response.headers["x-status"] = str(response.status_code)
            return response

        @self.app.middleware("http")
        async def inner(request, call_next):
            request.state.words.append("inner")
            return await call_next(request)

        @self.app.get("/")
        def handler(request):
            return request.state.words

        @self.app.get("/fails")
        def fails():
            raise KeyError("x")

        self.assertEqual(self.client.get("/").json(), ["outer", "inner"])
        self.assertEqual(self.client.get("/none").headers["x-status"], "404")
        with self.assertLogs("weft.error", "ERROR"):
            self.assertEqual(self.client.get("/fails").headers["x-status"], "500")
        self.assertEqual(self.client.get("/", headers={"x-stop": "1"}).status_code, 403)

    def test_middleware_that_fails_or_forgets(self):
        @self.app.middleware
        async def around(request, call_next):
            if request.path == "/forgets":
                await call_next(request)
                return None
            raise HTTPError(418, "no coffee")

        self.app.get("/forgets")(lambda: "x")
        self.assertEqual(self.client.get("/").json(), {"detail": "no coffee"})
        with self.assertLogs("weft.error", "ERROR") as logs:
            self.assertEqual(self.client.get("/forgets").status_code, 500)
        self.assertIn("return await call_next(request)", logs.output[0])
        with self.assertRaisesRegex(TypeError, "async def"):
            self.app.middleware(lambda request, call_next: None)
        with self.assertRaisesRegex(TypeError, "two arguments"):
            @self.app.middleware
            async def one(request):
                pass

    def test_asgi_middleware(self):
        class Adds:
            def __init__(self, app, value):
                self.app, self.value = app, value

            async def __call__(self, scope, receive, send):
                async def sending(message):
                    if message["type"] == "http.response.start":
                        message["headers"] = [*message["headers"], (b"x-added", self.value)]
                    await send(message)

                await self.app(scope, receive, sending)

        self.app.add_middleware(Adds, value=b"1")
        self.assertEqual(self.client.get("/").headers["x-added"], "1")

    def test_errors(self):
        class Mine(Exception):
            pass

        class Child(Mine):
            pass

        @self.app.error(Mine)
        async def mine(request, error):
            return {"mine": str(error)}, 409

        @self.app.error(404)
        def missing(request, error):
            return f"no {request.path}"

        @self.app.get("/mine")
        def raise_mine():
            raise Child("yes")

        @self.app.get("/http")
        def raise_http():
            raise HTTPError(402, {"pay": 1}, headers={"X-Why": "money"})

        @self.app.get("/bad")
        def bad():
            return object()

        self.assertEqual(self.client.get("/mine").json(), {"mine": "yes"})
        answer = self.client.get("/none")
        self.assertEqual((answer.status_code, answer.text), (404, "no /none"))
        answer = self.client.get("/http")
        self.assertEqual((answer.status_code, answer.json(), answer.headers["x-why"]),
                         (402, {"detail": {"pay": 1}}, "money"))
        with self.assertLogs("weft.error", "ERROR"):
            self.assertEqual(self.client.get("/bad").json(), {"detail": "Internal Server Error"})

        @self.app.error(ValidationError)
        def invalid(request, error):
            return [one["type"] for one in error.errors], 400

        self.app.get("/n")(lambda n: n)
        self.assertEqual(self.client.get("/n").json(), ["missing"])

        @self.app.error(500)
        def all_else(request, error):
            return {"oops": type(error).__name__}

        with self.assertLogs("weft.error", "ERROR"):
            answer = self.client.get("/bad")
        self.assertEqual((answer.status_code, answer.json()), (500, {"oops": "TypeError"}))
        with self.assertRaises(TypeError):
            self.app.error("404")

    def test_debug_shows_the_traceback(self):
        app = App(debug=True)

        @app.get("/")
        def fails():
            raise KeyError("seen")

        client = TestClient(app)
        with self.assertLogs("weft.error", "ERROR"):
            self.assertIn("KeyError: 'seen'", client.get("/").text)
        client.close()

    def test_lifespan_and_state(self):
        seen = []

        async def life(app):
            app.state.db = "open"
            seen.append("up")
            yield {"pool": 7}
            seen.append("down")

        app = App(lifespan=life, on_startup=[lambda: seen.append("start")])

        @app.on_shutdown
        async def stop():
            seen.append("stop")

        app.get("/")(lambda request: [request.app.state.db, request.state.pool])
        with TestClient(app) as client:
            self.assertEqual(client.get("/").json(), ["open", 7])
            self.assertEqual(seen, ["up", "start"])
        self.assertEqual(seen, ["up", "start", "stop", "down"])

    def test_a_lifespan_that_fails_is_told(self):
        @contextlib.asynccontextmanager
        async def life(app):
            raise KeyError("no database")
            yield

        with self.assertRaisesRegex(Exception, "no database"):
            with TestClient(App(lifespan=life)):
                pass

    def test_websockets_are_refused_cleanly(self):
        sent = []

        async def ask():
            async def receive():
                return {"type": "websocket.connect"}

            async def send(message):
                sent.append(message)

            await self.app({"type": "websocket"}, receive, send)

        asyncio.run(ask())
        self.assertEqual(sent[0]["type"], "websocket.close")


class DependenciesTest(Case):
    def test_one_call_per_request_and_nesting(self):
        calls = []

        def base(q: str = "-"):
            calls.append(q)
            return q

        async def upper(value: Annotated[str, Depends(base)]):
            return value.upper()

        @self.app.get("/")
        def handler(a: str = Depends(base), b: str = Depends(upper), c=Depends(base,
                                                                              use_cache=False)):
            return [a, b, c]

        self.assertEqual(self.client.get("/?q=x").json(), ["x", "X", "x"])
        self.assertEqual(calls, ["x", "x"])

    def test_generators_clean_up_in_reverse_also_after_errors(self):
        seen = []

        def first():
            seen.append("open 1")
            try:
                yield 1
            except KeyError:
                seen.append("rolled back")
                raise
            finally:
                seen.append("close 1")

        async def second(one: int = Depends(first)):
            seen.append("open 2")
            yield one + 1
            seen.append("close 2")

        @self.app.get("/good")
        def good(two: int = Depends(second)):
            return two

        @self.app.get("/bad")
        def bad(one: int = Depends(first)):
            raise KeyError("x")

        @self.app.get("/stream")
        def stream(one: int = Depends(first)):
            def parts():
                seen.append("part")
                yield "x"

            return StreamingResponse(parts())

        self.assertEqual(self.client.get("/good").json(), 2)
        self.assertEqual(seen, ["open 1", "open 2", "close 2", "close 1"])
        seen.clear()
        with self.assertLogs("weft.error", "ERROR"):
            self.assertEqual(self.client.get("/bad").status_code, 500)
        self.assertEqual(seen, ["open 1", "rolled back", "close 1"])
        seen.clear()
        self.assertEqual(self.client.get("/stream").text, "x")
        self.assertEqual(seen, ["open 1", "part", "close 1"])

    def test_classes_and_errors(self):
        class Pages:
            def __init__(self, page: int = 1, size: int = Query(10, le=100)):
                self.page, self.size = page, size

        def user(authorization: str = Header("")):
            if authorization != "secret":
                raise HTTPError(401, "Who are you?", {"www-authenticate": "Bearer"})
            return "ada"

        @self.app.get("/")
        def handler(who: Annotated[str, Depends(user)], pages: Annotated[Pages, Depends()]):
            return [who, pages.page, pages.size]

        self.assertEqual(self.client.get("/").status_code, 401)
        secret = {"authorization": "secret"}
        self.assertEqual(self.client.get("/?page=2", headers=secret).json(), ["ada", 2, 10])
        self.assertEqual(errors_of(self.client.get("/?page=x&size=101", headers=secret)),
                         [(("query", "page"), "int_parsing"),
                          (("query", "size"), "less_than_equal")])

    def test_a_circle_is_refused(self):
        def one(x=None):
            pass

        one.__defaults__ = (Depends(one),)
        with self.assertRaisesRegex(TypeError, "depends on itself"):
            self.app.get("/")(one)


class ExecutorsTest(Case):
    def test_threads_have_the_context_and_do_not_hold_the_loop(self):
        import contextvars
        import threading

        variable = contextvars.ContextVar("variable", default="unset")

        @self.app.middleware
        async def around(request, call_next):
            variable.set("set")
            return await call_next(request)

        def resource():
            yield threading.current_thread() is threading.main_thread()

        @self.app.get("/", executor="thread")
        def handler(main: bool = Depends(resource)):
            return [variable.get(), main, threading.current_thread() is threading.main_thread()]

        self.assertEqual(self.client.get("/").json(), ["set", False, False])

    def test_workers_are_other_processes(self):
        self.app.get("/pid/{n}", executor="worker")(process_of)
        with TestClient(self.app) as client:
            answer = client.get("/pid/20").json()
            self.assertEqual(answer["n"], 20)
            self.assertNotEqual(answer["pid"], os.getpid())
            self.assertEqual(client.get("/pid/-1").status_code, 400)
            with self.assertLogs("weft.error", "ERROR"):
                self.assertEqual(client.get("/pid/0").status_code, 500)
            self.assertEqual(client.get("/pid/3").json()["n"], 3)

    def test_what_cannot_go_to_another_process_is_told(self):
        @self.app.get("/", executor="worker")
        def local():
            return "?"

        with self.assertLogs("weft.error", "ERROR") as logs:
            self.assertEqual(self.client.get("/").status_code, 500)
        self.assertIn("at the top of its module", logs.output[0])


def process_of(n: int):
    if n == 0:
        os._exit(3)
    if n < 0:
        raise HTTPError(400, "negative")
    return {"n": n, "pid": os.getpid()}


class DocumentTest(Case):
    def test_the_document_says_what_the_annotations_say(self):
        @self.app.post("/users/{id}", status_code=201, tags=["users"],
                       responses={404: "no such user", 409: Address})
        def change(id: int, user: User, q: Annotated[int, Query(ge=1, description="how")] = 2,
                   colour: Colour = Colour.RED, x_key: str = Header("")) -> User:
            """Changes a user."""
            return user

        self.app.post("/form")(form_handler)
        self.app.get("/hidden", hidden=True)(lambda: "")
        document = self.client.get("/openapi.json").json()
        self.assertEqual(document["openapi"], "3.1.0")
        self.assertNotIn("/hidden", document["paths"])
        self.assertNotIn("/docs", document["paths"])
        operation = document["paths"]["/users/{id}"]["post"]
        self.assertEqual(operation["description"], "Changes a user.")
        self.assertEqual(operation["tags"], ["users"])
        self.assertEqual([(one["name"], one["in"], one["required"])
                          for one in operation["parameters"]],
                         [("id", "path", True), ("q", "query", False), ("colour", "query", False),
                          ("x-key", "header", False)])
        self.assertEqual(operation["parameters"][1],
                         {"name": "q", "in": "query", "required": False, "description": "how",
                          "schema": {"type": "integer", "minimum": 1, "default": 2}})
        reference = {"$ref": "#/components/schemas/User"}
        self.assertEqual(operation["requestBody"]["content"]["application/json"]["schema"],
                         reference)
        self.assertEqual(operation["responses"]["201"]["content"]["application/json"]["schema"],
                         reference)
        self.assertEqual(sorted(operation["responses"]), ["201", "404", "409", "422"])
        schemas = document["components"]["schemas"]
        self.assertEqual(schemas["User"]["required"], ["name"])
        self.assertEqual(schemas["User"]["properties"]["friends"],
                         {"type": "array", "items": reference})
        self.assertEqual(schemas["Colour"], {"title": "Colour", "enum": ["red", "blue"],
                                             "type": "string"})
        form = document["paths"]["/form"]["post"]["requestBody"]["content"]
        self.assertEqual(list(form), ["multipart/form-data"])

    def test_the_page_is_whole_and_guarded(self):
        answer = self.client.get("/docs")
        self.assertIn('data-document="./openapi.json"', answer.text)
        self.assertNotIn("@script@", answer.text)
        self.assertIn("script-src 'sha256-", answer.headers["content-security-policy"])
        tag = answer.headers["etag"]
        self.assertEqual(self.client.get("/docs", headers={"if-none-match": tag}).status_code, 304)

    def test_they_can_be_moved_and_left_out(self):
        app = App(title="A < B", docs_path="/a/docs", openapi_path="/b/api.json")
        with TestClient(app) as client:
            self.assertIn('data-document="../b/api.json"', client.get("/a/docs").text)
            self.assertIn("<title>A &lt; B</title>", client.get("/a/docs").text)
        with TestClient(App(docs_path=None)) as client:
            self.assertEqual(client.get("/docs").status_code, 404)
            self.assertEqual(client.get("/openapi.json").status_code, 200)
        with TestClient(App(openapi_path=None)) as client:
            self.assertEqual(client.get("/openapi.json").status_code, 404)


def form_handler(name: str = Form(), photo: bytes = File()):
    return name


class ClientTest(Case):
    def test_it_says_when_it_is_used_wrongly(self):
        async def within():
            return self.client.get("/")

        with self.assertRaisesRegex(RuntimeError, "plain function"):
            asyncio.run(within())
        with self.assertRaisesRegex(TypeError, "unknown options: param"):
            self.client.get("/", param={})

    def test_errors_of_applications_are_raised_here(self):
        async def broken(scope, receive, send):
            raise KeyError("x")

        async def silent(scope, receive, send):
            pass

        with self.assertRaises(KeyError):
            TestClient(broken).get("/")
        self.assertEqual(TestClient(broken, raise_server_exceptions=False).get("/").status_code,
                         500)
        with self.assertRaisesRegex(RuntimeError, "without an answer"):
            TestClient(silent).get("/")
        with self.assertRaises(weft.testing.StatusError):
            self.client.get("/").raise_for_status()

    def test_what_it_sends(self):
        @self.app.any("/{path:path}")
        async def echo(request: Request):
            return {"method": request.method, "url": request.url, "body": (await request.body())
                    .decode(), "headers": dict(request.headers), "client": request.client}

        answer = self.client.put("/a b?x=1", params={"y": ["1", "2"], "z": True}, content="hi",
                                 headers={"X-A": "b"}).json()
        self.assertEqual(answer["url"], "http://testserver/a%20b?x=1&y=1&y=2&z=true")
        self.assertEqual((answer["body"], answer["headers"]["x-a"],
                          answer["headers"]["content-length"]), ("hi", "b", "2"))
        self.assertEqual(answer["client"], ["testclient", 50000])


if __name__ == "__main__":
    unittest.main()
