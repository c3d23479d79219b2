"""Responses: what a handler may return when a plain value does not say enough.

A Response belongs to one request. Headers and status may be changed until it is sent, which is
after the last middleware has returned it.
"""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import hashlib
import mimetypes
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote

from . import _json
from ._request import Request, Send
from ._values import MutableHeaders

# A file is read in such pieces where the server cannot send it itself.
FILE_STEP = 64 << 10


class BackgroundTasks:
    """Functions to call after the answer was sent, in order; one that fails is logged.

    A plain function of executor="thread" routes runs there, too; others run in the event loop.
    """

    def __init__(self) -> None:
        self._tasks: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def add(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        self._tasks.append((function, arguments, named))

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Any:
        return iter(self._tasks)


class Response:
    """Bytes or text. `content` becomes `body` by what the class makes of it."""

    media_type: str | None = None
    streams = False

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTasks | None = None,
    ) -> None:
        self.status_code = int(status_code)
        if media_type is not None:
            self.media_type = media_type
        self.background = background
        self.headers = MutableHeaders(headers)
        self.body = self.render(content)
        if self.media_type is not None and (self.body or content is not None):
            self.headers.setdefault("content-type", self._content_type())

    def render(self, content: Any) -> bytes:
        if content is None:
            return b""
        if isinstance(content, str):
            return content.encode()
        if isinstance(content, (bytes, bytearray, memoryview)):
            return bytes(content)
        raise TypeError(
            f"a {type(self).__name__} is made of str or bytes, not {type(content).__name__}; "
            "JSONResponse takes values"
        )

    def _content_type(self) -> str:
        kind = self.media_type or ""
        return f"{kind}; charset=utf-8" if kind.startswith("text/") and "charset" not in kind \
            else kind

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime.datetime | int | str | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
    ) -> None:
        """Adds a Set-Cookie. A value is escaped as in a URL where a cookie could not hold it, and
        `request.cookies` undoes it."""
        if not key or any(not 0x21 <= ord(c) <= 0x7E or c in '()<>@,;:\\"/[]?={}' for c in key):
            raise ValueError(f"{key!r} cannot be the name of a cookie")
        for name, text in (("path", path), ("domain", domain)):
            if text and any(ord(c) < 0x20 or c == ";" or ord(c) > 0x7E for c in text):
                raise ValueError(f"set_cookie(): {text!r} cannot be a cookie's {name}")
        parts = [f"{key}={quote(value, safe=_COOKIE_SAFE)}"]
        if max_age is not None:
            parts.append(f"Max-Age={int(max_age)}")
        if expires is not None:
            parts.append(f"Expires={_http_date(expires)}")
        if path:
            parts.append(f"Path={path}")
        if domain:
            parts.append(f"Domain={domain}")
        if secure:
            parts.append("Secure")
        if httponly:
            parts.append("HttpOnly")
        if samesite is not None:
            if samesite.lower() not in ("lax", "strict", "none"):
                raise ValueError("set_cookie(): samesite is 'lax', 'strict', 'none' or None, "
                                 f"not {samesite!r}")
            parts.append(f"SameSite={samesite.capitalize()}")
        self.headers.append("set-cookie", "; ".join(parts))

    def delete_cookie(self, key: str, path: str = "/", domain: str | None = None,
                      secure: bool = False, httponly: bool = False,
                      samesite: Literal["lax", "strict", "none"] | None = "lax") -> None:
        self.set_cookie(key, "", max_age=0, expires=0, path=path, domain=domain, secure=secure,
                        httponly=httponly, samesite=samesite)

    async def send(self, request: Request, send: Send) -> None:
        """Sends it whole; called once."""
        raw = self.headers.raw
        body = self.body
        if self.status_code >= 200 and self.status_code not in (204, 304):
            if not any(key == b"content-length" for key, _ in raw):
                raw = [*raw, (b"content-length", str(len(body)).encode())]
        else:
            body = b""
        await send({"type": "http.response.start", "status": self.status_code, "headers": raw})
        await send({"type": "http.response.body",
                    "body": b"" if request.method == "HEAD" else body})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status_code}>"


