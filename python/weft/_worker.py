"""One process that serves: its event loop, the application's lifespan, the server, signals.

Runs on the main thread. The application's code, the event loop and the server take turns on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import random
import signal
import sys
from typing import Any

from ._lifespan import Lifespan, StartupFailed
from ._options import Config
from ._serve import EXIT_DONE, EXIT_FAILED, EXIT_STARTUP, announce_ready, say
from ._version import __version__

logger = logging.getLogger("weft.error")

# Between two looks at how many requests were answered, and whether the server has ended.
LOOK_SECONDS = 0.05
REQUESTS_LOOK_SECONDS = 0.5

_KINDS = {"weft": "weft.App", "asgi3": "ASGI", "asgi2": "ASGI 2", "wsgi": "WSGI"}
_PR_SET_PDEATHSIG = 1


def serve(config: Config, application: Any, kind: str) -> int:
    """Until SIGINT or SIGTERM; the exit status."""
    try:
        from . import _weft  # noqa: F401
    except ImportError as error:
        say(f"the module weft._weft, which is the server, is not there: {error}")
        return EXIT_FAILED
    from . import _loop

    tell = announce_ready()
    if "WEFT_READY_FD" in os.environ or tell is not None:
        _end_with_parent()
    return _loop.run(_Worker(config, application, kind, tell))


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
