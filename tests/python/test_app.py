"""weft.App asked in its own process: what is around routes, mounts, bodies, streams, numbers."""

import asyncio
import decimal
import threading
import time
import unittest

from weft import App, HTTPError, Request, StreamingResponse, _json
from weft._forms import media_type_of
from weft._lifespan import Lifespan
from weft._load import as_asgi3
from weft._wsgi import Threads
from weft.testing import TestClient


class RoutesTest(unittest.TestCase):
    def test_a_path_with_another_slash_has_all_that_is_around_its_route(self):
        app = App(trailing_slash="ignore")

        async def guard(request, call_next):
            if request.headers.get("x-key") != "right":
                raise HTTPError(401)
            return await call_next(request)

        group = app.group("/v1", middleware=[guard])

        @group.get("/secret", middleware=[])
        def secret(request: Request):
            return request.route

        @app.get("/own/{name}/", middleware=[guard])
        def own(name: str):
            return name

        client = TestClient(app)
        for path in ("/v1/secret", "/v1/secret/", "/own/x/", "/own/x"):
            with self.subTest(path=path):
                self.assertEqual(client.get(path).status_code, 401)
                self.assertEqual(client.get(path, headers={"x-key": "right"}).status_code, 200)
        self.assertEqual(client.get("/v1/secret/", headers={"x-key": "right"}).text, "/v1/secret")
        self.assertEqual(client.get("/v1/other/").status_code, 404)
        self.assertEqual(client.get("/").status_code, 404)

    def test_redirects_and_strictness(self):
        for mode, status in (("redirect", 301), ("strict", 404)):
            app = App(trailing_slash=mode)
            app.get("/a")(lambda: "a")
            answer = TestClient(app).get("/a/", follow_redirects=False)
            self.assertEqual(answer.status_code, status)
            self.assertEqual(answer.headers.get("location"), "/a" if status == 301 else None)

    def test_a_mounted_application_is_itself(self):
        outer, inner = App(title="outer"), App(title="inner", trailing_slash="ignore")
        inner.get("/name")(lambda request: request.app.title)
        outer.get("/name")(lambda request: request.app.title)
        outer.mount("/inner", inner)
        client = TestClient(outer)
        self.assertEqual(client.get("/name").text, "outer")
        self.assertEqual(client.get("/inner/name").text, "inner")
        self.assertEqual(client.get("/inner/name/").text, "inner")


class StreamsTest(unittest.TestCase):
    def test_a_stream_has_the_body_that_it_reads(self):
        app = App()

        @app.post("/echo")
        async def echo(request: Request):
            async def pieces():
                async for part in request.stream():
                    await asyncio.sleep(0.01)
                    yield part
            return StreamingResponse(pieces())

        body = [f"{number}," * 100 for number in range(20)]
        answer = TestClient(app).post("/echo", content=[one.encode() for one in body],
                                      headers={"transfer-encoding": "chunked"})
        self.assertEqual(answer.text, "".join(body))

    def test_a_stream_reads_the_body_behind_its_first_piece(self):
        app = App()

        @app.post("/")
        async def late(request: Request):
            async def pieces():
                yield "["
                await asyncio.sleep(0.05)
                async for part in request.stream():
                    await asyncio.sleep(0)
                    yield part
                yield "]"
            return StreamingResponse(pieces())

        client = TestClient(app)
        for body in ([b"whole"], [b"in", b" ", b"pieces"], [b"x" * 1000] * 1000, []):
            answer = client.post("/", content=body, headers={"transfer-encoding": "chunked"})
            self.assertEqual(answer.text, f"[{b''.join(body).decode()}]")
        # Too much to be kept for who may never ask for it.
        self.assertIn("before the answer went out", self.failure(client, [b"x" * 65536] * 32))

    def failure(self, client, body):
        try:
            client.post("/", content=body, headers={"transfer-encoding": "chunked"})
        except RuntimeError as error:
            return str(error)
        return "none"

    def test_a_client_that_goes_behind_an_unread_body_ends_the_stream(self):
        app = App()
        ended = threading.Event()

        @app.post("/")
        async def ticks():
            async def pieces():
                try:
                    while True:
                        yield "tick"
                        await asyncio.sleep(0.01)
                finally:
                    ended.set()
            return StreamingResponse(pieces())

        for size in (10, 3 << 20):
            ended.clear()
            with TestClient(app) as client:
                with client.stream("POST", "/", content=b"x" * size) as answer:
                    self.assertEqual(next(iter(answer.iter_bytes())), b"tick")
                self.assertTrue(ended.wait(20))

    def test_a_plain_generator_ends_with_its_client(self):
        app = App()
        in_next, go_on, ended = threading.Event(), threading.Event(), threading.Event()

        @app.get("/")
        def pieces():
            def generator():
                try:
                    yield "first"
                    in_next.set()
                    go_on.wait(20)
                    yield "second"
                finally:
                    ended.set()
            return generator()

        with TestClient(app) as client:
            timer = threading.Timer(0.2, go_on.set)
            with client.stream("GET", "/") as answer:
                self.assertEqual(next(iter(answer.iter_bytes())), b"first")
                self.assertTrue(in_next.wait(20))
                timer.start()
            self.assertTrue(ended.wait(20))
            timer.join()


