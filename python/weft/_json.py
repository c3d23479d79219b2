"""Values as JSON and back: what handlers return is written here.

Beside what json has: dataclasses, Enum, datetime, date, time, timedelta (seconds), UUID, Decimal,
bytes (as UTF-8), paths, sets, tuples, generators, pydantic's models, and whatever has a
`__json__()` that returns one of these.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import types
import uuid
from collections.abc import Iterator, Mapping, Set
from typing import Any

# Of a Decimal that is written as an integer: what int() and str() take.
DIGITS_MAX = 4300


def plain(value: Any) -> Any:
    """What `value`, which has no JSON itself, is written as. TypeError where there is nothing."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, pathlib.PurePath)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= 0 and value.adjusted() < DIGITS_MAX:
            return int(value)
        return float(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode()
    own = getattr(value, "__json__", None)
    if own is not None:
        return own()
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if hasattr(value, "parse_obj") and hasattr(value, "dict"):
        return value.dict()
    if isinstance(value, (Set, types.GeneratorType, Iterator)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON; return a dict, a dataclass or a Response")


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain
).encode


def dumps(value: Any) -> bytes:
    """JSON as UTF-8, without spaces. ValueError for what is not a finite number."""
    return _encode(value).encode("utf-8", "backslashreplace")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def loads(data: bytes | str) -> Any:
    """ValueError for what is no JSON; NaN and Infinity are none."""
    try:
        return json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("too deeply nested") from None
