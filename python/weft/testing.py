"""TestClient: asks an application in its own process, without a port.

    from weft.testing import TestClient

    with TestClient(app) as client:
        assert client.get("/users/7", params={"q": "a"}).json() == {"id": 7, "q": "a"}

It takes any ASGI 3 application. Within `with` the application's lifespan is run; without, it is
not. A client has an event loop of its own, which runs while it waits for an answer: so it is for
plain functions, and belongs to one thread. It keeps cookies as a browser would, for one host.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.cookies
import json as json_module
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

from . import _json
from ._errors import phrase_of
from ._lifespan import Lifespan
from ._values import Headers

# Redirects that are followed in a row.
REDIRECTS_MAX = 20

Fields = Mapping[str, Any] | Sequence[tuple[str, Any]]


class StatusError(Exception):
    """raise_for_status() met a status from 400 on."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status_code} {response.reason} for {response.url}: "
                         f"{response.content[:200]!r}")
        self.response = response


class Response:
    """An answer, whole."""

    def __init__(self, url: str, method: str, status_code: int, headers: Headers,
                 content: bytes) -> None:
        self.url = url
        self.method = method
        self.status_code = status_code
        self.headers = headers
        self.content = content
        self.history: list[Response] = []
        self.cookies = {name: morsel.value for field in headers.get_all("set-cookie")
                        for name, morsel in http.cookies.SimpleCookie(field).items()}

    @property
    def reason(self) -> str:
        return phrase_of(self.status_code)

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def is_redirect(self) -> bool:
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def encoding(self) -> str:
        kind = self.headers.get("content-type", "")
        _, charset, name = kind.partition("charset=")
        return name.strip('" ;') if charset else "utf-8"

    @property
    def text(self) -> str:
        return self.content.decode(self.encoding, "replace")

    def json(self) -> Any:
        return json_module.loads(self.content)

    def raise_for_status(self) -> Response:
        if not self.ok:
            raise StatusError(self)
        return self

    def __repr__(self) -> str:
        return f"<Response {self.status_code} {self.reason}>"


class _Exchange:
    """One request given to the application, and what it has answered so far."""

    def __init__(self, application: Any, scope: dict[str, Any], body: list[bytes],
                 loop: asyncio.AbstractEventLoop) -> None:
        self.status: int | None = None
        self.headers = Headers()
        self.parts: list[bytes] = []
        self.complete = False
        self._body = body
        self._changed = asyncio.Event()
        self._gone = asyncio.Event()
        self._method = scope["method"]
        self.task = loop.create_task(application(scope, self._receive, self._send))
        self.task.add_done_callback(lambda _: self._changed.set())

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            part = self._body.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._body)}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if self._gone.is_set():
            raise OSError("the client has gone")
        kind = message["type"]
        if kind == "http.response.start":
            if self.status is not None:
                raise RuntimeError("the application has begun its answer twice")
            self.status = message["status"]
            self.headers = Headers(raw=[(bytes(name).lower(), bytes(value))
                                        for name, value in message.get("headers", ())])
        elif kind == "http.response.body":
            if self.status is None:
                raise RuntimeError("the application has sent a body before the answer's start")
            if self.complete:
                raise RuntimeError("the application has sent a body behind the answer's end")
            data = bytes(message.get("body", b""))
            if data and self._method != "HEAD":
                self.parts.append(data)
            self.complete = not message.get("more_body", False)
        elif kind != "http.response.debug":
            raise RuntimeError(f"the application has sent {kind!r}, which is not known here")
        self._changed.set()

    def _raise_if_failed(self) -> None:
        if self.task.done() and not self.task.cancelled():
            error = self.task.exception()
            if error is not None:
                raise error

    async def begin(self) -> None:
        """Until there is a status."""
        while self.status is None:
            self._raise_if_failed()
            if self.task.done():
                raise RuntimeError("the application has returned without an answer")
            self._changed.clear()
            await self._changed.wait()

    async def next_part(self) -> bytes | None:
        while not self.parts:
            self._raise_if_failed()
            if self.complete or self.task.done():
                return None
            self._changed.clear()
            await self._changed.wait()
        return self.parts.pop(0)

    async def end(self) -> None:
        """Until the application has returned: its background tasks are over then, too."""
        await asyncio.wait((self.task,))
        self._raise_if_failed()
        if not self.complete:
            raise RuntimeError("the application has returned before its answer was complete")

    async def leave(self) -> None:
        """As a client does that closes its connection."""
        self._gone.set()
        done, _ = await asyncio.wait((self.task,), timeout=10)
        if not done:
            self.task.cancel()
            await asyncio.wait((self.task,))
            raise RuntimeError("the application went on for 10 s after its client had gone")
        if not self.task.cancelled() and self.task.exception() is not None \
                and not isinstance(self.task.exception(), OSError):
            raise self.task.exception()  # type: ignore[misc]


