"""weft.App, asked through weft.testing: what stands around handlers, and where they run."""

import asyncio
import contextlib
import os
import unittest
from typing import Annotated

from shapes import Address, Case, Colour, User, errors_of

import weft
from weft import (App, Depends, File, Form, Header, HTTPError, JSONResponse, Query, Request,
                  StreamingResponse, ValidationError)
from weft.testing import TestClient


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
