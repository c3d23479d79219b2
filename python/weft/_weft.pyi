"""What the C module offers. Everything is of one interpreter and one thread, unless said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__version__: str

class Tasks:
    """Tasks of one loop whose first step is taken at once."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def call_soon(self, callback: Callable[..., Any], *args: Any,
                  context: Any = None) -> asyncio.Handle:
        """To be set as the loop's own call_soon(), which start() needs before Python 3.12."""
    def start(self, coroutine: Coroutine[Any, Any, Any], /) -> asyncio.Task[Any]:
        """A task of the coroutine, which has taken its first step already."""

class Route:
    """A handler that the server calls itself, and where its arguments come from.

    `plan`: (name, source, key, kind, required, default) of each parameter: source "path" or
    "query"; kind "str", "int", "float" or "bool", of the query also with "[]" for a list of all
    values. The handler is called with all arguments by their names.

    A request whose values are missing or do not fit goes to the application of add_asgi(), which
    says so. Of the handler's result, str, bytes, None (204), int, float, bool, dict and list, all
    of exactly these types, are answered here, with `status` or what is usual; `default` gives
    json_dumps() what has no JSON itself. With every other result, and with an exception,
    `complete(scope, receive, send, result, error)` is called, an ASGI application with two
    arguments more (error None or result None). The task of an asynchronous handler is cancelled
    when its client goes; that needs no answer.
    """

    def __init__(self, handler: Callable[..., Any], plan: tuple[tuple[Any, ...], ...],
                 is_async: bool, complete: Callable[..., Any], status: int = 0,
                 default: Callable[[Any], Any] | None = None) -> None: ...

class Server:
    """A server with its routes. Routes first, then start(), then open(); all else is for a Server
    that serves. One loop, the one whose tasks start() was given, calls select()."""

    def __init__(self) -> None: ...
    def add_asgi(self, app: Callable[..., Any], root_path: str = "",
                 path_prefix: str = "", encoded_bodies: bool = False) -> None:
        """Has an ASGI application answer all that no other route does. `path_prefix`, quoted as in
        a URL, stands before all paths that it is told. Without `encoded_bodies` those that have a
        Content-Encoding are answered 415, with it they are the application's to decode."""
    def add_route(self, method: str | None, pattern: str, route: Route | None, /) -> None:
        """Adds a route of weft's patterns (docs/routing.md); behind add_asgi(), also while it
        serves, also by a handler. method None: all that have no route of their own. route None:
        the ASGI application answers, so that a pattern less exact does not. Paths and methods
        without a route are the application's. ValueError for what is no pattern, or cannot be told
        from another route's."""
    def start(self, settings: dict[str, str], selector_fd: int, tasks: Tasks,
              state: dict[str, Any] | None = None) -> str:
        """Sets the server up. Settings by the names of docs/configuration.md ("host", "port",
        "uds", "fd", "access_log", …), values as text as its flags take them. `state`: the
        lifespan's; each request's scope has a copy. Where clients will find it. ValueError for a
        setting that makes no sense, OSError when it cannot listen; both say what to do.
        request_timeout is ten years unless it is given. With "fd" other processes may accept from
        the same socket: what is not accepted when this one drains is left to them."""
    def open(self) -> None:
        """Accepts clients from the next select() on."""
    def select(self, timeout: float | None, /) -> bool:
        """Serves until asyncio has something to do. Whether the selector has something ready."""
    def wake(self) -> bool:
        """Has select() look at what the loop has got meanwhile; from any thread. False: the server
        does not serve, and so is in no select()."""
    def drain(self) -> None:
        """Lets requests finish, and then ends. A server that does not end in the time of
        `drain_grace` and what follows it ends the process with status 70, and says where it hangs."""
    def cut_off(self) -> None:
        """Ends without waiting for requests."""
    def wait_ended(self) -> asyncio.Future[None]:
        """A future, done when the server has ended."""
    def stats(self) -> dict[str, Any]: ...
    @property
    def serves(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def port(self) -> int: ...
    @property
    def location(self) -> str: ...

def json_dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """As json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"),
    default=default).encode() does."""
