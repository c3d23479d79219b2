"""A server of this process, and what tests ask of it from another thread."""

import asyncio
import http.client
import socket
import threading

from weft import _loop, _weft


class Served:
    """A server while its clients run: what they need of it."""

    def __init__(self, server, loop):
        self.server = server
        self.loop = loop
        self.port = server.port
        self.errors = []  # what the loop's handler of exceptions was told

    def get(self, path, method="GET", body=None, headers=None):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = headers or {}
            connection.request(method, path, body, headers,
                               encode_chunked="Transfer-Encoding" in headers)
            response = connection.getresponse()
            fields = {}
            for name, value in response.getheaders():
                fields.setdefault(name.lower(), value)
            return response.status, fields, response.read()
        finally:
            connection.close()

    def connect(self):
        made = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return made

    def on_loop(self, function):
        """Calls it on the loop's thread, and waits for what it gives."""
        async def call():
            return function()
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(20)


def start(status=200, headers=()):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope, receive, send):
    await send(start(headers=[(b"content-type", b"text/plain")]))
    await send(body(b"hello"))


def read_all(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_until(connection, end):
    """All up to `end` and what has come with it."""
    seen = b""
    while end not in seen:
        part = connection.recv(65536)
        if not part:
            raise AssertionError(f"the connection ended after {seen!r}")
        seen += part
    return seen


def run(server, client, settings=None, state=None, debug=False):
    """Serves on this thread while client(served) runs on another one; gives what that gives."""
    loop = _loop.EventLoop()
    loop.set_debug(debug)
    outcome = {}
    threads = []

    def run_client(served):
        try:
            outcome["value"] = client(served)
        except BaseException as error:  # the test's own thread raises it
            outcome["error"] = error
        finally:
            try:
                loop.call_soon_threadsafe(server.drain)
            except RuntimeError:
                pass  # it has ended

    def started(_location):
        served = Served(server, loop)
        loop.set_exception_handler(lambda _loop, context: served.errors.append(context))
        threads.append(threading.Thread(target=run_client, args=(served,)))
        threads[0].start()

    try:
        loop.run_until_complete(_loop.serve(
            server, {"port": "0", "quiet": "true", "drain_grace": "3s", **(settings or {})}, state,
            started))
    finally:
        for thread in threads:
            thread.join(30)
        loop.close()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def run_asgi(app, client, settings=None, root_path="", **options):
    server = _weft.Server()
    server.add_asgi(app, root_path)
    return run(server, client, settings, **options)
