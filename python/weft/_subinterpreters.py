"""Workers that are interpreters of one process: `--executor subinterpreter`.

Each has a lock (GIL) of its own, and so a processor of its own, and everything that a worker that
is a process has: the application imported anew, a lifespan, an event loop and a server on the same
socket. The main interpreter is one of them; the others have a thread each, and talk with it over a
socket: it says `open` and `stop`, they say `ready`, `recycle` and `ended STATUS`, a line each.
Nobody accepts before all of them are ready.

Whether an application can be had more than once is tried before, in a process that ends then: a
module of C that was not made for it may leave that process unfit for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ._load import LoadError, as_asgi3, describe_failure, load
from ._options import Config
from ._supervisor import PID_VARIABLE

# From here on the standard library has what makes and runs them.
FIRST_VERSION = (3, 13)
# Until the application has been imported, once or twice.
PROBE_SECONDS = 120
# In which the process that tries says what it found, in so many characters at most.
PROBE_VARIABLE = "WEFT_PROBE_FD"
REFUSAL_MAX = 4000


def missing() -> str | None:
    """Why this Python has none."""
    if sys.version_info < FIRST_VERSION:
        return (f"it wants Python {'.'.join(map(str, FIRST_VERSION))}; "
                f"this is {'.'.join(map(str, sys.version_info[:2]))}")
    return None


def _create() -> int:
    interpreters = importlib.import_module("_interpreters")
    # As isolated ones are, but that they may start other programs.
    settings = interpreters.new_config("isolated", allow_fork=True, allow_exec=True)
    return interpreters.create(settings, reqrefs=False)


def _execute(number: int, function: str, *arguments: Any) -> str | None:
    """Runs a function of this module in it; what went wrong."""
    interpreters = importlib.import_module("_interpreters")
    packed = pickle.dumps((sys.path, arguments))
    failure = interpreters.exec(number, (
        "import pickle, sys\n"
        f"sys.path[:], arguments = pickle.loads({packed!r})\n"
        f"from weft import _subinterpreters\n_subinterpreters.{function}(*arguments)\n"))
    return None if failure is None else failure.formatted


# ---- Whether the application can be had more than once -------------------------------------------


def probe(words: Sequence[str]) -> str | None:
    """Why the application of this command cannot; None also where it cannot be had at all, which
    its processes will say better."""
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            words, pass_fds=(writer,),
            env={**os.environ, PROBE_VARIABLE: str(writer), PID_VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as error:
        os.close(reader)
        return f"it could not be tried: {error.strerror}"
    finally:
        os.close(writer)
    try:
        said = _line_of(reader, time.monotonic() + PROBE_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(reader)
    if said is None:
        return f"it did not load within {PROBE_SECONDS} s"
    if not said:
        return "the interpreter that tried ended without a word"
    return json.loads(said)


def _line_of(reader: int, deadline: float) -> bytes | None:
    """Up to its end, or that of who writes; None where neither came in time."""
    said = b""
    while not said.endswith(b"\n"):
        if not select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return None
        part = os.read(reader, 4096)
        if not part:
            return b""
        said += part
    return said


def answer_probe(config: Config) -> None:
    """In the process that tries. Does not return."""
    writer = int(os.environ.pop(PROBE_VARIABLE))
    # What the application starts is not to keep it open.
    os.set_inheritable(writer, False)
    failure = _execute(_create(), "_try", config) if _loads_here(config) else None
    if failure is not None:
        failure = failure.removeprefix("weft._load.LoadError: ")[:REFUSAL_MAX]
    with open(writer, "w", encoding="ascii") as file:
        file.write(json.dumps(failure) + "\n")
    # What has failed to load may not be able to end.
    os._exit(0)


def _loads_here(config: Config) -> bool:
    try:
        load(config.application, config.app_dir, config.factory)
    except (Exception, SystemExit):
        return False
    return True


def _try(config: Config) -> None:
    from . import _weft
    from ._app import App

    assert _weft is not None
    application = load(config.application, config.app_dir, config.factory)
    as_asgi3(application, config.interface)
    if isinstance(application, App) and any(
            route.options.executor == "worker" for route in application.routes):
        raise LoadError('it has routes with executor="worker", which only processes have')


# ---- The main interpreter's part ----------------------------------------------------------------


class _Interpreter:
    """One of the others. `heard` is called with what it says; with "" when it has gone."""

    def __init__(self, config: Config, heard: Callable[[_Interpreter, str], None]) -> None:
        self.status: int | None = None  # once it has ended
        self.is_ready = False
        self._heard = heard
        self._begun = b""
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._thread = threading.Thread(target=self._run, args=(config,), name="weft-interpreter")
        asyncio.get_running_loop().add_reader(self._ours, self._hear)
        self._thread.start()

    def _run(self, config: Config) -> None:
        number = None
        try:
            number = _create()
            failure = _execute(number, "_serve", config, self._theirs.fileno())
            if failure is not None:
                print(f"weft: an interpreter failed\n{failure}", file=sys.stderr, flush=True)
        finally:
            # Before its threads are waited for, which may take for ever.
            self._theirs.close()
            if number is not None:
                importlib.import_module("_interpreters").destroy(number)

    def _hear(self) -> None:
        try:
            said = self._ours.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            asyncio.get_running_loop().remove_reader(self._ours)
            self._ours.close()
            if self.status is None:
                self.status = 1
            self._heard(self, "")
            return
        *lines, self._begun = (self._begun + said).split(b"\n")
        for line in lines:
            word, _, value = line.decode("ascii").partition(" ")
            if word == "ready":
                self.is_ready = True
            elif word == "ended":
                self.status = int(value)
            self._heard(self, word)

    def say(self, word: str) -> None:
        with contextlib.suppress(OSError):
            self._ours.send(f"{word}\n".encode())


class Crew:
    """The others. `tell` hears of those that want to be replaced, `lost` when one ends that nobody
    has told to. On the event loop's thread."""

    def __init__(self, config: Config, count: int, tell: Callable[[str], None],
                 lost: Callable[[], None]) -> None:
        self._tell = tell
        self._lost = lost
        self._stopping = False
        self._changed = asyncio.Event()
        self.abandons = False  # who never got ready: they may be anywhere
        self._all = [_Interpreter(config, self._heard) for _ in range(count)]

    def _heard(self, one: _Interpreter, word: str) -> None:
        self._changed.set()
        if word == "recycle":
            self._tell(word)
        elif word == "" and not self._stopping:
            self._lost()

    async def _until(self, done: Callable[[_Interpreter], bool]) -> None:
        while not all(done(one) for one in self._all):
            self._changed.clear()
            await self._changed.wait()

    async def ready(self) -> bool:
        """Whether all of them serve."""
        await self._until(lambda one: one.is_ready or one.status is not None)
        return all(one.status is None for one in self._all)

    async def ended(self) -> int:
        """The worst status. Who is not ready is not waited for."""
        await self._until(lambda one: one.status is not None or not one.is_ready)
        self.abandons = any(one.status is None for one in self._all)
        return max((one.status or 0 for one in self._all), default=0)

    def open(self) -> None:
        for one in self._all:
            one.say("open")

    def stop(self) -> None:
        """As a signal does with a process: the second one is in a hurry."""
        self._stopping = True
        for one in self._all:
            one.say("stop")