class ValuesTest(unittest.TestCase):
    def test_a_huge_exponent_is_no_number(self):
        app = App()
        app.get("/")(lambda d: {"d": d})

        @app.get("/twice")
        def twice(d: decimal.Decimal):
            return {"d": d * 2}

        client = TestClient(app)
        self.assertEqual(client.get("/twice?d=1.5e3").json(), {"d": 3000})
        for number in ("1E%2B999999999", "0E%2B999999999", "1E-999999999", "1E401"):
            with self.subTest(number=number):
                self.assertEqual(client.get(f"/twice?d={number}").status_code, 422)

    def test_a_decimal_without_end_is_not_written_out(self):
        self.assertEqual(_json.dumps(decimal.Decimal("12E+2")), b"1200")
        with self.assertRaises(ValueError):
            _json.dumps(decimal.Decimal("1E+999999999"))

    def test_parameters_of_a_type_are_texts(self):
        self.assertEqual(media_type_of("Text/Plain; charset=utf-8; boundary*=utf-8''x"),
                         ("text/plain", {"charset": "utf-8"}))
        self.assertEqual(media_type_of(f"text/plain; a*{'9' * 5000}=x; b=c")[1].get("a"), None)
        app = App()

        @app.post("/text")
        async def text(request: Request):
            return await request.text()

        @app.post("/form")
        async def form(request: Request):
            return dict(await request.form())

        client = TestClient(app)
        for path, kind, status in (("/text", "text/plain; charset*=utf-8''utf-8", 200),
                                   ("/form", "multipart/form-data; boundary*=utf-8''x", 400)):
            answer = client.post(path, content=b"x", headers={"content-type": kind})
            self.assertEqual(answer.status_code, status)


class Awaitable:
    """What a call of an application may give that is no coroutine."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __await__(self):
        return self.run(*self.arguments).__await__()

    async def run(self, scope, receive, send):
        if scope["type"] != "lifespan":
            raise ValueError(scope["type"])
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


class LifespanTest(unittest.TestCase):
    def live(self, application):
        async def live():
            lifespan = Lifespan(application)
            await lifespan.startup()
            await lifespan.shutdown()
            return lifespan.supported
        return asyncio.run(live())

    def test_an_application_that_gives_another_awaitable(self):
        application, _ = as_asgi3(Awaitable, "asgi3")
        self.assertTrue(asyncio.iscoroutinefunction(application))
        self.assertTrue(self.live(Awaitable))
        self.assertTrue(self.live(application))

    def test_one_that_raises_at_once_has_none(self):
        def application(scope, receive, send):
            raise KeyError(scope["type"])

        self.assertFalse(self.live(application))
        self.assertFalse(self.live(as_asgi3(application)[0]))


class ThreadsTest(unittest.TestCase):
    def test_stuck_threads_share_one_deadline(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        threads = Threads(6)
        for _ in range(6):
            threads.submit(lambda: go_on.wait(60))
        begun = time.monotonic()
        threads.close(0.5)
        self.assertLess(time.monotonic() - begun, 2.5)


if __name__ == "__main__":
    unittest.main()
