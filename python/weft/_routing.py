"""Which route answers: weft's patterns, most exact first, as docs/routing.md has them.

Paths are compared as they were sent, escapes and all; parameters are decoded. Routes may be added
while requests are answered; a Router belongs to one event loop.
"""

from __future__ import annotations

import re
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import unquote

T = TypeVar("T")

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# Of the order in which segments are preferred.
_KINDS = {
    "uint": (1, r"[0-9]{1,20}"),
    "int": (2, r"[+-]?[0-9]{1,20}"),
    "uuid": (3, r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "hex": (4, r"[0-9a-fA-F]+"),
    "alpha": (5, r"[A-Za-z]+"),
    "": (6, r"[^/]+"),
    "path": (7, r".*"),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


class Segment(NamedTuple):
    rank: int
    text: str  # of a fixed segment; a parameter has none
    name: str
    kind: str


def check_method(method: str) -> str:
    upper = method.upper()
    if not _TOKEN.match(method):
        raise ValueError(f"{method!r} is no method of HTTP")
    return upper


def parse_pattern(pattern: str) -> list[Segment]:
    """ValueError, with what to write instead, for what is no pattern."""
    if not pattern.startswith("/"):
        raise ValueError(f"the pattern {pattern!r} must begin with a slash")
    segments = []
    names: set[str] = set()
    texts = pattern[1:].split("/")
    for index, text in enumerate(texts):
        name, kind = None, ""
        if text.startswith("{") and text.endswith("}"):
            name, _, kind = text[1:-1].partition(":")
        elif text.startswith(":"):
            name = text[1:]
        elif text.startswith("*"):
            name, kind = text[1:], "path"
        if name is None:
            if "{" in text or "}" in text:
                raise ValueError(
                    f"the pattern {pattern!r}: a parameter is a whole segment, as in /users/{{id}}"
                )
            segments.append(Segment(0, text, "", ""))
            continue
        if not _NAME.match(name):
            raise ValueError(f"the pattern {pattern!r}: {name!r} cannot be a parameter's name")
        if kind == "str":
            kind = ""
        if kind not in _KINDS or (kind == "" and text.endswith(":}")):
            known = ", ".join(sorted(one for one in _KINDS if one))
            raise ValueError(f"the pattern {pattern!r}: there is no type {kind!r}; one of {known}")
        if kind == "path" and index != len(texts) - 1:
            raise ValueError(f"the pattern {pattern!r}: the rest of the path must be at its end")
        if name in names:
            raise ValueError(f"the pattern {pattern!r} has two parameters {name!r}")
        names.add(name)
        segments.append(Segment(_KINDS[kind][0], "", name, kind))
    return segments


def _expression(segments: list[Segment]) -> re.Pattern[str]:
    parts = []
    for segment in segments:
        if segment.name:
            parts.append(f"/(?P<{segment.name}>{_KINDS[segment.kind][1]})")
        else:
            parts.append("/" + re.escape(segment.text))
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


def _fits(segments: list[Segment], values: dict[str, str]) -> bool:
    for segment in segments:
        if segment.kind == "uint" and int(values[segment.name]) >= 1 << 64:
            return False
        if segment.kind == "int" and not -(1 << 63) <= int(values[segment.name]) < 1 << 63:
            return False
    return True


class _Place(Generic[T]):
    """All routes of one shape of path, by method; "" is any."""

    def __init__(self, pattern: str, segments: list[Segment]) -> None:
        self.pattern = pattern
        self.segments = segments
        self.expression = _expression(segments)
        self.routes: dict[str, tuple[str, T]] = {}
        self.order = [(segment.rank, segment.text) for segment in segments]
        # "/users" before "/users/{rest:path}": what ends goes before what may go on.
        self.order.append((-1, ""))


class Match(NamedTuple, Generic[T]):
    route: T
    parameters: dict[str, str]


class Router(Generic[T]):
    """Patterns with their routes."""

    def __init__(self) -> None:
        self._fixed: dict[str, _Place[T]] = {}
        self._places: list[_Place[T]] = []
        self._by_shape: dict[tuple[Any, ...], _Place[T]] = {}

    def add(self, method: str, pattern: str, route: T) -> None:
        """`method` "" is every one that has no route of its own. ValueError for a second route
        that could not be told from the first."""
        segments = parse_pattern(pattern)
        shape = tuple((segment.rank, segment.text) for segment in segments)
        place = self._by_shape.get(shape)
        if place is None:
            place = _Place(pattern, segments)
            self._by_shape[shape] = place
            if any(segment.name for segment in segments):
                self._places.append(place)
                self._places.sort(key=lambda one: one.order)
            else:
                self._fixed[pattern] = place
        known = place.routes.get(method)
        if known is not None:
            raise ValueError(
                f"{method or 'any'} {pattern} cannot be told from {method or 'any'} {known[0]}, "
                "which is there already"
            )
        if place.routes and [s.name for s in place.segments] != [s.name for s in segments]:
            # Another method, with other names for the same parameters: a place of its own.
            place = _Place(pattern, segments)
            self._by_shape[(*shape, pattern, method)] = place
            self._places.append(place)
            self._places.sort(key=lambda one: one.order)
        place.routes[method] = (pattern, route)

    def find(self, method: str, path: str) -> Match[T] | set[str]:
        """The route, or the methods that would be answered: none where no pattern fits."""
        allowed: set[str] = set()
        place = self._fixed.get(path)
        if place is not None:
            found = _of_method(place, method, allowed)
            if found is not None:
                return Match(found, {})
        for place in self._places:
            fitting = place.expression.match(path)
            if fitting is None:
                continue
            values = fitting.groupdict()
            if not _fits(place.segments, values):
                continue
            found = _of_method(place, method, allowed)
            if found is not None:
                return Match(found, {name: unquote(value) for name, value in values.items()})
        if allowed:
            if "GET" in allowed:
                allowed.add("HEAD")
            allowed.add("OPTIONS")
        return allowed


def _of_method(place: _Place[T], method: str, allowed: set[str]) -> T | None:
    routes = place.routes
    found = routes.get(method) or (routes.get("GET") if method == "HEAD" else None) \
        or routes.get("")
    if found is None:
        allowed.update(routes)
        return None
    return found[1]