# ---- The part of each of them --------------------------------------------------------------------


class Channel:
    """How one of them talks with the main interpreter."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._opened = asyncio.Event()

    def tell(self, word: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, f"{word}\n".encode())

    def listen(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
        def hear() -> None:
            said = os.read(self._descriptor, 4096)
            if b"open" in said:
                self._opened.set()
            for _ in range(said.count(b"stop") if said else 1):
                stop()
                self._opened.set()
            if not said:
                loop.remove_reader(self._descriptor)

        loop.add_reader(self._descriptor, hear)

    async def opened(self) -> None:
        """Until the main interpreter wants it to accept, or to end."""
        await self._opened.wait()


def _serve(config: Config, descriptor: int) -> None:
    from ._serve import EXIT_FAILED, set_up_logging

    channel = Channel(descriptor)
    status = EXIT_FAILED
    try:
        set_up_logging(config)
        loaded = _loaded(config)
        if loaded is not None:
            from . import _worker

            status = _worker.serve(config, *loaded, channel)
    except SystemExit as error:  # Of a handler.
        status = error.code if isinstance(error.code, int) else EXIT_FAILED
    finally:
        channel.tell(f"ended {status}")
        logging.shutdown()
        # This thread is a stranger to this interpreter's `threading`, which forgets it too late.
        getattr(threading, "_thread_local", threading.local()).__dict__.clear()


def _loaded(config: Config) -> tuple[Any, str] | None:
    from ._serve import say

    try:
        application = load(config.application, config.app_dir, config.factory)
        return as_asgi3(application, config.interface, threads=config.threads, multiprocess=True)
    except LoadError as error:
        say(str(error))
    except (Exception, SystemExit) as error:
        say(f"the application {config.application} does not load in an interpreter of its own\n"
            f"{describe_failure(error)}")
    return None