_COOKIE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def _http_date(when: datetime.datetime | int | str) -> str:
    if isinstance(when, str):
        if any(ord(c) < 0x20 or c == ";" for c in when):
            raise ValueError(f"{when!r} is no date")
        return when
    if isinstance(when, datetime.datetime):
        if when.tzinfo is None:
            when = when.astimezone()
        return email.utils.format_datetime(when.astimezone(datetime.timezone.utc), usegmt=True)
    return email.utils.formatdate(when, usegmt=True)


class PlainTextResponse(Response):
    media_type = "text/plain"


class HTMLResponse(Response):
    media_type = "text/html"


class JSONResponse(Response):
    """Any value that has JSON: dict, list, dataclass, datetime, … and None, which is `null`."""

    media_type = "application/json"

    def __init__(self, content: Any = None, status_code: int = 200,
                 headers: Mapping[str, str] | None = None, media_type: str | None = None,
                 background: BackgroundTasks | None = None) -> None:
        super().__init__(content, status_code, headers, media_type, background)
        self.headers.setdefault("content-type", self._content_type())

    def render(self, content: Any) -> bytes:
        return _json.dumps(content)


class RedirectResponse(Response):
    """Sends the client to another address; 307 keeps the method and body, 303 asks with GET."""

    def __init__(self, url: str, status_code: int = 307,
                 headers: Mapping[str, str] | None = None,
                 background: BackgroundTasks | None = None) -> None:
        super().__init__(None, status_code, headers, None, background)
        self.headers["location"] = quote(str(url), safe=":/%#?=@[]!$&'()*+,;~")


Parts = AsyncIterable[Any] | Iterable[Any]


class StreamingResponse(Response):
    """A body in pieces, of a generator or any other iterable; text or bytes.

    A plain generator is run in a thread, piece by piece, so that it may block. A client that goes
    ends the generator: what is in its `finally` runs.
    """

    streams = True
    in_thread = True

    def __init__(self, content: Parts, status_code: int = 200,
                 headers: Mapping[str, str] | None = None, media_type: str | None = None,
                 background: BackgroundTasks | None = None) -> None:
        super().__init__(None, status_code, headers, media_type, background)
        if self.media_type is not None:
            self.headers.setdefault("content-type", self._content_type())
        self.parts = content

    def encode(self, part: Any) -> bytes:
        if isinstance(part, str):
            return part.encode()
        if isinstance(part, (bytes, bytearray, memoryview)):
            return bytes(part)
        raise TypeError(f"a stream is made of str or bytes, not {type(part).__name__}")

    async def _pieces(self) -> AsyncIterator[Any]:
        if isinstance(self.parts, AsyncIterable):
            iterator = self.parts.__aiter__()
            try:
                async for part in iterator:
                    yield part
            finally:
                close = getattr(iterator, "aclose", None)
                if close is not None:
                    await close()
            return
        plain = iter(self.parts)
        end = object()
        loop = asyncio.get_running_loop()
        at_once = isinstance(self.parts, (list, tuple))
        running: asyncio.Future[Any] | None = None
        try:
            while True:
                if at_once:
                    part = next(plain, end)
                else:
                    running = loop.run_in_executor(None, next, plain, end)
                    part = await asyncio.shield(running)
                if part is end:
                    return
                yield part
        finally:
            # One that is running in its thread cannot be closed before it has got to its `yield`.
            if running is not None and not running.done():
                await asyncio.wait((running,))
            close = getattr(plain, "close", None)
            if close is not None:
                await loop.run_in_executor(None, close)

    async def send(self, request: Request, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code,
                    "headers": self.headers.raw})
        if request.method == "HEAD" or self.status_code in (204, 304):
            await self._drop()
            await send({"type": "http.response.body", "body": b""})
            return
        writing = asyncio.ensure_future(self._write(send))
        watching = asyncio.ensure_future(request._gone())
        try:
            await asyncio.wait((writing, watching), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                writing.cancel()
            try:
                await writing
            except asyncio.CancelledError:
                # Of the client that went; if this task itself is cancelled, that goes on.
                if not watching.done():
                    raise
        finally:
            for task in (watching, writing):
                if not task.done():
                    task.cancel()
                    await asyncio.wait((task,))
            if not watching.cancelled():
                watching.exception()

    async def _drop(self) -> None:
        for name in ("aclose", "close"):
            close = getattr(self.parts, name, None)
            if close is not None:
                ended = close()
                if name == "aclose":
                    await ended
                return

    async def _write(self, send: Send) -> None:
        pieces = self._pieces()
        try:
            async for part in pieces:
                data = self.encode(part)
                if data:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]
        await send({"type": "http.response.body", "body": b""})


