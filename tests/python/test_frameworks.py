"""FastAPI, Starlette, Django and Flask as Debian packs them, unchanged, on weft's server, asked
by httpx and requests. What is not installed is skipped."""

import importlib.util
import os
import socket
import unittest

from serving import Served, wait_for


def needs(*modules):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("WEFT_CLIENTS_REQUIRED") == "1":
        raise AssertionError(f"not installed: {', '.join(missing)}")
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


class Case(unittest.TestCase):
    application = ""
    options = ()

    @classmethod
    def setUpClass(cls):
        if not cls.application:
            raise unittest.SkipTest("a base class")
        import httpx

        cls.server = Served(*cls.options, cls.application)
        cls.server.__enter__()
        cls.client = httpx.Client(base_url=cls.server.url, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.__exit__()

    def get(self, *arguments, **options):
        return self.client.get(*arguments, **options)

    def post(self, *arguments, **options):
        return self.client.post(*arguments, **options)

    def uploads(self, path, key="file"):
        answer = self.post(path, data={"name": "ä"},
                           files={"photo": ("p.bin", b"\0\1" * 50_000, "image/x")})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual((answer.json()["name"], answer.json()["size"]), ("ä", 100_000))

    def said(self, words):
        wait_for(lambda: any(words in line for line in self.server.said))


@needs("fastapi", "httpx", "multipart")
class FastApiTest(Case):
    application = "fastapi_app:app"

    def test_parameters_and_their_errors(self):
        self.assertEqual(self.get("/users/7?q=a").json(), {"id": 7, "q": "a", "size": 10})
        self.assertEqual(self.get("/sync/3").json(), {"n": 3})
        answer = self.get("/users/x?size=101")
        self.assertEqual((answer.status_code, len(answer.json()["detail"])), (422, 2))
        self.assertEqual(self.client.put("/body", json={"a": 1}).json(), [1, "b"])

    def test_models_forms_and_files(self):
        answer = self.post("/items", json={"name": "x", "tags": ["a"]})
        self.assertEqual((answer.status_code, answer.json()),
                         (201, {"name": "x", "price": 1.0, "tags": ["a"]}))
        self.assertEqual(self.post("/items", json={}).status_code, 422)
        self.uploads("/form")

    def test_dependencies_cookies_and_background(self):
        answer = self.get("/depends", headers={"x-token": "t"}, cookies={"who": "me"})
        self.assertEqual(answer.json(), ["t", "me"])
        self.get("/background")
        wait_for(lambda: {"open", "closed", "background", "started"} <= set(
            self.get("/notes").json()))
        self.assertEqual(self.get("/cookie").cookies["who"], "ada")

    def test_middleware_and_documents(self):
        answer = self.get("/users/1", headers={"origin": "https://a.example"})
        self.assertEqual((answer.headers["x-seen"], answer.headers["access-control-allow-origin"]),
                         ("/users/1", "https://a.example"))
        answer = self.get("/big")
        self.assertEqual((answer.headers["content-encoding"], len(answer.json())),
                         ("gzip", 100_000))
        self.assertEqual(self.get("/openapi.json").json()["info"]["title"], "Tried")
        self.assertEqual(self.get("/docs").status_code, 200)
        self.assertEqual(self.client.head("/none").status_code, 404)
        self.assertEqual(self.client.options("/users/1").status_code, 405)

    def test_errors(self):
        answer = self.get("/teapot")
        self.assertEqual((answer.status_code, answer.json(), answer.headers["x-pot"]),
                         (418, {"detail": "short and stout"}, "1"))
        self.assertEqual(self.get("/fails").status_code, 500)
        self.said("ValueError: as it should")
        self.assertEqual(self.get("/users/1").status_code, 200)

    def test_streams_both_ways(self):
        with self.client.stream("GET", "/stream") as answer:
            self.assertEqual("".join(answer.iter_text()), "0\n1\n2\n3\n4\n")
        body = os.urandom(900_000)
        self.assertEqual(self.post("/echo", content=body).content, body)
        parts = (b"x" * 1000 for _ in range(500))
        self.assertEqual(self.post("/count", content=parts).json(), 500_000)

    def test_a_client_that_goes_ends_the_stream(self):
        plain = {"accept-encoding": "identity"}
        with self.client.stream("GET", "/forever", headers=plain) as answer:
            self.assertEqual(next(answer.iter_raw())[:5], b"more\n")
        wait_for(lambda: "stream ended" in self.get("/notes").json())

    def test_who_asks(self):
        answer = self.get("/client").json()
        self.assertEqual(answer, {"host": "127.0.0.1", "scheme": "http", "root": "",
                                  "url": self.server.url + "/client"})
        answer = self.get("/client", headers={"x-forwarded-for": "1.2.3.4",
                                              "x-forwarded-proto": "https"}).json()
        self.assertEqual((answer["host"], answer["scheme"]), ("1.2.3.4", "https"))

    def test_many_on_one_connection_and_pipelined(self):
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as connection:
            request = b"GET /users/%d HTTP/1.1\r\nHost: x\r\n\r\n"
            connection.sendall(b"".join(request % number for number in range(30))
                               + b"GET /users/30 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        found = [data.index(b'{"id":%d,' % number) for number in range(31)]
        self.assertEqual(found, sorted(found))


@needs("fastapi", "httpx", "multipart")
class FastApiLifespanTest(unittest.TestCase):
    def test_its_end_is_run_after_the_last_request(self):
        with Served("fastapi_app:app") as server:
            self.assertEqual(server.stop(), 0)
            self.assertIn("lifespan has ended", server.said)

    def test_no_proxy_is_trusted_where_none_is_to_be(self):
        import httpx

        with Served("--no-proxy-headers", "--root-path", "/api", "fastapi_app:app") as server:
            answer = httpx.get(server.url + "/client",
                               headers={"x-forwarded-for": "1.2.3.4"}).json()
            self.assertEqual((answer["host"], answer["root"]), ("127.0.0.1", "/api"))


@needs("starlette", "requests", "httpx")
class StarletteTest(Case):
    application = "starlette_app:app"

    def setUp(self):
        import requests

        self.requests = requests.Session()
        self.addCleanup(self.requests.close)

    def get(self, path, **options):
        return self.requests.get(self.server.url + path, timeout=60, **options)

    def test_routes_and_mounts(self):
        self.assertEqual(self.get("/").text, "hello")
        self.assertEqual(self.get("/inner/x").text, "hello")
        answer = self.get("/info/a/b?q=1", headers={"user-agent": "me"}).json()
        self.assertEqual(answer, {"path": "a/b", "query": {"q": "1"}, "agent": "me",
                                  "gone": False})
        self.assertEqual(self.get("/thing").text, "got")
        self.assertEqual(self.requests.delete(self.server.url + "/thing").status_code, 204)
        self.assertEqual(self.get("/", headers={"host": "evil.example"}).status_code, 400)

    def test_files_and_redirects(self):
        source = (self.get("/file").content, self.get("/static/starlette_app.py").content)
        self.assertEqual(source[0], source[1])
        self.assertEqual(self.get("/static/../test_frameworks.py").status_code, 404)
        self.assertEqual(self.get("/redirect").text, "hello")
        tag = self.get("/static/flask_app.py").headers["etag"]
        self.assertEqual(self.get("/static/flask_app.py",
                                  headers={"if-none-match": tag}).status_code, 304)

    def test_events_and_background(self):
        self.assertEqual(self.get("/events").text, "data: 0\n\ndata: 1\n\ndata: 2\n\n")
        self.get("/after")
        wait_for(lambda: "after" in self.get("/after").json())


class DjangoCases:
    """What holds of Django either way."""

    def test_views_and_sessions(self):
        self.assertEqual(self.get("/").text, "hello")
        self.assertEqual(self.get("/later").json(), {"async": True})
        self.client.cookies.clear()
        self.assertEqual([self.get("/visits?q=1").json()["visits"] for _ in range(3)], [1, 2, 3])
        answer = self.get("/visits?q=ä", headers={"x-forwarded-proto": "https"}).json()
        self.assertEqual((answer["path"], answer["secure"]), ("/visits?q=%C3%A4", True))
        self.client.cookies.clear()
        self.assertEqual(self.get("/none").status_code, 404)

    def test_bodies(self):
        self.uploads("/upload")
        body = os.urandom(900_000)
        self.assertEqual(self.post("/echo", content=body).content, body)

    def test_streams_files_and_errors(self):
        self.assertEqual(self.get("/stream").text, "0\n1\n2\n3\n4\n")
        answer = self.get("/file")
        self.assertIn("attachment", answer.headers["content-disposition"])
        self.assertIn(b"Django in one file", answer.content)
        self.assertEqual(self.get("/fails").status_code, 500)
        self.said("ValueError: as it should")


@needs("django", "httpx")
class DjangoAsgiTest(DjangoCases, Case):
    application = "django_app:asgi"


@needs("django", "httpx")
class DjangoWsgiTest(DjangoCases, Case):
    application = "django_app:wsgi"


@needs("flask", "httpx")
class FlaskTest(Case):
    application = "flask_app:app"

    def test_views(self):
        self.assertEqual(self.get("/").text, "hello")
        self.assertEqual(self.get("/users/3?q=a%20b").json(),
                         {"id": 3, "q": "a b", "url": self.server.url + "/users/3?q=a%20b"})
        self.assertEqual(self.post("/json", json={"a": [1]}).json(), {"a": [1]})
        self.assertEqual(self.get("/to", follow_redirects=True).text, "hello")
        self.assertEqual([self.get("/visits").json() for _ in range(3)], [1, 2, 3])

    def test_bodies(self):
        self.uploads("/upload")
        body = os.urandom(900_000)
        self.assertEqual(self.post("/echo", content=body).content, body)
        self.assertEqual(self.post("/lines", content=iter([b"a\nb", b"c\n", b"d"])).json(),
                         ["a\n", "bc\n", "d"])

    def test_streams_files_and_errors(self):
        self.assertEqual(self.get("/stream?q=x").text, "x 0 1 2")
        self.assertEqual(len(self.get("/file").content), 300_000)
        self.assertEqual(self.client.head("/").headers["content-length"], "5")
        self.assertEqual(self.get("/teapot").status_code, 418)
        answer = self.get("/none")
        self.assertEqual((answer.status_code, answer.text, answer.headers["x-missing"]),
                         (404, "not here", "1"))
        self.assertEqual(self.get("/fails").status_code, 500)
        self.said("ValueError: as it should")


if __name__ == "__main__":
    unittest.main()
