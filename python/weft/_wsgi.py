"""WSGI applications (PEP 3333) on threads, seen by the server as an ASGI application.

A request that is answered at once takes one trip to a thread and one back. What an application
gives in pieces is sent piece by piece, and the thread waits where the client is slow. An
application may be called by several threads at once, and says so in wsgi.multithread; with one
thread it never is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

logger = logging.getLogger("weft.error")

# Threads for one server process unless told otherwise: WSGI applications wait more than they
# compute.
THREADS = min(32, 4 + 4 * len(os.sched_getaffinity(0)))
# Requests that may wait for a thread; over it 503, so that a line never grows without end.
WAITING_MAX = 1024
FILE_STEP = 64 << 10

Scope = dict[str, Any]
Headers = list[tuple[bytes, bytes]]


class Threads:
    """A pool of threads that are started as they are needed. Jobs are functions without arguments,
    and never raise."""

    def __init__(self, most: int, waiting_max: int = WAITING_MAX) -> None:
        self._most = most
        self._waiting_max = waiting_max
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0  # the event loop's own count

    def submit(self, job: Callable[[], None]) -> bool:
        """False where too many wait already."""
        if self._under_way >= len(self._threads):
            if len(self._threads) < self._most:
                thread = threading.Thread(
                    target=self._run, name=f"weft-wsgi-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            elif self._under_way >= self._most + self._waiting_max:
                return False
        self._under_way += 1
        self._jobs.put(job)
        return True

    def done(self) -> None:
        self._under_way -= 1

    def _run(self) -> None:
        get = self._jobs.get
        while (job := get()) is not None:
            job()
            job = None  # What it holds is not kept until the next one.

    def close(self, patience_seconds: float = 10) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + patience_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.clear()


class WSGI:
    """`WSGI(application)` is an ASGI application. Belongs to one event loop."""

    def __init__(self, application: Callable[..., Iterable[bytes]], threads: int = THREADS,
                 multiprocess: bool = False) -> None:
        if not 1 <= threads <= 1024:
            raise ValueError(f"threads is a number from 1 to 1024, not {threads}")
        self.application = application
        self._threads = Threads(threads)
        self._environment = {
            "wsgi.version": (1, 0), "wsgi.errors": sys.stderr, "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": multiprocess, "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper, "wsgi.input_terminated": True,
        }

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"a WSGI application does not know the scope type {scope['type']!r}")
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        loop = asyncio.get_running_loop()
        call = _Call(self, scope, message, receive, send, loop)
        if not self._threads.submit(call.run):
            body = b"Too many requests wait for a thread\n"
            await send({"type": "http.response.start", "status": 503, "headers": [
                (b"content-type", b"text/plain"), (b"retry-after", b"1"),
                (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})
            return
        answer = await call.ready
        if answer is not None:
            status, headers, body = answer
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.close)
        await send({"type": "lifespan.shutdown.complete"})


class FileWrapper:
    """wsgi.file_wrapper: a file in pieces."""

    def __init__(self, file: Any, size: int = FILE_STEP) -> None:
        self._file = file
        self._size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data = self._file.read(self._size)
        if not data:
            raise StopIteration
        return data


class Input:
    """wsgi.input: the body as it arrives, for the thread of its request. It ends where the body
    ends, whatever the Content-Length says or does not."""

    def __init__(self, first: bytes, more: bool,
                 next_part: Callable[[], tuple[bytes, bool]]) -> None:
        self._held = bytearray(first)
        self._more = more
        self._next_part = next_part

    def _fill(self) -> bool:
        if not self._more:
            return False
        part, self._more = self._next_part()
        self._held += part
        return True

    def _take(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            while self._fill():
                pass
            return self._take(len(self._held))
        while len(self._held) < size and self._fill():
            pass
        return self._take(size)

    def readline(self, size: int | None = -1) -> bytes:
        searched = 0
        while True:
            at = self._held.find(b"\n", searched)
            limit = size if size is not None and size >= 0 else None
            if at >= 0 and (limit is None or at < limit):
                return self._take(at + 1)
            if limit is not None and len(self._held) >= limit:
                return self._take(limit)
            searched = len(self._held)
            if not self._fill():
                return self._take(len(self._held))

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        lines = []
        size = 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Input:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line


class _Call:
    """One request in its thread. What the event loop waits for is `ready`: the whole answer, or
    None where it was sent in pieces."""

    __slots__ = ("_owner", "_scope", "_message", "_receive", "_send", "_loop", "ready",
                 "_started", "_head_sent", "_status", "_headers", "_length")

    def __init__(self, owner: WSGI, scope: Scope, message: dict[str, Any], receive: Any, send: Any,
                 loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._scope = scope
        self._message = message
        self._receive = receive
        self._send = send
        self._loop = loop
        self.ready: asyncio.Future[tuple[int, Headers, bytes] | None] = loop.create_future()
        self._started = False
        self._head_sent = False
        self._status = 0
        self._headers: Headers = []
        self._length: int | None = None

    # ---- In the thread ----

    def run(self) -> None:
        result: Iterable[bytes] | None = None
        try:
            environment = environment_of(self._scope, self._owner._environment)
            environment["wsgi.input"] = Input(
                self._message.get("body", b""), self._message.get("more_body", False), self._part)
            result = self._owner.application(environment, self._start_response)
            answer = self._answer(result)
            self._finish(answer, None)
        except BaseException as error:  # It goes to the event loop, which answers or cuts off.
            self._finish(None, error)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                try:
                    close()
                except Exception:
                    logger.exception("the WSGI application's close() failed")

    def _answer(self, result: Iterable[bytes]) -> tuple[int, Headers, bytes] | None:
        iterator = iter(result)
        whole = isinstance(result, (list, tuple))
        if whole and not self._head_sent:
            body = b"".join(_checked(part) for part in result)
            self._check_started()
            return self._status, self._with_length(len(body)), body
        for part in iterator:
            data = _checked(part)
            if not data:
                continue
            self._check_started()
            # All there is: it need not be asked for more.
            if not self._head_sent and self._length == len(data):
                return self._status, self._headers, data
            self._send_part(data)
        self._check_started()
        if not self._head_sent:
            return self._status, self._with_length(0), b""
        self._wait(self._send, {"type": "http.response.body", "body": b""})
        return None

    def _check_started(self) -> None:
        if not self._started:
            raise RuntimeError("the WSGI application has not called start_response()")

    def _with_length(self, length: int) -> Headers:
        if self._length is None and self._status >= 200 and self._status not in (204, 304):
            self._headers.append((b"content-length", str(length).encode()))
        return self._headers

    def _start_response(self, status: str, headers: list[tuple[str, str]],
                        exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # Or the frames would hold each other.
        elif self._started:
            raise RuntimeError("start_response() was called twice without exc_info")
        code = status.partition(" ")[0]
        if not (len(code) == 3 and code.isdigit()):
            raise ValueError(
                f"start_response(): the status begins with three digits, not {status!r}")
        encoded: Headers = []
        self._length = None
        for name, value in headers:
            key = name.lower().encode("latin-1")
            if key in _HOP_BY_HOP:
                raise ValueError(f"start_response(): {name} is for the server to say (PEP 3333)")
            encoded.append((key, value.encode("latin-1")))
            if key == b"content-length":
                self._length = int(value)
        self._status = int(code)
        self._headers = encoded
        self._started = True
        return self._write

    def _write(self, data: bytes) -> None:
        """What start_response() returns, for applications older than iterables."""
        self._send_part(_checked(data))

    def _send_part(self, data: bytes) -> None:
        if not self._head_sent:
            self._head_sent = True
            self._wait(self._send_first, data)
        else:
            self._wait(self._send, {"type": "http.response.body", "body": data, "more_body": True})

    async def _send_first(self, data: bytes) -> None:
        await self._send({"type": "http.response.start", "status": self._status,
                          "headers": self._headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _part(self) -> tuple[bytes, bool]:
        message = self._wait(self._receive)
        if message["type"] == "http.disconnect":
            raise OSError("the client went before its body was there")
        return message.get("body", b""), message.get("more_body", False)

    def _wait(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of an asynchronous function, which is called in the event loop's thread: the
        server's own must not be touched by another."""

        async def run() -> Any:
            return await function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _finish(self, answer: Any, error: BaseException | None) -> None:
        def set_it() -> None:
            self._owner._threads.done()
            if self.ready.done():
                if error is not None and not isinstance(error, OSError):
                    logger.error("the WSGI application failed", exc_info=error)
            elif error is not None:
                self.ready.set_exception(
                    error if isinstance(error, Exception) else RuntimeError(repr(error)))
            else:
                self.ready.set_result(answer)

        try:
            self._loop.call_soon_threadsafe(set_it)
        except RuntimeError:
            pass  # The loop has ended: nobody waits any more.


