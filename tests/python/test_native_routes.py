"""Native routes: handlers that the server calls itself."""

import asyncio
import contextvars
import json
import math
import socket
import struct
import threading
import unittest
import unittest.mock

from support import run
from weft import _loop, _weft


async def asgi(scope, receive, send):
    """Tells that it was asked."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi " + scope["raw_path"]})


async def complete(scope, receive, send, result, error):
    """Tells what it was given."""
    told = repr(error) if error is not None else f"result {result!r}"
    await send({"type": "http.response.start", "status": 500 if error else 201, "headers": []})
    await send({"type": "http.response.body", "body": told.encode()})


def parameter(name, source="path", kind="str", required=True, default=None):
    return (name, source, name, kind, required, default)


def route(handler, *plan, is_async=False, **options):
    return _weft.Route(handler, plan, is_async, complete, **options)


def serve(routes, client, settings=None):
    server = _weft.Server()
    server.add_asgi(asgi)
    for method, pattern, one in routes:
        server.add_route(method, pattern, one)
    return run(server, client, settings)


def answer_of(handler, *plan, target="/", pattern="/", method="GET", **options):
    return serve([("GET", pattern, route(handler, *plan, **options))],
                 lambda served: served.get(target, method))


class Arguments(unittest.TestCase):
    def kinds(self, kind, *targets):
        plan = (parameter("v", kind=kind),)

        def client(served):
            return [served.get(f"/{one}")[2].decode() for one in targets]
        return serve([("GET", "/{v}", route(repr_of, *plan))], client)

    def test_integers(self):
        self.assertEqual(self.kinds("int", "0", "-12", "+7", "999999999999999999"),
                         ["0", "-12", "7", "999999999999999999"])
        for target in ("x", "1.5", "--1", "+-1", "1_0", "9999999999999999999", "%20"):
            with self.subTest(target=target):
                self.assertEqual(self.kinds("int", target), [f"asgi /{target}"])

    def test_reals(self):
        self.assertEqual(self.kinds("float", "1", "-2.5", "1e3"), ["1.0", "-2.5", "1000.0"])
        for target in ("nan", "inf", "1e", "0x1", "1-2"):
            with self.subTest(target=target):
                self.assertEqual(self.kinds("float", target), [f"asgi /{target}"])

    def test_booleans(self):
        self.assertEqual(self.kinds("bool", "true", "0", "yes", "off"),
                         ["True", "False", "True", "False"])
        self.assertEqual(self.kinds("bool", "maybe"), ["asgi /maybe"])

    def test_texts_are_decoded(self):
        self.assertEqual(self.kinds("str", "a%20b", "%C3%A4", "a+b"), ["'a b'", "'ä'", "'a+b'"])
        self.assertEqual(self.kinds("str", "%ff"), ["asgi /%ff"])

    def test_the_query_has_defaults_and_lists(self):
        plan = (parameter("q", "query", "str", False, "none"),
                parameter("n", "query", "int[]", False, (7,)),
                parameter("f", "query", "float"))

        def handler(q, n, f):
            return [q, n, f]

        def client(served):
            return [served.get(f"/{one}")[2].decode() for one in (
                "?f=1", "?f=1&q=a%20b+c", "?f=1&n=1&n=2", "?q=x", "?f=1&f=2", "?f=1&n=1&n=x",
                "?f=")]
        answers = serve([("GET", "/", route(lambda **a: repr(handler(**a)), *plan))], client)
        self.assertEqual(answers, ["['none', (7,), 1.0]", "['a b c', (7,), 1.0]",
                                   "['none', [1, 2], 1.0]"] + ["asgi /"] * 4)

    def test_arguments_go_by_name(self):
        def handler(b, *, a):
            return f"{a} {b}"
        self.assertEqual(answer_of(handler, parameter("a"), parameter("b"), pattern="/{b}/{a}",
                                   target="/1/2")[2], b"2 1")


def repr_of(v):
    return repr(v)


class Results(unittest.TestCase):
    def test_each_kind_has_its_type(self):
        for result, kind, body in (
                ("tëxt", "text/plain; charset=utf-8", "tëxt".encode()),
                (b"\0\xff", "application/octet-stream", b"\0\xff"),
                ({"a": [1, 2.5, None, True]}, "application/json", b'{"a":[1,2.5,null,true]}'),
                ([], "application/json", b"[]"), (7, "application/json", b"7"),
                (False, "application/json", b"false"), (1.0, "application/json", b"1.0")):
            with self.subTest(result=result):
                status, fields, data = answer_of(lambda result=result: result)
                self.assertEqual((status, fields["content-type"], data), (200, kind, body))

    def test_nothing_is_204(self):
        status, fields, data = answer_of(lambda: None)
        self.assertEqual((status, data), (204, b""))
        self.assertNotIn("content-type", fields)

    def test_the_status_of_the_route(self):
        self.assertEqual(answer_of(lambda: "made", status=201)[0], 201)

    def test_head_has_no_body(self):
        status, fields, data = answer_of(lambda: "hello", method="HEAD")
        self.assertEqual((status, fields["content-length"], data), (200, "5", b""))

    def test_what_is_not_plain_is_completed(self):
        self.assertEqual(answer_of(lambda: ("a", 1)), (201, unittest.mock.ANY, b"result ('a', 1)"))
        self.assertEqual(answer_of(lambda: {"a": math.nan})[2], b"result {'a': nan}")
        self.assertEqual(answer_of(lambda: {"a": {1}})[2], b"result {'a': {1}}")
        self.assertEqual(answer_of(lambda: "\ud800")[2], b"result '\\ud800'")

    def test_a_default_writes_what_has_no_json(self):
        self.assertEqual(answer_of(lambda: {"a": {1}}, default=list)[2], b'{"a":[1]}')

    def test_exceptions_are_completed_with_their_traceback(self):
        def handler():
            raise ValueError("of mine")
        self.assertEqual(answer_of(handler)[2], b"ValueError('of mine')")

        async def later():
            await asyncio.sleep(0)
            raise ValueError("later")
        self.assertEqual(answer_of(later, is_async=True)[2], b"ValueError('later')")

    def test_a_long_answer(self):
        self.assertEqual(len(answer_of(lambda: "x" * 3_000_000)[2]), 3_000_000)


class Asynchronous(unittest.TestCase):
    def test_handlers_that_wait_and_that_do_not(self):
        async def at_once(n):
            self.assertIsNotNone(asyncio.current_task())
            return {"n": n}

        async def later(n):
            await asyncio.sleep(0.001)
            return {"n": n}
        plan = (parameter("n", kind="int"),)

        def client(served):
            return [json.loads(served.get(path)[2]) for path in ("/a/1", "/b/2")]
        self.assertEqual(serve([("GET", "/a/{n}", route(at_once, *plan, is_async=True)),
                                ("GET", "/b/{n}", route(later, *plan, is_async=True))], client),
                         [{"n": 1}, {"n": 2}])

    def test_a_client_that_goes_cancels_its_handler(self):
        began = threading.Event()
        ended = threading.Event()
        how = []

        async def handler():
            began.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                how.append("cancelled")
                raise
            finally:
                ended.set()

        def client(served):
            with served.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(began.wait(20))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.assertTrue(ended.wait(20))
            return served.get("/else")[0], served.errors
        self.assertEqual(serve([("GET", "/", route(handler, is_async=True))], client), (404, []))
        self.assertEqual(how, ["cancelled"])

    def test_the_end_of_the_server_cancels_what_still_waits(self):
        began = threading.Event()

        async def handler():
            began.set()
            await asyncio.sleep(60)

        def client(served):
            connection = served.connect()
            self.addCleanup(connection.close)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(began.wait(20))
        serve([("GET", "/", route(handler, is_async=True))], client, {"drain_grace": "100ms"})


class Routing(unittest.TestCase):
    def test_other_methods_and_paths_are_the_applications(self):
        def client(served):
            return [served.get(*one)[2] for one in (("/users/1",), ("/users/1", "POST"), ("/else",),
                                                    ("/users/me",))]
        answers = serve([("GET", "/users/{v}", route(repr_of, parameter("v"))),
                         (None, "/users/me", None)], client)
        self.assertEqual(answers, [b"'1'", b"asgi /users/1", b"asgi /else", b"asgi /users/me"])

    def test_routes_are_added_while_it_serves(self):
        def client(served):
            before = served.get("/new")[2]
            served.on_loop(lambda: served.server.add_route("GET", "/new", route(lambda: "new")))
            return before, served.get("/new")[2]
        self.assertEqual(serve([], client), (b"asgi /new", b"new"))

    def test_and_by_a_handler(self):
        def add():
            holder["server"].add_route("GET", "/new", route(lambda: "new"))
            return "added"
        holder = {}

        def client(served):
            holder["server"] = served.server
            return served.get("/add")[2], served.get("/new")[2]
        self.assertEqual(serve([("GET", "/add", route(add))], client), (b"added", b"new"))

    def test_a_handler_that_takes_too_long_is_503(self):
        async def handler():
            await asyncio.get_running_loop().create_future()
        one = route(handler, is_async=True)
        self.assertEqual(serve([("GET", "/", one)], lambda served: served.get("/")[0],
                               {"request_timeout": "100ms"}), 503)

    def test_routes_that_cannot_be_told_apart_are_refused(self):
        server = _weft.Server()
        with self.assertRaises(RuntimeError):
            server.add_route("GET", "/", None)
        server.add_asgi(asgi)
        server.add_route("GET", "/{a}", None)
        with self.assertRaises(ValueError):
            server.add_route("GET", "/{b}", None)
        with self.assertRaises(ValueError):
            server.add_route("GET", "no/slash", None)
        with self.assertRaises(TypeError):
            server.add_route("GET", "/x", print)

    def test_plans_that_make_no_sense_are_refused(self):
        for plan in (((1, 2),), (parameter("a", "cookie"),), (parameter("a", kind="date"),)):
            with self.subTest(plan=plan), self.assertRaises((TypeError, ValueError)):
                route(print, *plan)
        with self.assertRaises(ValueError):
            route(print, status=99)

    def test_context_variables_of_a_handler_are_its_own(self):
        var = contextvars.ContextVar("var", default="unset")

        def handler():
            before = var.get()
            var.set("mine")
            return before

        def client(served):
            return [served.get("/")[2] for _ in range(3)]
        self.assertEqual(serve([("GET", "/", route(handler))], client), [b"unset"] * 3)


class Json(unittest.TestCase):
    def test_it_is_as_jsons_own(self):
        class Text(str):
            pass

        class Number(int):
            def __repr__(self):
                return "no number"
        for value in (None, True, 0, -1, 2**63, -2**70, 1.5, 1e300, 1e16, 0.1, "",
                      "a\"b\\c\n\t\x00\x7fä\U0001f600",
                      [], [[]], {}, {"a": {"b": [1, (2, 3)]}}, {1: 2, None: 3, True: 4, 1.5: 5},
                      Text("text"), Number(7), {Text("k"): Number(1)}, "\u2028", list(range(1000))):
            with self.subTest(value=value):
                self.assertEqual(_weft.json_dumps(value).decode(), json.dumps(
                    value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))

    def test_what_it_refuses(self):
        for value, error in ((math.nan, ValueError), (math.inf, ValueError), ({1}, TypeError),
                             ({(1, 2): 3}, TypeError), ("\ud800", UnicodeEncodeError)):
            with self.subTest(value=value), self.assertRaises(error):
                _weft.json_dumps(value)
        deep = []
        for _ in range(100_000):
            deep = [deep]
        with self.assertRaises(RecursionError):
            _weft.json_dumps(deep)
        around = []
        around.append(around)
        with self.assertRaises((RecursionError, ValueError)):
            _weft.json_dumps(around)

    def test_a_default_that_changes_what_is_written(self):
        values = [object()]

        def change(value):
            values.clear()
            return 1
        self.assertEqual(_weft.json_dumps(values, default=change), b"[1]")
        table = {"a": object()}

        def grow(value):
            for i in range(100):
                table[str(i)] = 1
            return 1
        with self.assertRaises(RuntimeError):
            _weft.json_dumps(table, grow)


if __name__ == "__main__":
    unittest.main()
