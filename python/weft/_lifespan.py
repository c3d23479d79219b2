"""An application's lifespan: what it does before the first request and after the last one.

The protocol is ASGI's. With "auto", an application that raises on a lifespan scope has none, and is
served all the same; with "on" that is an error; with "off" it is not asked.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

logger = logging.getLogger("weft.error")

MODES = ("auto", "on", "off")


class StartupFailed(Exception):
    """The application said that it cannot start; the message is what it said."""


class Lifespan:
    """startup(), then shutdown(), each once, in one event loop. `state` is for every request's
    scope, copied; None where the application has no lifespan."""

    def __init__(self, application: Any, mode: str = "auto") -> None:
        if mode not in MODES:
            raise ValueError(f"lifespan is one of {', '.join(MODES)}, not {mode!r}")
        self._application = application
        self._mode = mode
        self._state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.supported = False

    @property
    def state(self) -> dict[str, Any] | None:
        return self._state if self.supported else None

    async def startup(self) -> None:
        """StartupFailed, or the application's own exception where the mode is "on"."""
        if self._mode == "off":
            return
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"},
                 "state": self._state}
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(scope))
        self._to_application.put_nowait({"type": "lifespan.startup"})
        message = await self._answer()
        if message is None:
            error = self._error()
            if self._mode == "on":
                raise error or StartupFailed("the application returned from its lifespan before "
                                             "it had started")
            if error is not None:
                logger.debug("the application has no lifespan: %r", error)
            return
        if message["type"] == "lifespan.startup.failed":
            # What it raises behind that is the same again.
            await asyncio.wait((self._task,), timeout=5)
            self._error()
            raise StartupFailed(message.get("message") or "the application failed to start")
        self.supported = True

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._application(scope, self._to_application.get, self._from_application.put)

    async def shutdown(self) -> None:
        """StartupFailed's sibling is a log line: the server ends whatever the application says."""
        if not self.supported or self._task is None:
            return
        self._to_application.put_nowait({"type": "lifespan.shutdown"})
        message = await self._answer()
        error = self._error() if self._task.done() else None
        if message is not None and message["type"] == "lifespan.shutdown.failed":
            logger.error("the application failed to shut down\n%s", message.get("message", ""))
        elif error is not None:
            logger.error("the application failed to shut down", exc_info=error)
        if not self._task.done():
            await asyncio.wait((self._task,), timeout=5)
            self._task.cancel()

    async def _answer(self) -> dict[str, Any] | None:
        """What the application says next; None where it has ended instead."""
        assert self._task is not None
        asked = asyncio.ensure_future(self._from_application.get())
        await asyncio.wait((asked, self._task), return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        asked.cancel()
        if not self._from_application.empty():
            return self._from_application.get_nowait()
        return None

    def _error(self) -> BaseException | None:
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()