class EventStream(StreamingResponse):
    """Server-Sent Events. Each piece is the event's data, as text or as a value that becomes JSON,
    or an Event. While nothing happens, a comment goes out every `heartbeat` seconds (0: none)."""

    media_type = "text/event-stream"

    def __init__(self, content: Parts, status_code: int = 200,
                 headers: Mapping[str, str] | None = None, *, heartbeat: float = 15,
                 background: BackgroundTasks | None = None) -> None:
        super().__init__(content, status_code, headers, None, background)
        self.headers.setdefault("cache-control", "no-cache")
        self.headers.setdefault("x-accel-buffering", "no")
        self.heartbeat = heartbeat

    def encode(self, part: Any) -> bytes:
        if isinstance(part, bytes):
            return part
        return part.encode() if isinstance(part, Event) else Event(part).encode()

    async def _pieces(self) -> AsyncIterator[Any]:
        pieces = super()._pieces()
        upcoming: asyncio.Future[Any] | None = None
        try:
            while True:
                if upcoming is None:
                    upcoming = asyncio.ensure_future(pieces.__anext__())  # type: ignore[arg-type]
                done, _ = await asyncio.wait((upcoming,), timeout=self.heartbeat or None)
                if not done:
                    yield b":\n\n"
                    continue
                finished, upcoming = upcoming, None
                try:
                    yield finished.result()
                except StopAsyncIteration:
                    return
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.wait((upcoming,))
            await pieces.aclose()  # type: ignore[attr-defined]


