"""Values from annotations: converter(annotation) makes what checks and converts a value.

A converter is called with (value, location, errors). It returns the converted value, or INVALID
after it has put what is wrong into `errors`; it never raises for bad input. There are two kinds of
each: for texts (paths, queries, headers, cookies, forms), and for what came out of JSON.

Types: str, int, float, bool, bytes, Decimal, UUID, datetime, date, time, timedelta, Enum, Literal,
unions, list, set, frozenset, tuple, dict, dataclasses, TypedDict, Any, and classes that check
themselves (pydantic's models). The types of errors are named as pydantic names them.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import math
import types
import typing
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union

from ._params import REQUIRED, Field

Location = tuple[Any, ...]
Errors = list[dict[str, Any]]
Converter = Callable[[Any, Location, Errors], Any]


class _Invalid:
    def __repr__(self) -> str:
        return "INVALID"


INVALID: Any = _Invalid()

# Longer digits are refused before they cost time: converting takes the square of their number.
NUMBER_TEXT_MAX = 400

_TRUE = frozenset(("true", "1", "on", "yes", "t", "y"))
_FALSE = frozenset(("false", "0", "off", "no", "f", "n"))


def fail(errors: Errors, location: Location, kind: str, message: str) -> Any:
    errors.append({"loc": list(location), "msg": message, "type": kind})
    return INVALID


# ---- Scalars -----------------------------------------------------------------------------------


def _string(value: Any, location: Location, errors: Errors) -> Any:
    if type(value) is str:
        return value
    return fail(errors, location, "string_type", "Input should be a valid string")


def _int(value: Any, location: Location, errors: Errors) -> Any:
    kind = type(value)
    if kind is int:
        return value
    if kind is str:
        digits = value.strip()
        if len(digits) <= NUMBER_TEXT_MAX and digits.isascii() and "_" not in digits:
            try:
                return int(digits)
            except ValueError:
                pass
        return fail(
            errors, location, "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        )
    if kind is float:
        if value.is_integer():
            return int(value)
        return fail(
            errors, location, "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        )
    return fail(errors, location, "int_type", "Input should be a valid integer")


def _float(value: Any, location: Location, errors: Errors) -> Any:
    kind = type(value)
    if kind is float:
        return value
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return fail(errors, location, "finite_number", "Input should be a finite number")
    if kind is str:
        digits = value.strip()
        if len(digits) <= NUMBER_TEXT_MAX and digits.isascii() and "_" not in digits:
            try:
                return float(digits)
            except ValueError:
                pass
        return fail(
            errors, location, "float_parsing",
            "Input should be a valid number, unable to parse string as a number",
        )
    return fail(errors, location, "float_type", "Input should be a valid number")


def _bool(value: Any, location: Location, errors: Errors) -> Any:
    kind = type(value)
    if kind is bool:
        return value
    if kind is str:
        text = value.strip().lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    elif kind is int and value in (0, 1):
        return bool(value)
    return fail(
        errors, location, "bool_parsing",
        "Input should be a valid boolean, unable to interpret input",
    )


def _bytes(value: Any, location: Location, errors: Errors) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if type(value) is str:
        return value.encode()
    return fail(errors, location, "bytes_type", "Input should be valid bytes")


def _none(value: Any, location: Location, errors: Errors) -> Any:
    if value is None:
        return None
    return fail(errors, location, "none_required", "Input should be None")


def _any(value: Any, location: Location, errors: Errors) -> Any:
    return value


def _decimal(value: Any, location: Location, errors: Errors) -> Any:
    if type(value) in (str, int, float) and len(str(value)) <= NUMBER_TEXT_MAX:
        try:
            number = decimal.Decimal(str(value).strip())
        except decimal.InvalidOperation:
            pass
        else:
            # An exponent of a few digits is a number of a billion.
            if number.is_finite() and abs(number.adjusted()) <= NUMBER_TEXT_MAX:
                return number
            if number.is_finite():
                return fail(errors, location, "decimal_whole_digits",
                            f"Input should have no more than {NUMBER_TEXT_MAX} digits")
            return fail(errors, location, "finite_number", "Input should be a finite number")
    return fail(errors, location, "decimal_parsing", "Input should be a valid decimal")


def _uuid(value: Any, location: Location, errors: Errors) -> Any:
    if type(value) is str:
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    return fail(errors, location, "uuid_parsing", "Input should be a valid UUID")


def _iso(text: str) -> str:
    # Before 3.11 had it everywhere, "Z" was not taken; a space for the T is.
    return text.strip()


def _datetime(value: Any, location: Location, errors: Errors) -> Any:
    try:
        if type(value) is str:
            return datetime.datetime.fromisoformat(_iso(value))
        if type(value) in (int, float):
            return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        pass
    return fail(
        errors, location, "datetime_parsing", "Input should be a valid datetime, as in ISO 8601"
    )


def _date(value: Any, location: Location, errors: Errors) -> Any:
    if type(value) is str:
        try:
            return datetime.date.fromisoformat(_iso(value))
        except ValueError:
            pass
    return fail(errors, location, "date_parsing", "Input should be a valid date, as 2026-12-31")


def _time(value: Any, location: Location, errors: Errors) -> Any:
    if type(value) is str:
        try:
            return datetime.time.fromisoformat(_iso(value))
        except ValueError:
            pass
    return fail(errors, location, "time_parsing", "Input should be a valid time, as 23:59:00")


def _timedelta(value: Any, location: Location, errors: Errors) -> Any:
    seconds = value
    if type(value) is str:
        seconds = _float(value, location, [])
    if type(seconds) in (int, float) and math.isfinite(seconds):
        try:
            return datetime.timedelta(seconds=seconds)
        except OverflowError:
            pass
    return fail(
        errors, location, "time_delta_parsing", "Input should be a duration, a number of seconds"
    )


_SCALARS: dict[Any, Converter] = {
    str: _string, int: _int, float: _float, bool: _bool, bytes: _bytes,
    None: _none, type(None): _none, Any: _any, object: _any,
    decimal.Decimal: _decimal, uuid.UUID: _uuid,
    datetime.datetime: _datetime, datetime.date: _date, datetime.time: _time,
    datetime.timedelta: _timedelta,
}


# ---- Choices -----------------------------------------------------------------------------------


def _expected(choices: list[str]) -> str:
    listed = ", ".join(choices[:-1]) + f" or {choices[-1]}" if len(choices) > 1 else choices[0]
    return f"Input should be {listed}"


def _enum(kind: type[enum.Enum], text: bool) -> Converter:
    by_value: dict[Any, Any] = {}
    for member in kind:
        by_value.setdefault(str(member.value) if text else member.value, member)
    message = _expected([repr(member.value) for member in kind] or ["nothing"])

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        try:
            found = by_value.get(value, INVALID)
        except TypeError:  # a list or an object, which cannot be looked up
            found = INVALID
        # 1, 1.0 and True are one key.
        if found is INVALID or (not text and type(value) is bool
                                and type(found.value) is not bool):
            return fail(errors, location, "enum", message)
        return found

    return convert


def _literal(choices: tuple[Any, ...], text: bool) -> Converter:
    message = _expected([repr(choice) for choice in choices])

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        for choice in choices:
            if value == choice and type(value) is type(choice):
                return choice
            if text and type(choice) is not str and str(choice) == value:
                return choice
        return fail(errors, location, "literal_error", message)

    return convert


def _union(choices: tuple[Any, ...], text: bool) -> Converter:
    optional = type(None) in choices
    others = [choice for choice in choices if choice is not type(None)]
    # Of texts nearly everything is one, so str is tried last.
    if text:
        others.sort(key=lambda choice: choice is str)
    converters = [converter(choice, text) for choice in others]
    exact = {choice: None for choice in others if choice in (str, int, float, bool)}

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        if value is None and optional:
            return None
        if not text and type(value) in exact:
            return value
        found: Errors = []
        for one in converters:
            mine: Errors = []
            converted = one(value, location, mine)
            if converted is not INVALID:
                return converted
            found += mine
        errors += found
        return INVALID

    return convert


# ---- Containers --------------------------------------------------------------------------------


def _collection(kind: type, item: Any, text: bool) -> Converter:
    one = converter(item, text)

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        if type(value) is not list:
            return fail(errors, location, "list_type", "Input should be a valid list")
        converted = [one(element, (*location, index), errors)
                     for index, element in enumerate(value)]
        if INVALID in converted:
            return INVALID
        try:
            return converted if kind is list else kind(converted)
        except TypeError:
            return fail(errors, location, "set_item_not_hashable", "Items should be hashable")

    return convert


def _fixed_tuple(items: tuple[Any, ...], text: bool) -> Converter:
    converters = [converter(item, text) for item in items]

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        if type(value) is not list:
            return fail(errors, location, "tuple_type", "Input should be a valid list")
        if len(value) != len(converters):
            return fail(
                errors, location, "tuple_length", f"Input should have {len(converters)} items"
            )
        converted = [one(element, (*location, index), errors)
                     for index, (one, element) in enumerate(zip(converters, value))]
        return INVALID if INVALID in converted else tuple(converted)

    return convert


def _mapping(key: Any, item: Any, text: bool) -> Converter:
    convert_key, convert_item = converter(key, True), converter(item, text)

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        if type(value) is not dict:
            return fail(errors, location, "dict_type", "Input should be a valid dictionary")
        converted = {}
        good = True
        for name, element in value.items():
            made_key = convert_key(name, (*location, name), errors)
            made = convert_item(element, (*location, name), errors)
            if made_key is INVALID or made is INVALID:
                good = False
            else:
                converted[made_key] = made
        return converted if good else INVALID

    return convert


# ---- Structs -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class StructField:
    """A field of a dataclass or TypedDict: as it is called in Python, and in JSON."""

    name: str
    key: str
    annotation: Any
    required: bool
    rules: Field | None
    default: Any = REQUIRED


def is_typed_dict(annotation: Any) -> bool:
    return isinstance(annotation, type) and typing.is_typeddict(annotation)


def checks_itself(annotation: Any) -> bool:
    """A class such as pydantic's models, of either version."""
    return isinstance(annotation, type) and (
        hasattr(annotation, "model_validate") or hasattr(annotation, "parse_obj")
    )


