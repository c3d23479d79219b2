"""Processes for handlers that compute for long: executor="worker".

Each has the application's modules imported anew, and calls one handler at a time. Arguments and
results are pickled, and so a handler must be a function of its module, and take no Request.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.process
import functools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from ._errors import HTTPError
from ._values import State

# Processes for one server process, unless WEFT_WORKER_PROCESSES says another number.
PROCESSES_MAX = 8
# As the threads for worker routes in C++ and Lua are.
NICE = 15
# Calls that may wait for a process; over it 503, so that a line never grows without end.
WAITING_MAX = 256

_pool: concurrent.futures.ProcessPoolExecutor | None = None
# Processes of pools that were closed: some may still be in a call.
_ending: list[Any] = []
_waiting = 0


def processes() -> int:
    wished = os.environ.get("WEFT_WORKER_PROCESSES", "")
    if wished:
        if not wished.isdigit() or not 1 <= int(wished) <= 512:
            raise ValueError(f"WEFT_WORKER_PROCESSES is a number from 1 to 512, not {wished!r}")
        return int(wished)
    return min(len(os.sched_getaffinity(0)), PROCESSES_MAX)


def _begin(paths: list[str]) -> None:
    # They end when the server does: a terminal's signals are the server's alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:] = paths
    # The event loops come first where both want the processor.
    os.nice(NICE)
    # Not by prctl(): that looks at the thread that has started this process, which may end sooner.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _started() -> concurrent.futures.ProcessPoolExecutor:
    global _pool
    if _pool is None:
        _pool = concurrent.futures.ProcessPoolExecutor(
            processes(), mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin, initargs=(list(sys.path),))
    return _pool


async def call(function: Callable[[], Any]) -> Any:
    """The function's result, from another process. HTTPError 503 where too many wait."""
    global _waiting
    if _waiting >= WAITING_MAX:
        raise HTTPError(503, "Too many requests wait for a worker", {"retry-after": "1"})
    _check(function)
    pool = _started()
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, function)
    except concurrent.futures.process.BrokenProcessPool as error:
        # One of them died, of a signal perhaps: the next call starts others. Who waits with this
        # one may have done so already.
        _drop(pool)
        raise RuntimeError("the worker process ended while it ran the handler") from error
    finally:
        _waiting -= 1


def _check(function: Callable[[], Any]) -> None:
    if isinstance(function, functools.partial):
        for name, value in function.keywords.items():
            if isinstance(value, State) or type(value).__name__ == "Request":
                raise TypeError(
                    f"executor='worker': the parameter {name} cannot go to another process; "
                    "take what is needed of the request as parameters of their own")
    try:
        pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            "executor='worker': the handler and its arguments go to another process, so it must "
            f"be a function at the top of its module ({error})") from None


def _drop(pool: concurrent.futures.ProcessPoolExecutor) -> None:
    global _pool
    if _pool is pool:
        _pool = None
    _ending[:] = [process for process in _ending if process.is_alive()]
    _ending.extend((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)


def close() -> None:
    """Ends the processes when their calls have; a later call starts others."""
    if _pool is not None:
        _drop(_pool)


def kill() -> None:
    """Ends the processes at once: nobody waits for their calls any more."""
    close()
    for process in _ending:
        process.kill()
    _ending.clear()
