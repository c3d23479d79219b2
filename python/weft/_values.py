"""Headers, queries, forms and state: small containers of a request and an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

RawHeaders = list[tuple[bytes, bytes]]

# Pairs of a query or a form that are read; what is behind them is refused.
FIELDS_MAX = 1000


class Headers(Mapping[str, str]):
    """Header fields, found in any case. The first of a name counts; get_all() has all of them."""

    def __init__(
        self,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        raw: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> None:
        if raw is not None:
            self.raw: RawHeaders = list(raw)
        else:
            pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
            self.raw = [_encoded(name, value) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        wanted = name.lower().encode("latin-1", "replace")
        for key, value in self.raw:
            if key == wanted:
                return value.decode("latin-1")
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1") for key, _ in self.raw))

    def __len__(self) -> int:
        return len({key for key, _ in self.raw})

    def get_all(self, name: str) -> list[str]:
        wanted = name.lower().encode("latin-1", "replace")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


def _encoded(name: str, value: Any) -> tuple[bytes, bytes]:
    key = name.lower().encode("latin-1")
    text = str(value).strip(" \t")
    data = text.encode("latin-1")
    if not key or any(byte <= 0x20 or byte >= 0x7F or byte == 0x3A for byte in key):
        raise ValueError(f"{name!r} cannot be the name of a header")
    if b"\r" in data or b"\n" in data or b"\0" in data:
        raise ValueError(f"the header {name} holds a line's end or a NUL byte: {text!r}")
    return key, data


class MutableHeaders(Headers):
    """Headers of an answer. Setting one replaces all of its name; append() adds another."""

    def __setitem__(self, name: str, value: Any) -> None:
        key, data = _encoded(name, value)
        self.raw[:] = [pair for pair in self.raw if pair[0] != key]
        self.raw.append((key, data))

    def __delitem__(self, name: str) -> None:
        key = name.lower().encode("latin-1")
        kept = [pair for pair in self.raw if pair[0] != key]
        if len(kept) == len(self.raw):
            raise KeyError(name)
        self.raw[:] = kept

    def append(self, name: str, value: Any) -> None:
        self.raw.append(_encoded(name, value))

    def setdefault(self, name: str, value: Any) -> str:
        known = self.get(name)
        if known is None:
            self[name] = value
            return str(value)
        return known

    def update(self, headers: Mapping[str, Any]) -> None:
        for name, value in headers.items():
            self[name] = value


class MultiDict(Mapping[str, Any]):
    """Names with values, several of them perhaps. Indexing gives the last one of a name."""

    def __init__(self, pairs: Iterable[tuple[str, Any]] = ()) -> None:
        self._pairs = list(pairs)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str) -> Any:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def get_all(self, name: str) -> list[Any]:
        return [value for key, value in self._pairs if key == name]

    def pairs(self) -> list[tuple[str, Any]]:
        """All of them, in the order they came in."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs})"


def parse_fields(text: str) -> MultiDict:
    """Of a query, or of an urlencoded form. ValueError for more than FIELDS_MAX of them."""
    if not text:
        return MultiDict()
    return MultiDict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX,
                               errors="replace"))


def parse_cookies(fields: Iterable[str]) -> dict[str, str]:
    """Of the Cookie headers. The first of a name counts, as browsers send the closest first."""
    cookies: dict[str, str] = {}
    for field in fields:
        for part in field.split(";"):
            name, equals, value = part.partition("=")
            name, value = name.strip(), value.strip()
            if not equals or not name:
                continue
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if name not in cookies:
                cookies[name] = unquote_to_bytes(value).decode("utf-8", "replace") \
                    if "%" in value else value
    return cookies


class State:
    """Attributes of your own: `app.state` for all requests, `request.state` for one."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        object.__setattr__(self, "_values", {} if values is None else values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the state has no {name!r}; nobody has set it") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self._values[name]
        except KeyError:
            raise AttributeError(f"the state has no {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._values