class StreamedResponse:
    """An answer that is read while the application still makes it."""

    def __init__(self, client: TestClient, exchange: _Exchange) -> None:
        assert exchange.status is not None
        self.status_code = exchange.status
        self.headers = exchange.headers
        self._client = client
        self._exchange = exchange

    def iter_bytes(self) -> Iterator[bytes]:
        while True:
            part = self._client._wait(self._exchange.next_part())
            if part is None:
                return
            yield part

    def iter_lines(self) -> Iterator[str]:
        held = ""
        for part in self.iter_bytes():
            *lines, held = (held + part.decode()).split("\n")
            yield from (line.removesuffix("\r") for line in lines)
        if held:
            yield held

    def read(self) -> bytes:
        return b"".join(self.iter_bytes())


class TestClient:
    """Methods are named for those of HTTP, and take params, headers, cookies, one of content,
    data, json and files, and follow_redirects, as requests and httpx do.

    An exception that the application lets out of itself is raised here; with
    raise_server_exceptions=False it is answered with 500, as a server would.
    """

    __test__ = False  # It is no test, whatever its name begins with.

    def __init__(self, app: Any, base_url: str = "http://testserver", *,
                 headers: Mapping[str, str] | None = None,
                 cookies: Mapping[str, str] | None = None, follow_redirects: bool = True,
                 raise_server_exceptions: bool = True, root_path: str = "",
                 client: tuple[str, int] = ("testclient", 50000)) -> None:
        self.app = app
        self.base_url = base_url
        self.headers = dict(headers or {})
        self.cookies = dict(cookies or {})
        self.follow_redirects = follow_redirects
        self.raise_server_exceptions = raise_server_exceptions
        self.root_path = root_path
        self.client = client
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifespan: Lifespan | None = None
        self._state: dict[str, Any] | None = None

    # ---- Its life ----

    def __enter__(self) -> TestClient:
        self._lifespan = Lifespan(self.app, "auto")
        try:
            self._wait(self._lifespan.startup())
        except BaseException:
            self.close()
            raise
        self._state = self._lifespan.state
        return self

    def __exit__(self, *_: object) -> None:
        lifespan, self._lifespan = self._lifespan, None
        try:
            if lifespan is not None:
                self._wait(lifespan.shutdown())
        finally:
            self.close()

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    def __del__(self) -> None:
        # Nothing can be waited for here; close() and `with` do it properly.
        if self._loop is not None and not self._loop.is_running():
            self._loop.close()

    def _wait(self, coroutine: Any) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run_until_complete(coroutine)
        coroutine.close()
        raise RuntimeError("TestClient waits by itself: call it in a plain function, not within a "
                           "running event loop")

    # ---- Requests ----

    def get(self, url: str, **options: Any) -> Response:
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        options.setdefault("follow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Response:
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> Response:
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> Response:
        return self.request("DELETE", url, **options)

    def options(self, url: str, **options: Any) -> Response:
        return self.request("OPTIONS", url, **options)

    def request(self, method: str, url: str, *, follow_redirects: bool | None = None,
                **options: Any) -> Response:
        follow = self.follow_redirects if follow_redirects is None else follow_redirects
        response = self._once(method, url, **options)
        history: list[Response] = []
        while follow and response.is_redirect:
            if len(history) >= REDIRECTS_MAX:
                raise RuntimeError(f"over {REDIRECTS_MAX} redirects, at last to {response.url}")
            history.append(response)
            target = urljoin(response.url, response.headers["location"])
            if response.status_code == 303 or (
                    response.status_code in (301, 302) and method == "POST"):
                method = "HEAD" if method == "HEAD" else "GET"
                options = {"headers": options.get("headers")}
            options.pop("params", None)
            response = self._once(method, target, **options)
        response.history = history
        return response

    def _once(self, method: str, url: str, **options: Any) -> Response:
        return self._wait(self._ask(method, url, options))

    async def _ask(self, method: str, url: str, options: dict[str, Any]) -> Response:
        exchange, asked = self._exchange(method, url, options)
        parts = []
        try:
            await exchange.begin()
            while (part := await exchange.next_part()) is not None:
                parts.append(part)
            await exchange.end()
        except Exception:
            if self.raise_server_exceptions:
                raise
            if exchange.status is None:
                return Response(asked, method, 500, Headers(), b"Internal Server Error")
        assert exchange.status is not None
        response = Response(asked, method, exchange.status, exchange.headers, b"".join(parts))
        self._keep_cookies(response.headers)
        return response

    @contextlib.contextmanager
    def stream(self, method: str, url: str, **options: Any) -> Iterator[StreamedResponse]:
        """An answer to be read while it is made; what is left when the block ends is not read:
        the application sees its client go."""

        async def begin() -> _Exchange:
            exchange, _ = self._exchange(method, url, options)
            await exchange.begin()
            return exchange

        exchange = self._wait(begin())
        self._keep_cookies(exchange.headers)
        try:
            yield StreamedResponse(self, exchange)
        finally:
            self._wait(exchange.leave())

    # ---- How a request is made ----

    def _exchange(self, method: str, url: str,
                  options: dict[str, Any]) -> tuple[_Exchange, str]:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers |= {name.lower(): value for name, value in (options.pop("headers", None)
                                                            or {}).items()}
        cookies = self.cookies | dict(options.pop("cookies", None) or {})
        # As it is written: a server must cope with dots in paths itself.
        whole = url if "://" in url else self.base_url.rstrip("/") + "/" + url.removeprefix("/")
        split = urlsplit(whole)
        query = split.query
        params = options.pop("params", None)
        if params:
            query = "&".join(part for part in (query, _urlencoded(params)) if part)
        body = _body_of(options, headers)
        if options:
            raise TypeError(f"unknown options: {', '.join(options)}")
        headers.setdefault("host", split.netloc)
        headers.setdefault("user-agent", "weft-testclient")
        headers.setdefault("accept", "*/*")
        if body or method in ("POST", "PUT", "PATCH"):
            headers.setdefault("content-length", str(sum(map(len, body))))
        if cookies and "cookie" not in headers:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        raw_path = quote(split.path or "/", safe="/%:@!$&'()*+,;=~-._")
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1", "method": method.upper(), "scheme": split.scheme,
            "path": unquote(raw_path), "raw_path": raw_path.encode(),
            "query_string": query.encode(), "root_path": self.root_path,
            "headers": [(name.encode(), str(value).encode("latin-1"))
                        for name, value in headers.items()],
            "client": self.client, "server": (split.hostname or "testserver", split.port or 80),
        }
        if self._state is not None:
            scope["state"] = dict(self._state)
        assert self._loop is not None
        asked = split._replace(query=query).geturl()
        return _Exchange(self.app, scope, body or [b""], self._loop), asked

    def _keep_cookies(self, headers: Headers) -> None:
        for field in headers.get_all("set-cookie"):
            pair, _, attributes = field.partition(";")
            name, _, value = pair.partition("=")
            gone = "max-age=0" in attributes.lower().replace(" ", "")
            if gone:
                self.cookies.pop(name.strip(), None)
            else:
                self.cookies[name.strip()] = value.strip().strip('"')


