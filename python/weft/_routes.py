"""What App and Group have in common: decorators for routes, middleware, groups.

Routes may be added at any time; those added while the application serves take effect at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ._binding import Endpoint, kind_of, name_of
from ._params import EXECUTORS, Depends, Executor
from ._request import Request
from ._response import Response
from ._routing import check_method, parse_pattern

Handler = TypeVar("Handler", bound=Callable[..., Any])
CallNext = Callable[[Request], Awaitable[Response]]
Middleware = Callable[[Request, CallNext], Awaitable[Response]]


@dataclass
class RouteOptions:
    """All that a route's decorator may say beside its method and pattern."""

    status_code: int | None = None
    executor: Executor = "inline"
    dependencies: Sequence[Depends] = ()
    middleware: Sequence[Middleware] = ()
    response_class: type[Response] | None = None
    response_model: Any = None
    responses: dict[int, Any] = field(default_factory=dict)
    name: str | None = None
    summary: str | None = None
    description: str | None = None
    tags: Sequence[str] = ()
    operation_id: str | None = None
    deprecated: bool = False
    hidden: bool = False


class Route:
    """A handler at a pattern, below its groups from the outermost on."""

    def __init__(self, method: str, pattern: str, handler: Callable[..., Any],
                 options: RouteOptions, groups: tuple[Group, ...]) -> None:
        self.method = method  # "" is any
        self.pattern = pattern
        self.handler = handler
        self.options = options
        self.groups = groups
        self.path_names = frozenset(one.name for one in parse_pattern(pattern) if one.name)
        before = [one for group in groups for one in group.dependencies]
        self.endpoint = Endpoint(handler, self.path_names, (*before, *options.dependencies),
                                 options.executor)
        self.kind = kind_of(handler)
        self.name = options.name or name_of(handler)
        self.tags = list(dict.fromkeys(
            [*(tag for group in groups for tag in group.tags), *options.tags]))
        if options.executor not in EXECUTORS:
            raise ValueError(
                f"{method or 'any'} {pattern}: executor is one of {', '.join(EXECUTORS)}, not "
                f"{options.executor!r}"
            )
        if options.executor != "inline" and self.kind != "plain":
            raise TypeError(
                f"{method or 'any'} {pattern}: executor={options.executor!r} is for plain `def` "
                f"handlers; {self.name} is an {self.kind} function and runs in the event loop"
            )

    @property
    def middleware(self) -> list[Middleware]:
        return [*(one for group in self.groups for one in group._middleware),
                *self.options.middleware]

    def __repr__(self) -> str:
        return f"<Route {self.method or 'any'} {self.pattern} {self.name}>"


@dataclass
class _Entry:
    method: str
    pattern: str
    handler: Callable[..., Any]
    options: RouteOptions


def check_middleware(function: Any) -> Any:
    if kind_of(function) != "async":
        raise TypeError(f"middleware is `async def {name_of(function)}(request, call_next)`")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        raise TypeError(
            f"middleware takes two arguments, (request, call_next); {name_of(function)}() takes "
            f"{inspect.signature(function)}"
        ) from None
    return function


