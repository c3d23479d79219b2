"""App: routes, what is around them, and the ASGI application that they make.

An App is an ASGI 3 application, so that every server and test client can run it; weft's own server
takes its routes one by one where they are simple. Handlers run in the event loop of the worker
(executor "inline"), in a pool of threads ("thread"), or in a pool of processes ("worker").
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import os
import traceback
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote, unquote

from . import _openapi, _worker_pool
from ._binding import bound, in_thread, kind_of, name_of
from ._errors import ClientDisconnected, HTTPError
from ._params import Depends
from ._request import Receive, Request, Send
from ._response import (
    BackgroundTasks,
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from ._routes import CallNext, Group, Middleware, Route, RouteOptions, _Entry
from ._routing import Match, Router
from ._values import State

logger = logging.getLogger("weft.error")

ErrorHandler = Callable[[Request, Any], Any]
Scope = dict[str, Any]


class App(Group):
    """An application.

        app = App(title="Books")

        @app.get("/books/{id}")
        def book(id: int): ...

    lifespan is an async generator or context manager function that is given the App: what is
    before its `yield` runs before the first request, what is behind it after the last one, and a
    dict that it yields is where `request.state` begins.
    """

    def __init__(
        self,
        *,
        title: str = "weft",
        version: str = "0.1.0",
        description: str = "",
        summary: str = "",
        servers: Sequence[dict[str, Any]] = (),
        openapi_path: str | None = "/openapi.json",
        docs_path: str | None = "/docs",
        debug: bool = False,
        lifespan: Callable[[App], Any] | None = None,
        on_startup: Iterable[Callable[[], Any]] = (),
        on_shutdown: Iterable[Callable[[], Any]] = (),
        dependencies: Iterable[Depends] = (),
        middleware: Iterable[Middleware] = (),
        trailing_slash: str = "strict",
    ) -> None:
        super().__init__("", dependencies=dependencies)
        if trailing_slash not in ("strict", "redirect", "ignore"):
            raise ValueError("trailing_slash is 'strict', 'redirect' or 'ignore', not "
                             f"{trailing_slash!r}")
        self.title = title
        self.version = version
        self.description = description
        self.summary = summary
        self.servers = list(servers)
        self.openapi_path = openapi_path
        self.docs_path = docs_path
        self.debug = debug
        self.trailing_slash = trailing_slash
        self.state = State()
        self.routes: list[Route] = []
        self._lifespan = lifespan
        self._on_startup = list(on_startup)
        self._on_shutdown = list(on_shutdown)
        self._router: Router[Route] = Router()
        self._error_handlers: dict[Any, ErrorHandler] = {}
        self._mounts: list[tuple[str, Any]] = []
        self._asgi_middleware: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
        self._outermost: Any = None
        self._chains: dict[Route | None, CallNext] = {}
        self._document: bytes | None = None
        self._watchers: list[Callable[[Route], None]] = []
        for one in middleware:
            self.middleware(one)
        _openapi.add_routes(self)

    # ---- What is added ----

    def error(self, kind: int | type[Exception]) -> Callable[[Any], Any]:
        """A decorator for `def (request, error)`, sync or async, which answers a status (404) or
        a class of exceptions. The closest class counts; a status goes before a class.
        `@app.error(500)` answers every exception that nothing else does."""
        is_status = isinstance(kind, int) and 400 <= kind <= 599
        if not is_status and not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise TypeError(f"error() wants a status from 400 to 599 or an exception's class, "
                            f"not {kind!r}")

        def add(handler: Any) -> Any:
            self._error_handlers[kind] = handler
            return handler

        return add

    def on_startup(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """A decorator: called before the first request, in the order added. May be async."""
        self._on_startup.append(function)
        return function

    def on_shutdown(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """A decorator: called after the last request, in the order added. May be async."""
        self._on_shutdown.append(function)
        return function

    def mount(self, prefix: str, application: Any) -> None:
        """Another ASGI application for all paths below `prefix`, which becomes its root_path.
        Routes go before it. Middleware of this App is not around it, that of add_middleware() is.
        Its own lifespan is not run."""
        prefix = prefix.rstrip("/")
        if prefix and not prefix.startswith("/"):
            raise ValueError(f"mount(): {prefix!r} must begin with a slash")
        if not callable(application):
            raise TypeError(f"mount(): {application!r} is no ASGI application")
        self._mounts.append((prefix, application))
        self._mounts.sort(key=lambda one: -len(one[0]))

    def files(self, path: str, folder: str | os.PathLike[str], *, index: str = "index.html",
              fallback: str | None = None, cache_control: str | None = None) -> None:
        """Serves the files of a folder below `path`. `fallback` is the file for what is not there,
        as single-page applications want."""
        root = Path(folder).resolve()
        if not root.is_dir():
            raise ValueError(f"files(): there is no folder {root}")
        headers = {"cache-control": cache_control} if cache_control else None

        async def file(request: Request) -> Response:
            chosen = _below(root, request.path_params.get("path", ""), index)
            if chosen is None and fallback is not None:
                chosen = root / fallback
            if chosen is None:
                raise HTTPError(404)
            return FileResponse(chosen, headers=headers)

        self.get(f"{path.rstrip('/')}/{{path:path}}", hidden=True)(file)

    def add_middleware(self, factory: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """ASGI middleware, as `factory(app, **options)`, around the whole application. The last
        one added is outermost, as with Starlette. For weft's own kind see `middleware`."""
        if not callable(factory):
            raise TypeError(f"add_middleware() wants a class, not {factory!r}")
        self._changed()
        self._asgi_middleware.append((factory, arguments, options))
        self._outermost = None

    def openapi(self) -> dict[str, Any]:
        """The document of all routes that are not hidden, in OpenAPI 3.1."""
        return _openapi.document_of(self)

    def run(self, host: str | None = None, port: int | None = None, **options: Any) -> None:
        """Serves until SIGINT or SIGTERM; options as `weft serve` has them, with underscores.

        With workers above one, or reload, the application is imported anew by each process, so it
        has to be a global variable of its module, and run() has to stand below
        `if __name__ == "__main__":`.
        """
        from . import _serve

        if host is not None:
            options["host"] = host
        if port is not None:
            options["port"] = port
        _serve.run(self, **options)

    # ---- Routes as they come in ----

    def _announce(self, chain: tuple[Group, ...], entry: _Entry) -> None:
        pattern = "".join(group.prefix for group in chain) + entry.pattern
        route = Route(entry.method, pattern, entry.handler, entry.options, chain)
        self._router.add(route.method, pattern, route)
        self.routes.append(route)
        self._document = None
        for watcher in self._watchers:
            watcher(route)

    def _changed(self) -> None:
        if self._watchers:
            raise RuntimeError("middleware is added before the application is served: the server "
                               "has its routes already")
        self._chains.clear()

    def _add_hidden(self, pattern: str, handler: Callable[..., Any]) -> None:
        self._add(_Entry("GET", pattern, handler, RouteOptions(hidden=True)))

    # ---- ASGI ----

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["app"] = self  # Of a mounted one it is not that around it.
            if self._asgi_middleware:
                await self._wrapped()(scope, receive, send)
            else:
                await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003,
                        "reason": "weft.App has no WebSocket routes"})
        else:
            raise ValueError(f"weft.App does not know the scope type {scope['type']!r}")

    def _wrapped(self) -> Any:
        if self._outermost is None:
            wrapped: Any = self._http
            for factory, arguments, options in self._asgi_middleware:
                wrapped = factory(wrapped, *arguments, **options)
            self._outermost = wrapped
        return self._outermost

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = _path_of(scope)
        found = self._router.find(scope["method"], path)
        route = None
        if isinstance(found, Match):
            route = found.route
            request.path_params = found.parameters
            scope["weft.route"] = route.pattern
        else:
            if not found:
                for prefix, mounted in self._mounts:
                    if path.startswith(prefix) and path[len(prefix):len(prefix) + 1] in ("", "/"):
                        await mounted(_below_mount(scope, prefix, path), receive, send)
                        return
                # With all that is around the route, as if its own path had been asked for.
                if self.trailing_slash == "ignore":
                    other = self._router.find(scope["method"], _with_other_slash(path))
                    if isinstance(other, Match):
                        route = other.route
                        request.path_params = other.parameters
                        scope["weft.route"] = route.pattern
            scope["weft.allowed"] = found
        try:
            response = await self._respond(route, request)
        except ClientDisconnected:
            return
        await self._send(request, response, send)

    async def _complete(self, route: Route, scope: Scope, receive: Receive, send: Send,
                        result: Any, error: Any) -> None:
        """Answers with what a handler that the server itself has called returned or raised."""
        scope["app"] = self
        scope["weft.route"] = route.pattern
        request = Request(scope, receive)
        found = self._router.find(scope["method"], _path_of(scope))
        if isinstance(found, Match):
            request.path_params = found.parameters

        async def answer(request: Request) -> Response:
            if error is not None:
                raise error
            given = await result if inspect.isawaitable(result) else result
            return to_response(given, route.options)

        try:
            response = await self._guarded(answer, request)
        except ClientDisconnected:
            return
        await self._send(request, response, send)

    async def _send(self, request: Request, response: Response, send: Send) -> None:
        try:
            await response.send(request, send)
        except ClientDisconnected:
            pass
        finally:
            await _clean_up(response)
            request._close()
        if response.background is not None:
            await _run_background(response.background)

    async def _respond(self, route: Route | None, request: Request) -> Response:
        chain = self._chains.get(route)
        if chain is None:
            chain = self._chains[route] = self._make_chain(route)
        return await chain(request)

    def _make_chain(self, route: Route | None) -> CallNext:
        """The handler with its errors answered, within its middleware from the inside out."""
        if route is None:
            inner = functools.partial(self._guarded, _no_route)
            around = self._middleware
        else:
            inner = functools.partial(self._guarded, functools.partial(self._handle, route))
            around = route.middleware
        call: CallNext = inner
        for one in reversed(around):
            call = functools.partial(one, call_next=call) if _names_call_next(one) else \
                _next_to(one, call)
        return functools.partial(self._guarded, call) if around else call

    async def _guarded(self, call: CallNext, request: Request) -> Response:
        try:
            response = await call(request)
        except ClientDisconnected:
            raise
        except Exception as error:  # The one boundary where exceptions become answers.
            return await self._answer(request, error)
        if isinstance(response, Response):
            return response
        if response is None:
            return await self._answer(request, TypeError(
                "a middleware has returned None; it ends with `return await call_next(request)`, "
                "or with an answer of its own"))
        return to_response(response, RouteOptions())

    async def _handle(self, route: Route, request: Request) -> Response:
        endpoint = route.endpoint
        if not endpoint.has_cleanup:
            arguments = await endpoint.bind(request, None)
            return await self._call(route, request, arguments)
        stack = contextlib.AsyncExitStack()
        try:
            arguments = await endpoint.bind(request, stack)
            response = await self._call(route, request, arguments)
        except BaseException as error:
            # A generator that swallows the exception does not undo it: there is no answer.
            await stack.__aexit__(type(error), error, error.__traceback__)
            raise
        if response.streams:
            response._cleanup = stack  # type: ignore[attr-defined]
        else:
            await stack.aclose()
        return response

    async def _call(self, route: Route, request: Request, arguments: dict[str, Any]) -> Response:
        call = bound(route.endpoint.handler, arguments)
        if route.kind == "async":
            result = await self._watched(route, request, call)
        elif route.options.executor == "thread":
            result = await in_thread(call)
        elif route.options.executor == "worker":
            result = await _worker_pool.call(call)
        else:
            result = call()
            if inspect.isawaitable(result):
                result = await result
        response = to_response(result, route.options)
        extra = request._answer
        if extra is not None:
            response.headers.raw += [pair for pair in extra.headers.raw
                                     if pair[0] == b"set-cookie"]
            response.headers.update({name: extra.headers[name] for name in extra.headers
                                     if name not in ("set-cookie", "content-length")})
            if extra.status_code != 200:
                response.status_code = extra.status_code
        if request._background is not None and len(request._background):
            if response.background is not None and response.background is not request._background:
                for task in response.background:
                    request._background.add(task[0], *task[1], **task[2])
            response.background = request._background
        return response

    async def _watched(self, route: Route, request: Request, call: Callable[[], Any]) -> Any:
        """Cancels the handler when the client goes, if nothing more of the body can be read."""
        if request._body is None and not request._has_body() and not request._stream_begun:
            request._body = b""
        if request._body is None and request._form is None:
            return await call()
        # Begun behind the first step of the handler: what never waits has no use for it.
        loop = asyncio.get_running_loop()
        me = asyncio.current_task()
        watching: list[asyncio.Task[None]] = []

        def watch() -> None:
            watching.append(loop.create_task(_cancel_when_gone(request, me)))

        handle = loop.call_soon(watch)
        try:
            return await call()
        except asyncio.CancelledError:
            if not request._disconnected:
                raise
            if hasattr(me, "uncancel"):
                me.uncancel()  # type: ignore[union-attr]
            raise ClientDisconnected("the client went before it was answered") from None
        finally:
            handle.cancel()
            for task in watching:
                if not task.done():
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    # ---- Errors ----

    async def _answer(self, request: Request, error: Exception) -> Response:
        handler = self._error_handler(error)
        if handler is not None:
            try:
                result = handler(request, error)
                if inspect.isawaitable(result):
                    result = await result
                status = error.status_code if isinstance(error, HTTPError) else 500
                if not isinstance(error, HTTPError) and type(error) is not Exception \
                        and handler is self._error_handlers.get(500):
                    _log(request, error)
                return to_response(result, RouteOptions(status_code=status))
            except Exception as second:
                second.__context__ = error
                error = second
                if isinstance(second, HTTPError):
                    return _plain_answer(second)
        elif isinstance(error, HTTPError):
            return _plain_answer(error)
        _log(request, error)
        if self.debug:
            text = "".join(traceback.format_exception(error))
            return PlainTextResponse(text, 500)
        return JSONResponse({"detail": "Internal Server Error"}, 500)

    def _error_handler(self, error: Exception) -> ErrorHandler | None:
        handlers = self._error_handlers
        if not handlers:
            return None
        if isinstance(error, HTTPError):
            found = handlers.get(error.status_code)
            if found is not None:
                return found
        for kind in type(error).__mro__:
            found = handlers.get(kind)
            if found is not None:
                return found
        return None if isinstance(error, HTTPError) else handlers.get(500)

    # ---- Lifespan ----

    @contextlib.asynccontextmanager
    async def _living(self) -> Any:
        """From before the first request to after the last one; gives the state of requests."""
        async with contextlib.AsyncExitStack() as stack:
            given = None
            if self._lifespan is not None:
                given = await stack.enter_async_context(_as_manager(self._lifespan)(self))
            for function in self._on_startup:
                await _maybe_wait(function())
            try:
                yield given
            finally:
                for function in self._on_shutdown:
                    await _maybe_wait(function())
                _worker_pool.close()

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        assert message["type"] == "lifespan.startup", message
        living = self._living()
        try:
            given = await living.__aenter__()
            if given is not None and "state" in scope:
                scope["state"].update(given)
        except BaseException:
            await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await living.__aexit__(None, None, None)
        except BaseException:
            await send({"type": "lifespan.shutdown.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})


# ---- Parts of it -------------------------------------------------------------------------------


def to_response(result: Any, options: RouteOptions) -> Response:
    """What a handler returned, as an answer; a Response as it is."""
    if isinstance(result, Response):
        return result
    status, headers = options.status_code, None
    if type(result) is tuple and 2 <= len(result) <= 3 and isinstance(result[1], int) \
            and not isinstance(result[1], bool) and 100 <= result[1] <= 599:
        if len(result) == 3:
            headers = dict(result[2])
        result, status = result[0], int(result[1])
        if isinstance(result, Response):
            result.status_code = status
            result.headers.update(headers or {})
            return result
    if options.response_class is not None and not (result is None and status is None):
        return options.response_class(result, status_code=status or 200, headers=headers)
    if isinstance(result, str):
        return PlainTextResponse(result, status or 200, headers)
    if isinstance(result, (bytes, bytearray, memoryview)):
        return Response(bytes(result), status or 200, headers, "application/octet-stream")
    if result is None:
        return Response(None, status or HTTPStatus.NO_CONTENT, headers)
    if isinstance(result, PurePath):
        return FileResponse(result, status or 200, headers)
    if inspect.isgenerator(result) or isinstance(result, AsyncIterable):
        return StreamingResponse(result, status or 200, headers, "text/plain")
    return JSONResponse(result, status or 200, headers)


def _plain_answer(error: HTTPError) -> Response:
    if error.status_code < 200 or error.status_code in (204, 304):
        return Response(None, error.status_code, error.headers)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _log(request: Request, error: Exception) -> None:
    logger.error("%s %s failed", request.method, request.path,
                 exc_info=(type(error), error, error.__traceback__))


async def _no_route(request: Request) -> Response:
    allowed = request.scope.get("weft.allowed") or ()
    if not allowed:
        app: App = request.scope["app"]
        other = _sent_on(app, request) if app.trailing_slash == "redirect" else None
        if other is not None:
            return other
        raise HTTPError(404)
    listed = {"allow": ", ".join(sorted(allowed))}
    if request.method == "OPTIONS":
        return Response(None, 204, listed)
    raise HTTPError(405, headers=listed)


def _with_other_slash(path: str) -> str:
    return (path[:-1] or "/") if path.endswith("/") else path + "/"


def _sent_on(app: App, request: Request) -> Response | None:
    other = _with_other_slash(_path_of(request.scope))
    if not isinstance(app._router.find(request.method, other), Match):
        return None
    query = request.query_string
    # Never "//elsewhere", which would lead to another host.
    target = request.root_path + "/" + other.lstrip("/")
    status = 301 if request.method in ("GET", "HEAD") else 308
    return Response(None, status, {"location": target + (f"?{query}" if query else "")})


def _path_of(scope: Scope) -> str:
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"], safe="/:@!$&'()*+,;=~-._")
    root = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root):len(root) + 1] in ("", "/"):
        return path[len(root):] or "/"
    return path or "/"