def _urlencoded(fields: Fields | str) -> str:
    if isinstance(fields, str):
        return fields
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    flat = []
    for name, value in pairs:
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if one is not None:
                flat.append((name, {True: "true", False: "false"}[one]
                             if isinstance(one, bool) else one))
    return urlencode(flat)


def _body_of(options: dict[str, Any], headers: dict[str, Any]) -> list[bytes]:
    content, data = options.pop("content", None), options.pop("data", None)
    files = options.pop("files", None)
    if "json" in options:
        headers.setdefault("content-type", "application/json")
        return [_json.dumps(options.pop("json"))]
    if files is not None:
        boundary = secrets.token_hex(16)
        headers["content-type"] = f"multipart/form-data; boundary={boundary}"
        return [_multipart(boundary, data or {}, files)]
    if isinstance(data, (str, bytes)):
        content, data = data, None
    if data is not None:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
        return [_urlencoded(data).encode()]
    if content is None:
        return []
    if isinstance(content, str):
        return [content.encode()]
    if isinstance(content, (bytes, bytearray)):
        return [bytes(content)]
    # In pieces; its length is not known to the application.
    parts = [part.encode() if isinstance(part, str) else bytes(part) for part in content]
    headers.setdefault("transfer-encoding", "chunked")
    headers.setdefault("content-length", None)
    del headers["content-length"]
    return [*parts, b""]


def _multipart(boundary: str, fields: Fields, files: Any) -> bytes:
    """files: a mapping or pairs of names to bytes, open files, or (filename, content, type)."""
    out = bytearray()

    def part(name: str, extra: str, content: Any) -> None:
        data = content.read() if hasattr(content, "read") else content
        data = data if isinstance(data, bytes) else str(data).encode()
        out.extend(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
                   .encode() + data + b"\r\n")

    for name, value in fields.items() if isinstance(fields, Mapping) else fields:
        for one in value if isinstance(value, (list, tuple)) else (value,):
            part(name, "", one)
    for name, value in files.items() if isinstance(files, Mapping) else files:
        filename, content, kind = name, value, "application/octet-stream"
        if isinstance(value, tuple):
            filename, content, *rest = value
            kind = rest[0] if rest else kind
        elif hasattr(value, "name"):
            filename = os.path.basename(value.name)
        part(name, f'; filename="{filename}"\r\nContent-Type: {kind}', content)
    out += f"--{boundary}--\r\n".encode()
    return bytes(out)
