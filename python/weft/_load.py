"""Finds the application that `main:app` names, and says what kind it is.

What goes wrong is told with what was looked for, where, and the nearest name there is; an error
within the application's own module is shown as it is.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import Any, Literal

Interface = Literal["weft", "asgi3", "asgi2", "wsgi"]
INTERFACES = ("auto", "asgi3", "asgi2", "wsgi")


class LoadError(Exception):
    """The application could not be found or made; the message says what to do."""


def load(target: str, app_dir: str | None = ".", factory: bool = False) -> Any:
    """`module:attribute`, where the attribute may have dots, and is "app" or "application" where
    none is named. LoadError; what the module itself raises passes unchanged."""
    module_name, colon, attribute = target.partition(":")
    if module_name.endswith(".py"):
        folder, name = os.path.split(module_name)
        if folder:
            app_dir = os.path.join(app_dir or ".", folder)
        module_name = name[:-3]
    if not module_name or (colon and not attribute):
        raise LoadError(f"'{target}' names no application; write MODULE:NAME, such as main:app")
    if app_dir is not None:
        folder = os.path.abspath(app_dir)
        if folder not in sys.path:
            sys.path.insert(0, folder)
    module = _import(module_name, target, app_dir)
    found = _attribute(module, attribute, target)
    if factory:
        if not callable(found):
            raise LoadError(f"--factory: '{target}' is no function that makes an application")
        try:
            found = found()
        except TypeError as error:
            if _is_of_the_call(error):
                raise LoadError(
                    f"--factory: {target}() cannot be called without arguments: {error}") from None
            raise
    return found


def _is_of_the_call(error: BaseException) -> bool:
    trace = error.__traceback__
    return trace is not None and trace.tb_next is None


def _import(name: str, target: str, app_dir: str | None) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name != missing and not name.startswith(missing + "."):
            raise  # The module is there, and imports something that is not.
        raise LoadError(_not_found(name, missing, target, app_dir)) from None


def _not_found(name: str, missing: str, target: str, app_dir: str | None) -> str:
    lines = [f"there is no module '{missing}' for '{target}'"]
    package, _, last = name.rpartition(".")
    if missing == name and package:
        places = list(getattr(sys.modules.get(package), "__path__", []))
    else:
        places = [os.path.abspath(app_dir)] if app_dir is not None else []
        last = missing
    for place in places:
        lines.append(f"  looked in {place}")
    known = [one.name for one in pkgutil.iter_modules(places)]
    near = difflib.get_close_matches(last, known, 1, 0.5)
    if near:
        lines.append(f"  did you mean '{near[0]}'?")
    elif known:
        lines.append(f"  modules there: {', '.join(sorted(known)[:10])}")
    file = Path(places[0] if places else ".") / f"{target.partition(':')[0]}"
    if "/" in target.partition(":")[0] or file.suffix == ".py":
        lines.append("  a module is named with dots, without .py, and --app-dir says where it is")
    return "\n".join(lines)


def _attribute(module: Any, attribute: str, target: str) -> Any:
    if not attribute:
        for name in ("app", "application"):
            if hasattr(module, name):
                return getattr(module, name)
        attribute = "app"
    found = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [name for name in vars(found) if not name.startswith("_")] \
                if hasattr(found, "__dict__") else []
            where = getattr(module, "__file__", None) or module.__name__
            lines = [f"there is no '{part}' in {where}, for '{target}'"]
            near = difflib.get_close_matches(part, names, 1, 0.5)
            candidates = [name for name in names if _looks_like_one(getattr(found, name, None))]
            if near:
                lines.append(f"  did you mean '{module.__name__}:{near[0]}'?")
            elif candidates:
                lines.append(f"  did you mean '{module.__name__}:{candidates[0]}'?")
            raise LoadError("\n".join(lines)) from None
    return found


def _looks_like_one(value: Any) -> bool:
    if inspect.isclass(value) or inspect.ismodule(value) or not callable(value):
        return False
    return not inspect.isroutine(value) and type(value).__module__ != "typing"


def describe_failure(error: BaseException) -> str:
    """What an import raised, from the application's own lines on."""
    frames = traceback.extract_tb(error.__traceback__)
    own = os.path.dirname(os.path.abspath(__file__))
    kept = [frame for frame in frames
            if not frame.filename.startswith(("<frozen ", own)) and
            not frame.filename.endswith(f"importlib{os.sep}__init__.py")]
    lines = ["Traceback (most recent call last):\n"] if kept else []
    lines += traceback.format_list(kept)
    lines += traceback.format_exception_only(type(error), error)
    return "".join(lines).rstrip()


# ---- Kinds -------------------------------------------------------------------------------------


def interface_of(application: Any) -> Interface:
    """LoadError for what cannot be an application at all."""
    from ._app import App

    if isinstance(application, App):
        return "weft"
    if not callable(application):
        raise LoadError(
            f"{_named(application)} cannot be called, so it is no application; is it a factory's "
            "result, or another name?")
    if inspect.isclass(application):
        return "asgi2" if _takes(application, 1) else "asgi3" \
            if hasattr(application, "__await__") else "wsgi"
    target = application
    while isinstance(target, functools.partial):
        target = target.func
    function = target if inspect.isroutine(target) else type(target).__call__
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        return "asgi3"
    if _takes(application, 3):
        return "asgi3"
    if _takes(application, 2):
        return "wsgi"
    if _takes(application, 1):
        return "asgi2"
    if _takes(application, 0):
        raise LoadError(f"{_named(application)} takes no arguments; a function that makes an "
                        "application is served with --factory")
    raise LoadError(f"{_named(application)} takes neither (scope, receive, send), as ASGI has it, "
                    "nor (environ, start_response), as WSGI has it; force one with --interface")


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*(None,) * count)
    except (TypeError, ValueError):
        return False
    return True


def _named(application: Any) -> str:
    return f"the application, {type(application).__name__} {application!r:.80},"


class Asgi2:
    """An ASGI 2 application, `app(scope)` and then `(receive, send)`, as ASGI 3."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self.application(scope)(receive, send)


def _is_async(application: Any) -> bool:
    target = application
    while isinstance(target, functools.partial):
        target = target.func
    if inspect.isclass(target):
        return False
    return inspect.iscoroutinefunction(
        target if inspect.isroutine(target) else getattr(type(target), "__call__", None))


def _awaiting(application: Any) -> Any:
    """The application as a coroutine function, whatever kind of awaitable a call of it gives."""

    async def awaiting(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await application(scope, receive, send)

    return awaiting


def as_asgi3(application: Any, interface: str = "auto", *, threads: int | None = None,
             multiprocess: bool = False) -> tuple[Any, Interface]:
    """The application as the server calls it, and what it was."""
    kind: Any = interface_of(application) if interface == "auto" else interface
    if kind == "wsgi":
        from ._wsgi import THREADS, WSGI

        return WSGI(application, threads or THREADS, multiprocess), kind
    if kind == "asgi2":
        return Asgi2(application), kind
    return (application if _is_async(application) else _awaiting(application)), kind
