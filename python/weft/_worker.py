"""One worker: its event loop, the application's lifespan, the server, signals.

Runs on the thread of its interpreter, the main thread where that is the only one. The application's
code, the event loop and the server take turns on it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import random
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from . import _worker_pool
from ._app import App
from ._lifespan import Lifespan, StartupFailed
from ._options import Config
from ._serve import EXIT_DONE, EXIT_FAILED, EXIT_STARTUP, announce_ready, say
from ._subinterpreters import Channel, Crew
from ._supervisor import READY_VARIABLE
from ._version import __version__
from ._wsgi import THREADS

logger = logging.getLogger("weft.error")

# Between two looks at how many requests were answered.
REQUESTS_LOOK_SECONDS = 0.2

_KINDS = {"weft": "weft.App", "asgi3": "ASGI", "asgi2": "ASGI 2", "wsgi": "WSGI"}
# As the server names what it runs for each request.
_REQUEST_TASK = "weft request"
# For what was cancelled to end in.
CANCEL_SECONDS = 5


def serve(config: Config, application: Any, kind: str, channel: Channel | None = None) -> int:
    """Until SIGINT or SIGTERM, or until the main interpreter says so; the exit status."""
    try:
        from . import _loop
    except ImportError as error:
        say(f"the server itself, the module weft._weft, cannot be loaded: {error}\n"
            f"      it is built for one version of Python; this is {sys.version.split()[0]}")
        return EXIT_FAILED
    if channel is None:
        supervised = READY_VARIABLE in os.environ
        worker = Worker(config, application, kind, announce_ready(), supervised)
    else:
        worker = Worker(config, application, kind, channel.tell, True, channel)
    loop = _loop.EventLoop()
    asyncio.set_event_loop(loop)
    try:
        status = loop.run_until_complete(worker.run(loop))
    finally:
        worker.cut_off(loop)
        _close(loop)
        _worker_pool.kill()
    if worker.abandons:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    return status


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """What the application has left behind is ended, as asyncio.run() does it."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=CANCEL_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


