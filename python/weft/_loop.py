"""The event loop: asyncio's own selector loop, whose wait is a server's turn.

While a server serves, `select()` runs the server's loop instead of sleeping in epoll, and requests
begin inside it. Before that and afterwards it is epoll's own. One loop, one server at a time, one
thread.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Callable
from typing import Any

from . import _weft


class Selector(selectors.EpollSelector):
    """epoll's selector, with a server that waits in its place while it serves."""

    server: _weft.Server | None = None

    def select(self, timeout: float | None = None) -> Any:
        server = self.server
        if server is not None and server.ended:
            # Not in its own select(): a route that was added has waited for it.
            server = self.server = None
        if server is None:
            return super().select(timeout)
        if server.select(timeout):
            ready = super().select(0)
        else:
            ready = ()
        if server.ended:
            self.server = None
        return ready


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's selector loop, which a server can share."""

    def __init__(self) -> None:
        self._weft_selector = Selector()
        super().__init__(self._weft_selector)
        self.weft_tasks = _weft.Tasks(self)
        if sys.version_info < (3, 12):
            # Captures the first step of tasks; the rest goes to the loop's own.
            self.call_soon = self.weft_tasks.call_soon  # type: ignore[method-assign]

    def _write_to_self(self) -> None:
        # By which call_soon_threadsafe() wakes the loop.
        server = self._weft_selector.server
        if server is None or not server.wake():
            super()._write_to_self()  # type: ignore[misc]

    def start_server(self, server: _weft.Server, settings: dict[str, str],
                     state: dict[str, Any] | None = None) -> str:
        """Sets the server up; nobody is accepted before `server.open()`. Where clients find it."""
        if self._weft_selector.server is not None:
            raise RuntimeError("this event loop serves already")
        location = server.start(settings, self._weft_selector.fileno(), self.weft_tasks, state)
        self._weft_selector.server = server
        return location


class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """Has asyncio make loops that a server can share."""

    def _loop_factory(self) -> EventLoop:
        return EventLoop()


async def serve(server: _weft.Server, settings: dict[str, str],
                state: dict[str, Any] | None = None,
                started: Callable[[str], Any] | None = None) -> None:
    """Serves until the server has ended. `started` is called once clients are accepted."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, EventLoop):
        raise RuntimeError("weft serves on an event loop of its own: see weft._loop.EventLoop")
    location = loop.start_server(server, settings, state)
    server.open()
    if started is not None:
        started(location)
    await server.wait_ended()
