"""Supervisor: holds the listening socket and keeps so many processes serving it.

A process that ends is started again, at once at first and ever later when it keeps failing. SIGHUP
replaces all of them, one after the other, each only when its successor accepts requests; SIGTERM
and SIGINT end them, and a second SIGINT or SIGTERM ends them without waiting. A process that is
busy is never killed: only one that does not end when it was told to, after the time it has for it.

It is a plain program of one thread, which loads nothing of the application. A worker says over a
pipe (its descriptor is in WEFT_READY_FD) `ready` when it accepts, `recycle` when it has answered
as many requests as it should, and nothing else. The kernel ends it when the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import selectors
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ._reload import Watch

READY_VARIABLE = "WEFT_READY_FD"
# By which a worker sees whether its supervisor has gone before it could ask to be told.
PID_VARIABLE = "WEFT_SUPERVISOR_PID"
# Back-off of a process that fails: it doubles from one to the other.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0
# Until a successor is started again that the system could not start.
ROLL_PAUSE_SECONDS = 1.0
# One that served for this long had started well: its end says nothing about the next one.
STEADY_SECONDS = 10.0
# All processes fail to start so many times in a row, before one was ever ready: the server ends.
START_ATTEMPTS = 3
# Beside the time that requests get, for the application's shutdown; then SIGKILL.
LAST_RESORT_SECONDS = 20.0
# Until no more files change, as when an editor or a checkout writes several.
QUIET_SECONDS = 0.1


class ListenError(Exception):
    """The socket cannot be opened; the message says why, and what to do."""


def open_socket(host: str, port: int, uds: str | None = None,
                uds_mode: str | None = None) -> socket.socket:
    """A listening socket, for all processes."""
    if uds is not None:
        return _open_unix(uds, uds_mode)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM,
                                   flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ListenError(f"--host {host} is no address: {error.strerror}") from None
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind(address)
        made.listen(4096)
    except OSError as error:
        made.close()
        advice = ""
        if error.errno == errno.EADDRINUSE:
            advice = "; another program listens there: stop it, or choose another --port"
        elif error.errno == errno.EACCES:
            advice = "; ports below 1024 need CAP_NET_BIND_SERVICE"
        raise ListenError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}{advice}") from None
    return made


def _open_unix(path: str, mode: str | None) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise ListenError(f"--uds {path}: something other than a socket is there; move it "
                                  "away or choose another path")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(path) == 0:
                    raise ListenError(f"--uds {path}: another server listens there; stop it or "
                                      "choose another path")
            os.unlink(path)
        made.bind(path)
        if mode:
            os.chmod(path, int(mode, 8))
        made.listen(4096)
    except OSError as error:
        made.close()
        raise ListenError(f"--uds {path}: {os.strerror(error.errno or 0)}") from None
    except BaseException:
        made.close()
        raise
    return made


class Worker:
    """One process, from its start to its end."""

    def __init__(self, number: int, process: subprocess.Popen[bytes], pipe: int) -> None:
        self.number = number
        self.process = process
        self.pipe = pipe  # what it says; -1 when it has closed its end
        self.started = time.monotonic()
        self.ready_since: float | None = None
        self.stopping_since: float | None = None
        self.replaces: Worker | None = None
        self.killed = False

    @property
    def pid(self) -> int:
        return self.process.pid


class Supervisor:
    """run() starts `count` processes of `command`, and returns the exit status when all is over.

    `command` is given the descriptor of the socket, and returns the words to execute.
    """

    def __init__(self, command: Callable[[int], Sequence[str]], count: int,
                 listener: socket.socket | int, *, grace_seconds: float = 10.0,
                 say: Callable[[str], None] = lambda text: None,
                 watch: Watch | None = None) -> None:
        self._command = command
        self._count = count
        self._listener = listener if isinstance(listener, int) else listener.fileno()
        self._grace_seconds = grace_seconds
        self._say = say
        self._watch = watch
        self._changed: set[str] = set()
        self._reload_at = math.inf
        self._reloaded = 0.0
        self._look_at = math.inf  # for a watch that has to be asked
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._failures = [0] * count
        self._start_at: dict[int, float] = {index: 0.0 for index in range(count)}
        self._to_replace: list[Worker] = []
        self._roll_at = 0.0
        self._stopping = False
        self._impatient = False
        self._ever_ready = False
        self._status = 0
        self._signals: list[int] = []

    # ---- Its loop ----

    def run(self) -> int:
        wake_reader, wake_writer = socket.socketpair()
        wake_reader.setblocking(False)
        wake_writer.setblocking(False)
        self._selector.register(wake_reader, selectors.EVENT_READ, None)
        if self._watch is not None:
            if self._watch.fd is not None:
                self._selector.register(self._watch.fd, selectors.EVENT_READ, self._watch)
            else:
                self._look_at = time.monotonic() + self._watch.interval_seconds
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, self._on_signal) for number in wanted}
        previous = signal.set_wakeup_fd(wake_writer.fileno())
        try:
            while True:
                self._handle_signals()
                self._reap()
                if self._stopping and not self._workers:
                    return self._status
                self._look_for_changes()
                self._start_due()
                self._roll()
                self._kill_overdue()
                for key, _ in self._selector.select(self._patience()):
                    if key.data is None:
                        with contextlib.suppress(BlockingIOError):
                            wake_reader.recv(4096)
                    elif key.data is self._watch:
                        self._look()
                    else:
                        self._hear(key.data)
        finally:
            for worker in self._workers:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
                worker.process.wait()
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            wake_reader.close()
            wake_writer.close()

    def _on_signal(self, number: int, frame: Any) -> None:
        self._signals.append(number)

    def _handle_signals(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            if number in (signal.SIGTERM, signal.SIGINT):
                if self._stopping:
                    self._impatient = True
                self.stop()
            elif number == signal.SIGHUP:
                self.reload()

    def _patience(self) -> float | None:
        """Seconds until something is due; None where only a signal or a worker can be next."""
        due = []
        if not self._stopping:
            due += [*self._start_at.values(), self._reload_at, self._look_at]
            if self._to_replace and not self._is_rolling():
                due.append(self._roll_at)
        due += [one.stopping_since + self._grace_seconds + LAST_RESORT_SECONDS
                for one in self._workers
                if one.stopping_since is not None and not one.killed]
        first = min(due, default=math.inf)
        return None if first == math.inf else max(0.0, first - time.monotonic())

    # ---- What it does ----

    def _look(self) -> None:
        assert self._watch is not None
        changed = self._watch.changed()
        if changed:
            self._changed |= changed
            self._reload_at = time.monotonic() + QUIET_SECONDS

    def _look_for_changes(self) -> None:
        if self._watch is None or self._stopping:
            return
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + self._watch.interval_seconds
            self._look()
        if now >= self._reload_at:
            changed, self._changed = sorted(self._changed), set()
            self._reload_at = math.inf
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            self._say(f"{os.path.relpath(changed[0])}{more} changed: loading the new code")
            self.reload()

    def stop(self) -> None:
        """All processes end, and then run() returns."""
        self._stopping = True
        self._to_replace.clear()
        for worker in self._workers:
            self._tell_to_stop(worker)
            if self._impatient:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()

    def reload(self) -> None:
        """Each process is replaced by a new one, which has the application's new code."""
        if self._stopping:
            return
        self._reloaded = time.monotonic()
        self._roll_at = 0.0
        # A successor of the last time may never get ready: it is waited for no more.
        for worker in self._workers:
            if worker.replaces is not None:
                worker.replaces = None
                self._tell_to_stop(worker)
        self._to_replace = [one for one in self._workers if one.stopping_since is None]
        # Who failed before may succeed now.
        for index in self._start_at:
            self._start_at[index] = 0.0
        self._failures = [0] * self._count
        if self._watch is None:
            self._say(f"replacing {len(self._to_replace)} workers")

    def _start_due(self) -> None:
        if self._stopping:
            return
        now = time.monotonic()
        for index in [index for index, when in self._start_at.items() if when <= now]:
            del self._start_at[index]
            self._start(index)

    def _start(self, index: int, replaces: Worker | None = None) -> Worker | None:
        reader = writer = -1
        try:
            reader, writer = os.pipe()
            os.set_inheritable(writer, True)
            os.set_inheritable(self._listener, True)
            process = subprocess.Popen(
                list(self._command(self._listener)), pass_fds=(self._listener, writer),
                env={**os.environ, READY_VARIABLE: str(writer), PID_VARIABLE: str(os.getpid())},
                start_new_session=True)
        except OSError as error:
            if reader >= 0:
                os.close(reader)
            self._say(f"a worker cannot be started: {error}")
            if replaces is None:
                self._start_at[index] = time.monotonic() + self._pause(index)
            else:
                self._to_replace.insert(0, replaces)
                self._roll_at = time.monotonic() + ROLL_PAUSE_SECONDS
            return None
        finally:
            if writer >= 0:
                os.close(writer)
        os.set_blocking(reader, False)
        worker = Worker(index, process, reader)
        worker.replaces = replaces
        self._workers.append(worker)
        self._selector.register(reader, selectors.EVENT_READ, worker)
        return worker

    def _pause(self, index: int) -> float:
        self._failures[index] += 1
        doubled = FIRST_PAUSE_SECONDS * 2 ** min(self._failures[index] - 1, 16)
        return min(doubled, LONGEST_PAUSE_SECONDS)

    def _hear(self, worker: Worker) -> None:
        try:
            said = os.read(worker.pipe, 4096)
        except BlockingIOError:
            return
        if not said:
            # It has ended, or is about to: SIGCHLD says so.
            self._selector.unregister(worker.pipe)
            os.close(worker.pipe)
            worker.pipe = -1
            return
        for line in said.decode("ascii", "replace").split():
            if line == "ready" and worker.ready_since is None:
                worker.ready_since = time.monotonic()
                self._ever_ready = True
                if worker.replaces is not None:
                    self._tell_to_stop(worker.replaces)
                    worker.replaces = None
            elif line == "recycle" and worker.stopping_since is None \
                    and worker not in self._to_replace:
                self._to_replace.append(worker)

    def _is_rolling(self) -> bool:
        return any(one.replaces is not None for one in self._workers)

    def _roll(self) -> None:
        """Starts the successor of the next process to be replaced, one at a time."""
        if self._stopping or self._is_rolling():
            return
        while self._to_replace and self._roll_at <= time.monotonic():
            old = self._to_replace.pop(0)
            if old in self._workers and old.stopping_since is None:
                self._start(old.number, old)
                return

    def _tell_to_stop(self, worker: Worker) -> None:
        if worker.stopping_since is None:
            worker.stopping_since = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                worker.process.terminate()

    def _kill_overdue(self) -> None:
        limit = time.monotonic() - self._grace_seconds - LAST_RESORT_SECONDS
        for worker in self._workers:
            if worker.stopping_since is not None and worker.stopping_since <= limit \
                    and not worker.killed:
                worker.killed = True
                self._say(f"worker {worker.pid} did not end in time, and is killed")
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()

    def _reap(self) -> None:
        for worker in list(self._workers):
            status = worker.process.poll()
            if status is None:
                continue
            self._workers.remove(worker)
            if worker.pipe >= 0:
                self._hear(worker)
            if worker.pipe >= 0:
                self._selector.unregister(worker.pipe)
                os.close(worker.pipe)
            self._ended(worker, status)

    def _ended(self, worker: Worker, status: int) -> None:
        if self._stopping:
            if status not in (0, -signal.SIGTERM) and not self._impatient:
                self._status = self._status or 1
            return
        if worker.replaces is not None:
            # The new code does not start: the old one stays, and the others, too.
            old = worker.replaces
            if self._reloaded <= worker.started:  # else there is newer code yet
                self._to_replace.clear()
            self._say(f"the new worker ended ({_how(status)}) before it was ready; worker "
                      f"{old.pid} goes on with the code it has")
            return
        successor = next((one for one in self._workers if one.replaces is worker), None)
        if successor is not None:
            successor.replaces = None
            return
        if worker.stopping_since is not None:
            return
        if self._watch is not None and worker.ready_since is None:
            # The code does not start: it is tried again when it has changed.
            self._say("waiting for a file to change")
            self._start_at[worker.number] = math.inf
            return
        ready = worker.ready_since
        if ready is not None and time.monotonic() - ready >= STEADY_SECONDS:
            self._failures[worker.number] = 0
        pause = self._pause(worker.number)
        if not self._ever_ready and self._failures[worker.number] >= START_ATTEMPTS:
            self._say("the workers do not start; what they said stands above")
            self._status = 1
            self.stop()
            return
        self._say(f"worker {worker.pid} ended ({_how(status)}); another one starts in {pause:g} s")
        self._start_at[worker.number] = time.monotonic() + pause


def _how(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def words_of_python() -> list[str]:
    """How this interpreter is run again, with the options that it was given."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags]