_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-authenticate",
                         b"proxy-authorization", b"te", b"trailer", b"transfer-encoding",
                         b"upgrade"))


def _checked(part: Any) -> bytes:
    if not isinstance(part, bytes):
        raise TypeError(f"a WSGI application gives bytes, not {type(part).__name__}")
    return part


# Names of headers as the environment has them; clients choose names, so it does not grow for ever.
_names: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_NAMES_MAX = 512


def _name_of(key: bytes) -> str:
    name = _names.get(key)
    if name is None:
        name = "HTTP_" + key.decode("latin-1").upper().replace("-", "_")
        if len(_names) < _NAMES_MAX:
            _names[key] = name
    return name


def environment_of(scope: Scope, base: dict[str, Any]) -> dict[str, Any]:
    """The environ of a request: `base` and what the scope says. Headers with an underscore in
    their name are left out: they could pass for others."""
    root = scope.get("root_path", "")
    path = scope["path"]
    if root and path.startswith(root) and path[len(root):len(root) + 1] in ("", "/"):
        path = path[len(root):]
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client")
    environment = {
        **base,
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root if root.isascii() else root.encode().decode("latin-1"),
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]) if server[1] is not None else "0",
        "SERVER_PROTOCOL": "HTTP/" + scope.get("http_version", "1.1"),
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    raw = scope.get("raw_path")
    if raw is not None:
        query = environment["QUERY_STRING"]
        environment["REQUEST_URI"] = environment["RAW_URI"] = \
            raw.decode("latin-1") + (f"?{query}" if query else "")
    if client:
        environment["REMOTE_ADDR"] = client[0]
        environment["REMOTE_PORT"] = str(client[1])
    for key, value in scope["headers"]:
        if b"_" in key:
            continue
        name = _name_of(key)
        text = value.decode("latin-1")
        known = environment.get(name)
        if known is not None and name.startswith("HTTP_"):
            text = f"{known}{'; ' if name == 'HTTP_COOKIE' else ','}{text}"
        environment[name] = text
    return environment
