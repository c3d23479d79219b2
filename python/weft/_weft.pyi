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

class Server:
    """A server with its routes. Routes first, then start(), then open(); all else is for a Server
    that serves. One loop, the one whose tasks start() was given, calls select()."""

    def __init__(self) -> None: ...
    def add_asgi(self, app: Callable[..., Any], root_path: str = "") -> None:
        """Has an ASGI application answer all that no other route does."""
    def start(self, settings: dict[str, str], selector_fd: int, tasks: Tasks,
              state: dict[str, Any] | None = None) -> str:
        """Sets the server up. Settings by the names of docs/configuration.md ("host", "port",
        "uds", "fd", "access_log", …), values as text as its flags take them. `state`: the
        lifespan's; each request's scope has a copy. Where clients will find it. ValueError for a
        setting that makes no sense, OSError when it cannot listen; both say what to do."""
    def open(self) -> None:
        """Accepts clients from the next select() on."""
    def select(self, timeout: float | None, /) -> bool:
        """Serves until asyncio has something to do. Whether the selector has something ready."""
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