def is_struct(annotation: Any) -> bool:
    return (
        isinstance(annotation, type) and dataclasses.is_dataclass(annotation)
    ) or is_typed_dict(annotation) or checks_itself(annotation)


def split_annotated(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type itself, and what Annotated says beside it."""
    if typing.get_origin(annotation) is Annotated:
        inner, *extras = typing.get_args(annotation)
        return inner, tuple(extras)
    return annotation, ()


def _rules_of(extras: tuple[Any, ...]) -> Field | None:
    return next((extra for extra in reversed(extras) if isinstance(extra, Field)), None)


def struct_fields(kind: type) -> list[StructField]:
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    if is_typed_dict(kind):
        for name, hint in hints.items():
            inner, extras = split_annotated(hint)
            while typing.get_origin(inner) in (typing.Required, typing.NotRequired):
                inner = typing.get_args(inner)[0]
            rules = _rules_of(extras)
            key = rules.alias if rules and rules.alias else name
            found.append(StructField(name, key, inner, name in kind.__required_keys__, rules))
        return found
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        inner, extras = split_annotated(hints[field.name])
        rules = _rules_of(extras) or _rules_of((field.metadata.get("weft"),))
        required = (field.default is dataclasses.MISSING
                    and field.default_factory is dataclasses.MISSING)
        default = REQUIRED if field.default is dataclasses.MISSING else field.default
        key = rules.alias if rules and rules.alias else field.name
        found.append(StructField(field.name, key, inner, required, rules, default))
    return found


_structs: dict[tuple[type, bool], Converter] = {}


def _struct(kind: type, text: bool) -> Converter:
    known = _structs.get((kind, text))
    if known is not None:
        return known
    plan: list[tuple[StructField, Converter]] = []

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        if type(value) is not dict:
            if type(value) is kind:
                return value
            return fail(errors, location, "dict_type", f"Input should be an object, a {name}")
        made: dict[str, Any] = {}
        before = len(errors)
        for field, one in plan:
            given = value.get(field.key, REQUIRED)
            if given is REQUIRED:
                if field.required:
                    fail(errors, (*location, field.key), "missing", "Field required")
                continue
            made[field.name] = one(given, (*location, field.key), errors)
        if len(errors) != before:
            return INVALID
        if as_dict:
            return made
        try:
            return kind(**made)
        except (ValueError, AssertionError, TypeError) as error:  # of __post_init__
            return fail(errors, location, "value_error", f"Value error, {error}")

    name = kind.__name__
    as_dict = is_typed_dict(kind)
    # Known before its fields are: they may refer to it.
    _structs[kind, text] = convert
    try:
        for field in struct_fields(kind):
            plan.append((field, with_rules(converter(field.annotation, text), field.rules)))
    except BaseException:
        del _structs[kind, text]
        raise
    return convert


def _self_checking(kind: Any) -> Converter:
    check = getattr(kind, "model_validate", None) or kind.parse_obj

    def convert(value: Any, location: Location, errors: Errors) -> Any:
        try:
            return check(value)
        except ValueError as error:
            listed = getattr(error, "errors", None)
            if not callable(listed):
                return fail(errors, location, "value_error", f"Value error, {error}")
            for one in listed():
                fail(errors, (*location, *one.get("loc", ())), one.get("type", "value_error"),
                     one.get("msg", str(error)))
            return INVALID

    return convert


# ---- Rules -------------------------------------------------------------------------------------


def with_rules(convert: Converter, rules: Field | None) -> Converter:
    """The converter, and then what Field() and its like say."""
    if rules is None or not rules.has_rules:
        return convert
    bounds = [
        (limit, holds, kind, words)
        for limit, holds, kind, words in (
            (rules.ge, lambda a, b: a >= b, "greater_than_equal", "greater than or equal to"),
            (rules.gt, lambda a, b: a > b, "greater_than", "greater than"),
            (rules.le, lambda a, b: a <= b, "less_than_equal", "less than or equal to"),
            (rules.lt, lambda a, b: a < b, "less_than", "less than"),
        )
        if limit is not None
    ]
    shortest, longest, pattern = rules.min_length, rules.max_length, rules.compiled

    def check(value: Any, location: Location, errors: Errors) -> Any:
        value = convert(value, location, errors)
        if value is INVALID or value is None:
            return value
        for limit, holds, kind, words in bounds:
            if not holds(value, limit):
                return fail(errors, location, kind, f"Input should be {words} {limit}")
        noun, unit = ("string", "characters") if type(value) is str else ("too", "items")
        if shortest is not None and len(value) < shortest:
            return fail(errors, location, f"{noun}_too_short" if noun == "string" else "too_short",
                        f"Input should have at least {shortest} {unit}")
        if longest is not None and len(value) > longest:
            return fail(errors, location, f"{noun}_too_long" if noun == "string" else "too_long",
                        f"Input should have at most {longest} {unit}")
        if pattern is not None and pattern.search(value) is None:
            return fail(errors, location, "string_pattern_mismatch",
                        f"String should match pattern '{pattern.pattern}'")
        return value

    return check


# ---- All of them -------------------------------------------------------------------------------

_COLLECTIONS = {
    list: list, collections.abc.Sequence: list, collections.abc.Iterable: list,
    collections.abc.Collection: list, collections.abc.MutableSequence: list,
    set: set, collections.abc.Set: set, frozenset: frozenset,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def collection_item(annotation: Any) -> Any:
    """What a list, set or open tuple holds; REQUIRED for what is none."""
    annotation, _ = split_annotated(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if (origin or annotation) in _COLLECTIONS:
        return arguments[0] if arguments else Any
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return arguments[0]
    return REQUIRED


def without_none(annotation: Any) -> Any:
    """`X` of `X | None`; other annotations as they are."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        others = tuple(one for one in typing.get_args(annotation) if one is not type(None))
        if len(others) == 1:
            return others[0]
        return Union[others]
    return annotation


def converter(annotation: Any, text: bool) -> Converter:
    """For values that are texts, or that came out of JSON. TypeError for what it cannot make."""
    inner, extras = split_annotated(annotation)
    if extras:
        return with_rules(converter(inner, text), _rules_of(extras))
    try:
        scalar = _SCALARS.get(annotation)
    except TypeError:
        scalar = None
    if scalar is not None:
        return scalar
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return _union(arguments, text)
    if origin is Literal:
        return _literal(arguments, text)
    item = collection_item(annotation)
    if item is not REQUIRED:
        kind = origin or annotation
        return _collection(tuple if kind is tuple else _COLLECTIONS[kind], item, text)
    if origin is tuple:
        return _fixed_tuple(arguments, text)
    if annotation is tuple:
        return _collection(tuple, Any, text)
    if (origin or annotation) in _MAPPINGS:
        key, value = arguments or (str, Any)
        return _mapping(key, value, text)
    supertype = getattr(annotation, "__supertype__", None)  # of NewType
    if supertype is not None:
        return converter(supertype, text)
    if isinstance(annotation, type):
        if issubclass(annotation, enum.Enum):
            return _enum(annotation, text)
        if checks_itself(annotation):
            return _self_checking(annotation)
        if dataclasses.is_dataclass(annotation) or is_typed_dict(annotation):
            return _struct(annotation, text)
    raise TypeError(
        f"{annotation!r} cannot be made from a request: annotate with a scalar, an Enum, a "
        "dataclass or a container of them, or take it from a function with Depends()"
    )
