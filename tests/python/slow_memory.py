"""A hundred thousand requests of all kinds, and the memory of who answers them."""

import re
import socket
import unittest
from pathlib import Path

from serving import PATIENCE_SECONDS, Case

APP = """
import asyncio
from dataclasses import dataclass
from weft import App, Depends, Request
app = App()

@dataclass
class Book:
    title: str
    pages: int = 0

def page(n: int = 1):
    return n

@app.get("/plain")
def plain():
    return "hello"

@app.get("/typed/{id}")
def typed(id: int, q: str = ""):
    return {"id": id, "q": q}

@app.get("/async/{id}")
async def asynchronous(id: int):
    await asyncio.sleep(0)
    return {"id": id}

@app.get("/depends")
def depends(n: int = Depends(page)):
    return {"n": n}

@app.get("/request")
def request(request: Request):
    return dict(request.headers)

@app.post("/books", status_code=201)
def add(book: Book):
    return book

@app.get("/thread", executor="thread")
def in_a_thread():
    return "thread"
"""

ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    message = await receive()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", b"%d" % len(message["body"]))]})
    await send({"type": "http.response.body", "body": message["body"]})
"""

REQUESTS = 100_000
# Before which memory is still being got for the first time.
WARM_UP = 30_000
AT_ONCE = 10
GROWTH_MAX_KIB = 2048


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def post(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


NATIVE_REQUESTS = [
    get("/plain"), get("/typed/7?q=a"), get("/typed/x"), get("/async/7"), get("/depends?n=3"),
    get("/request"), get("/none"), get("/thread"), post("/books", b'{"title":"t","pages":3}'),
    post("/books", b'{"pages":"many"}')]
ASGI_REQUESTS = [get("/"), get("/?q=" + "x" * 500), post("/", b"x" * 2000)]


class FlatTest(Case):
    def resident(self, pid):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])

    def ask(self, connection, requests):
        """Sends them at once, and takes as many answers."""
        connection.sendall(b"".join(requests))
        seen = b""
        for _ in requests:
            while (end := seen.find(b"\r\n\r\n")) < 0:
                seen += self.more(connection)
            size = int(re.search(rb"content-length: (\d+)", seen[:end], re.IGNORECASE)[1])
            while len(seen) < end + 4 + size:
                seen += self.more(connection)
            seen = seen[end + 4 + size:]
        self.assertEqual(seen, b"")

    def more(self, connection):
        part = connection.recv(65536)
        self.assertNotEqual(part, b"")
        return part

    def expect_flat(self, application, requests):
        self.write(application)
        server = self.served("--log-level", "critical")
        pid = server.process.pid
        asked = 0
        before = 0
        while asked < REQUESTS:
            # New connections all along.
            with socket.create_connection(("127.0.0.1", server.port),
                                          PATIENCE_SECONDS) as connection:
                for _ in range(20):
                    self.ask(connection, requests * (AT_ONCE // len(requests)))
                    asked += len(requests) * (AT_ONCE // len(requests))
            if before == 0 and asked >= WARM_UP:
                before = self.resident(pid)
        growth = self.resident(pid) - before
        self.assertEqual(server.stop(), 0)
        self.assertLess(growth, GROWTH_MAX_KIB, f"grew from {before} KiB by {growth}")

    def test_a_native_application(self):
        self.expect_flat(APP, NATIVE_REQUESTS)

    def test_an_asgi_application(self):
        self.expect_flat(ASGI, ASGI_REQUESTS)


if __name__ == "__main__":
    unittest.main()
