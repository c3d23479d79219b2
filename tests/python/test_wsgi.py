"""WSGI applications on threads: PEP 3333, as wsgiref.validate checks it, and beyond."""

import io
import sys
import threading
import unittest
from wsgiref.validate import validator

from weft._wsgi import WSGI, Input, Threads, environment_of
from weft.testing import TestClient


class Closing:
    """An iterable that notes that it was closed."""

    def __init__(self, parts):
        self.parts = iter(parts)
        self.closed = 0
        self.seen = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.seen += 1
        return next(self.parts)

    def close(self):
        self.closed += 1


class WsgiTest(unittest.TestCase):
    def client(self, application, **options):
        client = TestClient(WSGI(application, **options))
        client.__enter__()
        self.addCleanup(client.__exit__, None, None, None)
        return client

    def test_the_validator_has_nothing_to_complain_of(self):
        def application(environ, start_response):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [body, environ["QUERY_STRING"].encode()]

        client = self.client(validator(application))
        self.assertEqual(client.post("/x?q=1", content=b"body ").text, "body q=1")
        self.assertEqual(client.get("/").text, "")

    def test_the_environment(self):
        scope = {"method": "GET", "path": "/api/ä/b", "raw_path": b"/api/%C3%A4/b",
                 "root_path": "/api", "query_string": b"a=%20", "scheme": "https",
                 "http_version": "1.1", "server": ("h", 8443), "client": ("1.2.3.4", 5),
                 "headers": [(b"content-type", b"text/x"), (b"x-a", b"1"), (b"x-a", b"2"),
                             (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x_a", b"forged")]}
        made = environment_of(scope, {"wsgi.run_once": False})
        self.assertEqual(made, {
            "wsgi.run_once": False, "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/api",
            "PATH_INFO": "/ä/b".encode().decode("latin-1"), "QUERY_STRING": "a=%20",
            "SERVER_NAME": "h", "SERVER_PORT": "8443", "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "https", "REQUEST_URI": "/api/%C3%A4/b?a=%20",
            "RAW_URI": "/api/%C3%A4/b?a=%20", "REMOTE_ADDR": "1.2.3.4", "REMOTE_PORT": "5",
            "CONTENT_TYPE": "text/x", "HTTP_X_A": "1,2", "HTTP_COOKIE": "a=1; b=2"})

    def test_a_body_in_pieces_is_read_as_it_arrives(self):
        def application(environ, start_response):
            data = environ["wsgi.input"]
            self.assertTrue(environ["wsgi.input_terminated"])
            found = [data.readline(), data.read(3), data.readline(2), *data]
            start_response("200 OK", [])
            return [b"|".join(found)]

        parts = [b"on", b"e\ntw", b"o three\nfo", b"ur\n", b"five"]
        self.assertEqual(self.client(application).post("/", content=parts).content,
                         b"one\n|two| t|hree\n|four\n|five")

    def test_the_input_is_a_file(self):
        def of(*parts):
            rest = list(parts[1:])
            return Input(parts[0], bool(rest), lambda: (rest.pop(0), bool(rest)))

        self.assertEqual(of(b"a\nb", b"\nc").readlines(), [b"a\n", b"b\n", b"c"])
        self.assertEqual(of(b"a\nb\n", b"c").readlines(1), [b"a\n"])
        self.assertEqual(of(b"ab", b"cd").read(), b"abcd")
        self.assertEqual(of(b"ab", b"cd").read(None), b"abcd")
        self.assertEqual(of(b"ab", b"", b"cd").read(3), b"abc")
        self.assertEqual(of(b"").read(5), b"")
        self.assertEqual(of(b"ab\n").readline(0), b"")
        self.assertEqual(of(b"abc", b"d\n").readline(), b"abcd\n")
        self.assertEqual(io.TextIOWrapper(io.BufferedReader(io.BytesIO(of(b"x").read()))).read(),
                         "x")

    def test_write_and_iterables(self):
        def application(environ, start_response):
            write = start_response("200 OK", [("X-A", "1")])
            write(b"one ")
            write(b"two ")
            return Closing([b"", b"three"])

        answer = self.client(application).get("/")
        self.assertEqual((answer.text, answer.headers["x-a"]), ("one two three", "1"))

    def test_close_is_called_once_whatever_happens(self):
        made = []

        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            if environ["PATH_INFO"] == "/late":
                def fails():
                    yield b"1"
                    raise KeyError("late")

                made.append(Closing(fails()))
            elif environ["PATH_INFO"] == "/length":
                made.append(Closing([b"12", b"never asked for"]))
            else:
                made.append(Closing([b"1", b"2"]))
            return made[-1]

        client = self.client(application)
        self.assertEqual(client.get("/").text, "12")
        self.assertEqual(client.get("/length").text, "12")
        with self.assertRaises(KeyError):
            client.get("/late")
        client.__exit__(None, None, None)  # The threads have ended.
        self.assertEqual([one.closed for one in made], [1, 1, 1])
        self.assertEqual(made[1].seen, 1)

    def test_exc_info(self):
        def application(environ, start_response):
            early = environ["PATH_INFO"] == "/early"
            start_response("200 OK", [("X-First", "1")])
            if not early:
                yield b"sent"
            try:
                raise KeyError("broken")
            except KeyError:
                start_response("500 Oops", [("X-Second", "1")], sys.exc_info())
            yield b"second"

        client = self.client(application)
        answer = client.get("/early")
        self.assertEqual((answer.status_code, answer.text, "x-first" in answer.headers,
                          answer.headers["x-second"]), (500, "second", False, "1"))
        with self.assertRaisesRegex(KeyError, "broken"):
            client.get("/late")

    def test_what_pep_3333_forbids_is_refused(self):
        def application(environ, start_response):
            which = environ["PATH_INFO"]
            if which == "/never":
                return [b"x"]
            if which == "/twice":
                start_response("200 OK", [])
            if which == "/hop":
                start_response("200 OK", [("Connection", "close")])
            start_response("20 OK" if which == "/status" else "200 OK", [])
            return ["text"] if which == "/text" else [b""]

        client = self.client(application)
        for path, words in (("/never", "has not called"), ("/twice", "twice"),
                            ("/hop", "for the server"), ("/status", "three digits"),
                            ("/text", "gives bytes")):
            with self.assertRaisesRegex((RuntimeError, ValueError, TypeError), words):
                client.get(path)
        self.assertEqual(client.get("/good").status_code, 200)

    def test_a_stream_waits_for_its_client_and_ends_with_it(self):
        made = []

        def application(environ, start_response):
            start_response("200 OK", [])
            made.append(Closing(b"%d\n" % number for number in range(1 << 30)))
            return made[-1]

        client = self.client(application)
        with client.stream("GET", "/") as answer:
            lines = answer.iter_lines()
            self.assertEqual([next(lines), next(lines)], ["0", "1"])
        client.__exit__(None, None, None)
        self.assertEqual(made[0].closed, 1)

    def test_threads_are_told_apart(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            return [repr((environ["wsgi.multithread"], environ["wsgi.multiprocess"],
                          threading.current_thread() is threading.main_thread())).encode()]

        self.assertEqual(self.client(application).get("/").text, "(True, False, False)")
        self.assertEqual(self.client(application, threads=1, multiprocess=True).get("/").text,
                         "(False, True, False)")

    def test_too_long_a_line_is_answered_with_503(self):
        release, begun = threading.Event(), threading.Event()
        pool = Threads(1, waiting_max=1)

        def job():
            begun.set()
            release.wait(30)

        self.assertTrue(pool.submit(job))
        self.assertTrue(begun.wait(30))
        self.assertTrue(pool.submit(job))
        self.assertFalse(pool.submit(job))
        release.set()
        pool.done()
        pool.done()
        self.assertTrue(pool.submit(job))
        pool.close()

        application = WSGI(lambda environ, start_response: [])
        application._threads.submit = lambda job: False
        answer = TestClient(application).get("/")
        self.assertEqual((answer.status_code, answer.headers["retry-after"]), (503, "1"))


if __name__ == "__main__":
    unittest.main()
