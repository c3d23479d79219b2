"""weft.App, asked through weft.testing: parameters and bodies."""

import datetime
import decimal
import time
import unittest
import uuid
from typing import Annotated, Literal

from shapes import Case, Colour, Filter, Point, Span, User, errors_of

from weft import Body, Cookie, File, Form, Header, Path, Query, Request, UploadFile


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


if __name__ == "__main__":
    unittest.main()