class Group:
    """Routes below a prefix, with what they share. Made by `app.group("/v1")`, or by itself, to
    be put into an application or another group with `include()`."""

    def __init__(self, prefix: str = "", *, dependencies: Iterable[Depends] = (),
                 middleware: Iterable[Middleware] = (), tags: Iterable[str] = ()) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(
                f"the prefix {prefix!r} of a group begins with a slash, and does not end with one")
        if prefix:
            parse_pattern(prefix)
        self.prefix = prefix
        self.dependencies = list(dependencies)
        self.tags = list(tags)
        self._middleware: list[Middleware] = [check_middleware(one) for one in middleware]
        self._entries: list[_Entry] = []
        self._children: list[Group] = []
        self._parents: list[Group] = []

    # ---- Routes ----

    def route(self, method: str | Sequence[str], pattern: str,
              **options: Any) -> Callable[[Handler], Handler]:
        """A decorator: the function answers `method`, a name or several, at `pattern`.

        Options: status_code, executor ("inline", "thread" or "worker"), dependencies, middleware,
        response_class, and for the document name, summary, description, tags, operation_id,
        response_model, responses ({404: "meaning"} or {404: Type}), deprecated, hidden.
        """
        made = _options(options)
        methods = [method] if isinstance(method, str) else list(method)

        def add(handler: Handler) -> Handler:
            if not callable(handler):
                raise TypeError(f"a handler is a function, not {handler!r}")
            for one in methods:
                self._add(_Entry(check_method(one) if one else "", pattern, handler, made))
            return handler

        return add

    def get(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        """GET, and HEAD without a body where it has no handler of its own."""
        return self.route("GET", pattern, **options)

    def head(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("HEAD", pattern, **options)

    def post(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("POST", pattern, **options)

    def put(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("PUT", pattern, **options)

    def patch(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("PATCH", pattern, **options)

    def delete(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("DELETE", pattern, **options)

    def options(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("OPTIONS", pattern, **options)

    def any(self, pattern: str, **options: Any) -> Callable[[Handler], Handler]:
        """Every method that the pattern has no other handler for."""
        return self.route("", pattern, **options)

    # ---- Around them ----

    def middleware(self, function: Any = None) -> Any:
        """A decorator for `async def (request, call_next)`, around all routes of this group, and
        of an App around requests that nothing fits, too; not around mounts. The first one added
        is outermost."""
        if function is None or function == "http":
            return self.middleware
        check_middleware(function)
        self._changed()
        self._middleware.append(function)
        return function

    def group(self, prefix: str = "", *, dependencies: Iterable[Depends] = (),
              middleware: Iterable[Middleware] = (), tags: Iterable[str] = ()) -> Group:
        """A group within this one."""
        made = Group(prefix, dependencies=dependencies, middleware=middleware, tags=tags)
        self.include(made)
        return made

    def include(self, group: Group, prefix: str = "", *, dependencies: Iterable[Depends] = (),
                tags: Iterable[str] = ()) -> None:
        """Puts the routes of a group here, below `prefix` if one is given; those that are added
        to it later, too."""
        dependencies, tags = list(dependencies), list(tags)
        if prefix or dependencies or tags:
            outer = Group(prefix, dependencies=dependencies, tags=tags)
            outer.include(group)
            group = outer
        if not isinstance(group, Group) or group is self or self in group._all_below():
            raise ValueError("include() wants a Group that this one is not part of itself")
        self._children.append(group)
        group._parents.append(self)
        for chain, entry in group._all_entries(()):
            self._announce((self, *chain), entry)

    # ---- How they reach the application ----

    def _all_below(self) -> list[Group]:
        return [one for child in self._children for one in (child, *child._all_below())]

    def _all_entries(self, above: tuple[Group, ...]) -> list[tuple[tuple[Group, ...], _Entry]]:
        chain = (*above, self)
        found = [(chain, entry) for entry in self._entries]
        for child in self._children:
            found += child._all_entries(chain)
        return found

    def _add(self, entry: _Entry) -> None:
        pattern = self.prefix + entry.pattern
        if not entry.pattern and not self.prefix:
            raise ValueError("a pattern begins with a slash; '' is for groups with a prefix")
        # What could never be bound is told where it stands, not where the group is included.
        Route(entry.method, pattern, entry.handler, entry.options, ())
        self._announce((self,), entry)
        self._entries.append(entry)

    def _announce(self, chain: tuple[Group, ...], entry: _Entry) -> None:
        """A route is new below `chain`, which goes from this group to the route's own."""
        for parent in self._parents:
            parent._announce((parent, *chain), entry)

    def _changed(self) -> None:
        for parent in self._parents:
            parent._changed()


def _options(given: dict[str, Any]) -> RouteOptions:
    known = RouteOptions.__dataclass_fields__
    for name in given:
        if name not in known:
            raise TypeError(f"a route has no option {name!r}; there are {', '.join(known)}")
    return RouteOptions(**given)