def _below_mount(scope: Scope, prefix: str, path: str) -> Scope:
    # Without the prefix, which older and newer frameworks understand both.
    rest = path[len(prefix):] or "/"
    return {**scope, "root_path": scope.get("root_path", "") + prefix,
            "path": unquote(rest), "raw_path": rest.encode("latin-1")}


async def _cancel_when_gone(request: Request, handler: asyncio.Task[Any] | None) -> None:
    while not request._disconnected:
        message = await request._receive()
        request._disconnected = message["type"] == "http.disconnect"
    if handler is not None:
        handler.cancel()


async def _clean_up(response: Response) -> None:
    stack = getattr(response, "_cleanup", None)
    if stack is not None:
        await stack.aclose()


async def _run_background(tasks: BackgroundTasks) -> None:
    for function, arguments, named in tasks:
        try:
            await _maybe_wait(function(*arguments, **named))
        except Exception:
            logger.exception("the background task %s failed", name_of(function))


async def _maybe_wait(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _names_call_next(middleware: Middleware) -> bool:
    return "call_next" in inspect.signature(middleware).parameters


def _next_to(middleware: Middleware, call: CallNext) -> CallNext:
    async def around(request: Request) -> Response:
        return await middleware(request, call)

    return around


def _as_manager(lifespan: Callable[[App], Any]) -> Callable[[App], Any]:
    kind = kind_of(lifespan)
    if kind == "async generator":
        return contextlib.asynccontextmanager(lifespan)
    if kind == "plain":
        return lifespan
    raise TypeError(f"lifespan={name_of(lifespan)}: wanted is an async generator function, "
                    "`async def lifespan(app): …; yield; …`")


def _below(root: Path, path: str, index: str) -> Path | None:
    """The file for a path of a client; it leads nowhere out of the folder."""
    if "\0" in path or "\\" in path:
        return None
    try:
        chosen = (root / path.lstrip("/")).resolve()
        if not chosen.is_relative_to(root):
            return None
        if chosen.is_dir():
            chosen = chosen / index
        return chosen if chosen.is_file() and not path.endswith("/.") else None
    except (OSError, ValueError):
        return None
