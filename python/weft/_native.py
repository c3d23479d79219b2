"""Gives the server an App's routes: the simple ones to be called by the server itself.

Simple is a handler in the event loop, whose parameters are plain values of the path and the query,
with nothing around it: neither middleware nor dependencies. All else, and whatever does not fit, is
answered by the App as an ASGI application, so that both ways answer alike.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from . import _json, _weft
from ._app import App
from ._routes import Route

logger = logging.getLogger("weft.error")


def server_of(app: App, root_path: str) -> Any:
    """A server with all routes of the application, and those that are added later."""
    server = _weft.Server()
    server.add_asgi(app, root_path)
    try:
        for route in app.routes:
            _add(server, app, route)
    except ValueError as error:
        # The server's patterns are stricter than the application's in a few cases.
        logger.debug("all routes are answered by Python: %s", error)
        server = _weft.Server()
        server.add_asgi(app, root_path)
        return server

    def added(route: Route) -> None:
        try:
            _add(server, app, route)
        except ValueError as error:
            logger.warning("%s %s: %s", route.method or "any", route.pattern, error)

    app._watchers.append(added)
    return server


def _add(server: Any, app: App, route: Route) -> None:
    pattern = route.pattern.replace(":str}", "}")
    server.add_route(route.method or None, pattern, native_of(app, route))


def native_of(app: App, route: Route) -> Any:
    """What the server calls; None for what is not simple."""
    options = route.options
    if (route.middleware or app._asgi_middleware or options.executor != "inline"
            or options.response_class is not None or route.endpoint.threads):
        return None
    plan = route.endpoint.plan()
    if plan is None or any(source not in ("path", "query") for _, source, *_ in plan):
        return None
    # A default that could be changed by one request is not shared with the next.
    if any(isinstance(default, (list, dict, set)) for *_, default in plan):
        return None
    status = options.status_code or 0
    if status and not 200 <= status <= 599:
        return None

    async def complete(scope: dict[str, Any], receive: Any, send: Any, result: Any,
                       error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):
            raise error
        await app._complete(route, scope, receive, send, result, error)

    return _weft.Route(route.handler, plan, route.kind == "async", complete, status, _json.plain)
