"""Request: what a client asks, as handlers and middleware see it, over an ASGI scope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import _json
from ._errors import ClientDisconnected, HTTPError
from ._forms import Form, media_type_of, read_form
from ._values import Headers, MultiDict, State, parse_cookies, parse_fields

if TYPE_CHECKING:
    from ._app import App

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PATH_SAFE = "/:@!$&'()*+,;=~"

# What body(), json() and form() without files take, unless the server's own limit is lower.
BODY_BYTES_MAX = 64 << 20
# Of a body that nobody has read yet: so much is kept while its client is watched.
KEPT_BYTES_MAX = 1 << 20


class Request:
    """Belongs to one request and one event loop. The body can be read once as a stream; body(),
    json() and form() keep what they have read, and may be called again and in any order."""

    __slots__ = ("scope", "_receive", "path_params", "_headers", "_query", "_cookies", "_state",
                 "_body", "_form", "_stream_begun", "_stream_ended", "_when_ended",
                 "_kept", "_kept_bytes", "_asked", "_disconnected", "_background", "_answer")

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self.path_params: dict[str, str] = {}
        self._headers: Headers | None = None
        self._query: MultiDict | None = None
        self._cookies: dict[str, str] | None = None
        self._state: State | None = None
        self._body: bytes | None = None
        self._form: Form | None = None
        self._stream_begun = False
        self._stream_ended = False
        self._when_ended: asyncio.Future[None] | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._asked: asyncio.Future[Message] | None = None
        self._disconnected = False
        self._background: Any = None
        self._answer: Any = None

    # ---- The head ----

    @property
    def method(self) -> str:
        return self.scope["method"]

    @property
    def path(self) -> str:
        """Decoded, with what the application is mounted below."""
        return self.scope["path"]

    @property
    def query_string(self) -> str:
        return self.scope.get("query_string", b"").decode("latin-1")

    @property
    def query(self) -> MultiDict:
        """The values of the query; 400 where there are too many of them."""
        if self._query is None:
            try:
                self._query = parse_fields(self.query_string)
            except ValueError:
                raise HTTPError(400, "The query has too many fields") from None
        return self._query

    @property
    def headers(self) -> Headers:
        if self._headers is None:
            self._headers = Headers(raw=self.scope["headers"])
        return self._headers

    @property
    def cookies(self) -> Mapping[str, str]:
        if self._cookies is None:
            self._cookies = parse_cookies(self.headers.get_all("cookie"))
        return self._cookies

    @property
    def scheme(self) -> str:
        return self.scope.get("scheme", "http")

    @property
    def host(self) -> str:
        """As the client has it; of the server's socket where it said none."""
        named = self.headers.get("host")
        if named:
            return named
        server = self.scope.get("server") or ("localhost", None)
        return server[0] if server[1] is None else f"{server[0]}:{server[1]}"

    @property
    def url(self) -> str:
        path = self.scope.get("raw_path")
        text = path.decode("latin-1") if path is not None else quote(self.path, safe=_PATH_SAFE)
        query = self.query_string
        return f"{self.scheme}://{self.host}{text}" + (f"?{query}" if query else "")

    @property
    def root_path(self) -> str:
        """What the application is mounted below, such as /api; usually nothing."""
        return self.scope.get("root_path", "")

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port; None over a Unix socket."""
        client = self.scope.get("client")
        return (client[0], client[1]) if client else None

    @property
    def http_version(self) -> str:
        return self.scope.get("http_version", "1.1")

    @property
    def app(self) -> App:
        return self.scope["app"]

    @property
    def route(self) -> str | None:
        """The pattern that the path fits; None where none does."""
        return self.scope.get("weft.route")

    @property
    def state(self) -> State:
        """For what middleware, dependencies and handlers of this request hand to each other; it
        begins with what the lifespan has put into it."""
        if self._state is None:
            self._state = State(self.scope.setdefault("state", {}))
        return self._state

    # ---- The body ----

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they arrive. ClientDisconnected where the client goes."""
        if self._body is not None:
            if self._body:
                yield self._body
            return
        if self._stream_begun:
            raise RuntimeError("the body has been read as a stream already, or nobody asked for "
                               "it before the answer went out")
        self._stream_begun = True
        kept, self._kept = self._kept, []
        for part in kept:
            yield part
        while True:
            # What _gone() has asked for goes first.
            asked, self._asked = self._asked, None
            message = await (self._receive() if asked is None else asked)
            if message["type"] == "http.disconnect":
                self._disconnected = True
                raise ClientDisconnected("the client went before its body was there")
            part = message.get("body", b"")
            if part:
                yield part
            if not message.get("more_body", False):
                self._stream_ended = True
                if self._when_ended is not None and not self._when_ended.done():
                    self._when_ended.set_result(None)
                return

    async def body(self) -> bytes:
        """The whole of it; 413 where it has over BODY_BYTES_MAX bytes."""
        if self._body is None:
            parts = []
            size = 0
            async for part in self.stream():
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise HTTPError(413, f"The body has over {BODY_BYTES_MAX} bytes")
                parts.append(part)
            self._body = parts[0] if len(parts) == 1 else b"".join(parts)
        return self._body

    async def json(self) -> Any:
        """The body as JSON; 400 where it is none."""
        data = await self.body()
        try:
            return _json.loads(data)
        except ValueError as error:
            raise HTTPError(400, f"The body is no JSON: {error}") from None

    async def text(self) -> str:
        _, parameters = media_type_of(self.headers.get("content-type", ""))
        try:
            return (await self.body()).decode(parameters.get("charset", "utf-8"))
        except (LookupError, ValueError):
            raise HTTPError(400, "The body is not in the encoding that it says") from None

    async def form(self) -> Form:
        """The fields and files of a form; 400, 413 or 415 for what is none."""
        if self._form is None:
            self._form = await read_form(self.headers.get("content-type", ""), self.stream())
        return self._form

    async def is_disconnected(self) -> bool:
        """Whether the client has gone. Only after the body was read: this throws away the rest."""
        if not self._disconnected:
            waiting = asyncio.ensure_future(self._receive())  # type: ignore[arg-type]
            await asyncio.sleep(0)
            if waiting.done():
                self._disconnected = waiting.result()["type"] == "http.disconnect"
            else:
                waiting.cancel()
        return self._disconnected

    def _has_body(self) -> bool:
        for name, value in self.scope["headers"]:
            if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
                return True
        return self.http_version[:1] in ("2", "3") and self.method not in ("GET", "HEAD")

    async def _gone(self) -> None:
        """Returns when the client has gone. The body is for whoever reads it: what comes of it is
        kept, and while stream() reads, this waits."""
        while not self._disconnected:
            if self._is_read():
                self._when_ended = asyncio.get_running_loop().create_future()
                await self._when_ended
                continue
            asked = self._asked = asyncio.ensure_future(self._receive())  # type: ignore[arg-type]
            try:
                await asyncio.wait((asked,))
            finally:
                asked.cancel()
            if self._asked is not asked or self._is_read():
                continue  # It is stream()'s.
            self._asked = None
            message = asked.result()
            if message["type"] == "http.disconnect":
                self._disconnected = True
            elif self._body is None and not self._stream_begun:
                self._keep(message)

    def _is_read(self) -> bool:
        return self._body is None and self._stream_begun and not self._stream_ended

    def _keep(self, message: Message) -> None:
        part = message.get("body", b"")
        self._kept_bytes += len(part)
        if part:
            self._kept.append(part)
        if self._kept_bytes > KEPT_BYTES_MAX:
            # It is thrown away, and the rest of it: who goes behind it is noticed then.
            self._kept.clear()
            self._stream_begun = self._stream_ended = True
        elif not message.get("more_body", False):
            self._body = b"".join(self._kept)
            self._kept.clear()

    def _close(self) -> None:
        if self._form is not None:
            self._form.close()

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"