class Event:
    """One Server-Sent Event. `data` that is no text becomes JSON; `retry` is in seconds."""

    def __init__(self, data: Any = None, *, event: str | None = None, id: str | None = None,
                 retry: float | None = None, comment: str | None = None) -> None:
        for name, text in (("event", event), ("id", id)):
            if text is not None and any(c in text for c in "\r\n\0"):
                raise ValueError(f"the {name} of an event holds a line's end: {text!r}")
        self.data = data
        self.event = event
        self.id = id
        self.retry = retry
        self.comment = comment

    def encode(self) -> bytes:
        lines = []
        if self.comment is not None:
            lines += [f": {line}" for line in _lines(self.comment)]
        if self.event is not None:
            lines.append(f"event: {self.event}")
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.retry is not None:
            lines.append(f"retry: {round(self.retry * 1000)}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else _json.dumps(self.data).decode()
            lines += [f"data: {line}" for line in _lines(text)]
        return ("\n".join(lines) + "\n\n").encode()


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


class FileResponse(Response):
    """A file, with its type, an entity tag, ranges and conditional requests.

    404 where it is not there. `filename` asks the browser to save it under that name.
    """

    def __init__(self, path: str | os.PathLike[str], status_code: int = 200,
                 headers: Mapping[str, str] | None = None, media_type: str | None = None,
                 filename: str | None = None,
                 content_disposition: Literal["attachment", "inline"] = "attachment",
                 background: BackgroundTasks | None = None) -> None:
        self.path = os.fspath(path)
        guessed, packed = mimetypes.guess_type(filename or self.path)
        kind = media_type or (guessed if packed is None else None) or "application/octet-stream"
        super().__init__(None, status_code, headers, kind, background)
        self.headers.setdefault("content-type", self._content_type())
        if filename is not None:
            self.headers.setdefault("content-disposition",
                                    _disposition(content_disposition, filename))

    async def send(self, request: Request, send: Send) -> None:
        try:
            file = open(self.path, "rb")
            facts = os.fstat(file.fileno())
        except OSError:
            await _not_there(request, send)
            return
        with file:
            if not stat.S_ISREG(facts.st_mode):
                await _not_there(request, send)
                return
            await self._send_open(request, send, file, facts)

    async def _send_open(self, request: Request, send: Send, file: Any,
                         facts: os.stat_result) -> None:
        headers = self.headers
        tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        headers.setdefault("etag", tag)
        tag = headers["etag"]
        headers.setdefault("last-modified",
                           email.utils.formatdate(int(facts.st_mtime), usegmt=True))
        headers.setdefault("accept-ranges", "bytes")
        begin, end, status = 0, facts.st_size, self.status_code
        readable = status == 200 and request.method in ("GET", "HEAD")
        if readable and _unchanged(request, tag, facts):
            raw = [pair for pair in headers.raw if pair[0] not in (b"content-type",)]
            await send({"type": "http.response.start", "status": 304, "headers": raw})
            await send({"type": "http.response.body", "body": b""})
            return
        if readable and _range_counts(request, tag, headers["last-modified"]):
            chosen = _range(request.headers.get("range", ""), facts.st_size)
            if chosen == "unsatisfiable":
                headers["content-range"] = f"bytes */{facts.st_size}"
                begin, end, status = 0, 0, 416
            elif isinstance(chosen, tuple):
                begin, end = chosen
                status = 206
                headers["content-range"] = f"bytes {begin}-{end - 1}/{facts.st_size}"
        headers["content-length"] = str(end - begin)
        await send({"type": "http.response.start", "status": status, "headers": headers.raw})
        if request.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        if begin == end:
            await send({"type": "http.response.body", "body": b""})
            return
        if "http.response.zerocopysend" in request.scope.get("extensions", ()):
            await send({"type": "http.response.zerocopysend", "file": file, "offset": begin,
                        "count": end - begin})
            return
        loop = asyncio.get_running_loop()
        file.seek(begin)
        left = end - begin
        while left:
            data = await loop.run_in_executor(None, file.read, min(left, FILE_STEP))
            if not data:
                raise OSError(f"{self.path} became shorter while it was sent")
            left -= len(data)
            await send({"type": "http.response.body", "body": data, "more_body": left > 0})


async def _not_there(request: Request, send: Send) -> None:
    await JSONResponse({"detail": "Not Found"}, 404).send(request, send)


def _disposition(kind: str, filename: str) -> str:
    plain = quote(filename, safe="!#$&+-.^_`|~ ")
    if plain == filename:
        return f'{kind}; filename="{filename}"'
    return f"{kind}; filename*=utf-8''{quote(filename, safe='')}"


def _unchanged(request: Request, tag: str, facts: os.stat_result) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        tags = [one.strip().removeprefix("W/") for one in known.split(",")]
        return "*" in tags or tag.removeprefix("W/") in tags
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return int(facts.st_mtime) <= email.utils.parsedate_to_datetime(since).timestamp()
    except (TypeError, ValueError):
        return False


def _range_counts(request: Request, tag: str, modified: str) -> bool:
    if "range" not in request.headers:
        return False
    condition = request.headers.get("if-range")
    return condition is None or condition in (tag, modified)


def _range(field: str, size: int) -> tuple[int, int] | str | None:
    """The one range asked for, as (begin, end); several are answered with the whole file."""
    unit, _, text = field.partition("=")
    first, dash, last = text.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or "," in text:
        return None
    if not all(part == "" or (part.isascii() and part.isdigit() and len(part) <= 19)
               for part in (first, last)):
        return None
    if first == "":
        if last == "":
            return None
        length = min(int(last), size)
        return (size - length, size) if length else "unsatisfiable"
    begin = int(first)
    if last != "" and int(last) < begin:
        return None
    if begin >= size:
        return "unsatisfiable"
    return begin, min(int(last) + 1, size) if last else size


def tag_of(content: bytes) -> str:
    """An entity tag for bytes that stay."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