class Worker:
    """Runs once. `tell` is what its supervisor hears; without one it is heard by nobody. With a
    `channel` it is one of the interpreters beside the main one, who have no signals."""

    def __init__(self, config: Config, application: Any, kind: str, tell: Callable[[str], None],
                 supervised: bool, channel: Channel | None = None) -> None:
        self._config = config
        self._application = with_headers(application, config.header)
        self._kind = kind
        self._tell = tell
        self._supervised = supervised
        self._channel = channel
        self._crew: Crew | None = None
        self.abandons = False  # interpreters that never started, which no end waits for
        self._status = EXIT_DONE
        self._server: Any = None
        self._stopping = False
        self._stopped_at: float | None = None
        self._hurry = asyncio.Event()

    async def run(self, loop: Any) -> int:
        config = self._config
        threads = concurrent.futures.ThreadPoolExecutor(config.threads or THREADS, "weft-thread")
        loop.set_default_executor(threads)
        lifespan = Lifespan(self._application, config.lifespan)
        try:
            await lifespan.startup()
        except StartupFailed as error:
            say(f"the application did not start\n{error}")
            return EXIT_STARTUP
        except Exception:
            logger.exception("the application did not start")
            return EXIT_STARTUP
        try:
            if self._channel is None and config.interpreters > 1:
                self._crew = Crew(config, config.interpreters - 1, self._tell, self._lose)
                if not await self._crew.ready():
                    say("not all interpreters have started")
                    return EXIT_FAILED
            self._server = self._make_server()
            if self._channel is not None:
                self._channel.listen(loop, self.stop)
                self._tell("ready")
                await self._channel.opened()
            if not self._stopping:
                await self._serve(loop, lifespan)
        except (OSError, ValueError) as error:
            say(str(error))
            self._status = EXIT_FAILED
        finally:
            if self._crew is not None and not self._stopping:
                self._crew.stop()
            await lifespan.shutdown()
            if self._crew is not None:
                self._status = max(self._status, await self._crew.ended())
                self.abandons = self._crew.abandons
            threads.shutdown(wait=False, cancel_futures=True)
        return self._status

    def _make_server(self) -> Any:
        from . import _native, _weft

        if isinstance(self._application, App):
            return _native.server_of(self._application, self._config.root_path)
        server = _weft.Server()
        root_path = self._config.root_path
        server.add_asgi(self._application, root_path, path_prefix_of(root_path),
                        encoded_bodies=True)
        return server

    async def _serve(self, loop: Any, lifespan: Lifespan) -> None:
        config = self._config
        location = loop.start_server(self._server, config.server_settings(), lifespan.state)
        signals = (signal.SIGINT, signal.SIGTERM) if self._channel is None else ()
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        if self._channel is None and self._supervised:
            # A terminal's are the supervisor's alone.
            loop.add_signal_handler(signal.SIGHUP, lambda: None)
        self._server.open()
        if self._crew is not None:
            self._crew.open()
        if self._channel is None:
            self._tell("ready")
        if not config.quiet and not self._supervised:
            say(f"{__version__} serves {config.application} ({_KINDS[self._kind]}) on {location}, "
                f"{self._server.stats()['backend']}, 1 process (pid {os.getpid()})")
        limiting = None
        if config.limit_max_requests is not None:
            limiting = asyncio.ensure_future(self._until_enough(limit_of(config)))
        try:
            await self._server.wait_ended()
            await self._finish(loop)
        finally:
            if limiting is not None:
                limiting.cancel()
            for number in signals:
                loop.remove_signal_handler(number)

    def _lose(self) -> None:
        """The others end, too: whoever supervises starts all of them anew."""
        self._status = EXIT_FAILED
        if self._server is not None and not self._stopping:
            say("one of the interpreters has ended; the process ends with it")
            self.stop()

    async def _finish(self, loop: Any) -> None:
        """What requests do behind their answers, such as background tasks, has the time that
        they have themselves, and is cancelled then."""
        left = {task for task in asyncio.all_tasks() if task.get_name() == _REQUEST_TASK}
        begun = loop.time() if self._stopped_at is None else self._stopped_at
        deadline = begun + self._config.timeout_graceful_shutdown
        hurry = asyncio.ensure_future(self._hurry.wait())
        while left and not hurry.done() and loop.time() < deadline:
            done, _ = await asyncio.wait((*left, hurry), timeout=deadline - loop.time(),
                                         return_when=asyncio.FIRST_COMPLETED)
            left -= done
        hurry.cancel()
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CANCEL_SECONDS)

    def stop(self) -> None:
        """Requests end first; the second time they do not."""
        if self._crew is not None:
            self._crew.stop()
        if self._stopping:
            self._hurry.set()
            if not self._server.ended:
                self._server.cut_off()
            return
        self._stopping = True
        self._stopped_at = asyncio.get_running_loop().time()
        if self._server.serves:
            self._server.drain()

    def cut_off(self, loop: Any) -> None:
        """Whatever has ended the loop, such as a SystemExit: the server ends before it."""
        if self._server is not None and self._server.serves:
            self._server.cut_off()
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                loop.run_until_complete(self._server.wait_ended())

    async def _until_enough(self, limit: int) -> None:
        while self._server.stats()["requests"] < limit:
            await asyncio.sleep(REQUESTS_LOOK_SECONDS)
        if self._supervised:
            # It goes on until its successor accepts requests, and is told to end then.
            self._tell("recycle")
        elif not self._stopping:
            say(f"ending after {limit} requests, as --limit-max-requests says")
            self.stop()


def limit_of(config: Config) -> int:
    limit = config.limit_max_requests
    jitter = config.limit_max_requests_jitter
    return limit + random.randint(0, limit // 10 if jitter is None else jitter)


def path_prefix_of(root_path: str) -> str:
    """What stands before the paths that an application is told. Starlette takes root_path off them
    from 0.33 on; what is older, and what does not know of that, wants them without it."""
    starlette = sys.modules.get("starlette")
    version = re.match(r"(\d+)\.(\d+)", getattr(starlette, "__version__", ""))
    if not root_path or version is None or (int(version[1]), int(version[2])) < (0, 33):
        return ""
    return quote(root_path)


def with_headers(application: Any, headers: tuple[str, ...]) -> Any:
    """The application, whose answers carry these headers, too."""
    if not headers:
        return application
    pairs = []
    for header in headers:
        name, _, value = header.partition(":")
        pairs.append((name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")))

    async def adding(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]],
                     send: Callable[[Any], Awaitable[None]]) -> None:
        async def sending(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *pairs]}
            await send(message)

        await application(scope, receive, sending if scope["type"] == "http" else send)

    return adding
