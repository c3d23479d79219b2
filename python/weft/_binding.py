"""From a handler's signature to its arguments: what the annotations ask of a request.

An Endpoint is made once, when its route is added, and complains then of what could never be
bound. It has no state of a request, and may be used by all of them at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import _convert, _json
from ._convert import INVALID, Converter, collection_item, converter, is_struct, split_annotated
from ._errors import HTTPError, ValidationError
from ._forms import UploadFile, media_type_of
from ._params import REQUIRED, Body, Depends, Field, File
from ._request import Request
from ._response import BackgroundTasks, Response
from ._values import Headers, MultiDict, State

# Of C's fast path: what can be made of a text without Python.
_PLAIN_KINDS = {str: "str", int: "int", float: "float", bool: "bool"}
_REQUEST_NAMES = ("request", "req")


@dataclass
class Parameter:
    """One parameter of a handler or dependency, and where its value comes from."""

    name: str
    # path, query, header, cookie, body or form, of which it is a value; dependency; or request,
    # headers, state, response or background, which are themselves given.
    source: str
    key: str
    annotation: Any
    default: Any
    rules: Field | None = None
    convert: Converter | None = None
    many: bool = False
    struct: bool = False
    positional: bool = False
    dependency: Dependency | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED and (
            self.rules is None or self.rules.default_factory is None
        )

    def default_value(self) -> Any:
        if self.rules is not None and self.rules.default_factory is not None:
            return self.rules.default_factory()
        if isinstance(self.default, (list, dict, set)):
            return self.default.copy()
        return self.default


@dataclass
class Dependency:
    """A function with its parameters: the handler itself, or what Depends() names."""

    call: Callable[..., Any]
    parameters: list[Parameter] = field(default_factory=list)
    kind: str = "plain"  # plain, async, generator, async generator
    use_cache: bool = True

    def walk(self) -> typing.Iterator[Dependency]:
        yield self
        for parameter in self.parameters:
            if parameter.dependency is not None:
                yield from parameter.dependency.walk()


def kind_of(call: Callable[..., Any]) -> str:
    """How a callable is called: functions, methods, partials and objects with __call__."""
    while isinstance(call, functools.partial):
        call = call.func
    if not inspect.isroutine(call) and not inspect.isclass(call):
        call = getattr(call, "__call__", call)  # noqa: B004
    if inspect.isasyncgenfunction(call):
        return "async generator"
    if inspect.isgeneratorfunction(call):
        return "generator"
    return "async" if inspect.iscoroutinefunction(call) else "plain"


def name_of(call: Callable[..., Any]) -> str:
    while isinstance(call, functools.partial):
        call = call.func
    return getattr(call, "__qualname__", type(call).__qualname__)


def _hints_of(call: Any) -> dict[str, Any]:
    while isinstance(call, functools.partial):
        call = call.func
    target = call
    if inspect.isclass(call):
        target = call.__init__
    elif not inspect.isroutine(call):
        target = type(call).__call__
    target = inspect.unwrap(target)
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        # Names of the function that the handler was made in.
        names = getattr(inspect.unwrap(target), "__code__", None)
        cells = getattr(target, "__closure__", None) or ()
        known = dict(zip(names.co_freevars if names else (), (_content(cell) for cell in cells)))
        try:
            return typing.get_type_hints(target, None, known, include_extras=True)
        except NameError:
            raise TypeError(
                f"{name_of(call)}: the annotation names {error.name!r}, which is not known in its "
                "module; with `from __future__ import annotations`, types must be global"
            ) from None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def analyse(call: Callable[..., Any], path_names: frozenset[str] = frozenset(),
            use_cache: bool = True, _above: tuple[Any, ...] = ()) -> Dependency:
    """TypeError, naming the function and the parameter, for what cannot be bound."""
    if call in _above:
        raise TypeError(f"{name_of(call)} depends on itself")
    made = Dependency(call, kind=kind_of(call), use_cache=use_cache)
    try:
        signature = inspect.signature(call)
    except ValueError:
        raise TypeError(f"{name_of(call)} has no signature that Python knows") from None
    hints = _hints_of(call)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        try:
            made.parameters.append(_parameter(parameter, hints, path_names, (*_above, call)))
        except TypeError as error:
            raise TypeError(f"{name_of(call)}(), parameter {parameter.name}: {error}") from None
    return made


def _parameter(parameter: inspect.Parameter, hints: dict[str, Any], path_names: frozenset[str],
               above: tuple[Any, ...]) -> Parameter:
    name = parameter.name
    annotation, extras = split_annotated(hints.get(name, Any))
    annotated = name in hints
    default = REQUIRED if parameter.default is parameter.empty else parameter.default
    marker: Any = next((one for one in reversed(extras) if isinstance(one, (Field, Depends))), None)
    rules: Field | None = None
    if isinstance(default, (Field, Depends)):
        marker, default = default, REQUIRED
    if isinstance(marker, Field):
        rules = marker
        if default is REQUIRED:
            default = marker.default
    positional = parameter.kind is parameter.POSITIONAL_ONLY
    made = Parameter(name, "query", name, annotation, default, rules, positional=positional)
    if isinstance(marker, Depends):
        call = marker.dependency or (annotation if annotated else None)
        if call is None or not callable(call):
            raise TypeError("Depends() names no function, and the annotation is no class")
        made.source = "dependency"
        made.dependency = analyse(call, path_names, marker.use_cache, above)
        return made
    special = _special(annotation, annotated, name, path_names, rules)
    if special is not None:
        made.source = special
        return made
    inner = _convert.without_none(annotation)
    made.source = _source(rules, name, inner, path_names)
    alias = rules.alias if rules is not None else None
    if made.source == "path" and name not in path_names and alias not in path_names:
        raise TypeError(f"the pattern has no {{{name}}}")
    if rules is not None and rules.alias:
        made.key = rules.alias
    elif made.source == "header":
        made.key = name.replace("_", "-")
    if inner is UploadFile or collection_item(inner) is UploadFile:
        made.source = "form"
        made.many = inner is not UploadFile
        made.convert = _files if made.many else _file
        return made
    made.struct = is_struct(inner) and made.source not in ("path", "body")
    made.many = collection_item(inner) is not REQUIRED and made.source not in ("body",)
    as_bytes = isinstance(rules, File)
    text = made.source != "body"
    convert = _file_bytes if as_bytes else converter(annotation, text)
    made.convert = _convert.with_rules(convert, rules)
    return made


def _special(annotation: Any, annotated: bool, name: str, path_names: frozenset[str],
             rules: Field | None) -> str | None:
    """Parameters that are no values of the request."""
    if not annotated:
        plain = rules is None and name in _REQUEST_NAMES and name not in path_names
        return "request" if plain else None
    if isinstance(annotation, type):
        if issubclass(annotation, Request):
            return "request"
        if annotation is Response:
            return "response"
        if issubclass(annotation, BackgroundTasks):
            return "background"
        if issubclass(annotation, State):
            return "state"
        if annotation is Headers:
            return "headers"
    return None


def _source(rules: Field | None, name: str, inner: Any, path_names: frozenset[str]) -> str:
    if rules is not None and rules.where is not None:
        return rules.where
    if name in path_names:
        return "path"
    item = collection_item(inner)
    origin = typing.get_origin(inner) or inner
    if is_struct(inner) or (item is not REQUIRED and is_struct(_convert.without_none(item))):
        return "body"
    if origin is dict or inner is bytes:
        return "body"
    members = typing.get_args(inner) if typing.get_origin(inner) is typing.Union else ()
    if any(is_struct(one) for one in members):
        return "body"
    return "query"


def _file(value: Any, location: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    if isinstance(value, UploadFile):
        return value
    return _convert.fail(errors, location, "file_type", "Input should be a file")


def _files(value: Any, location: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    made = [_file(one, (*location, index), errors) for index, one in enumerate(value)]
    return INVALID if INVALID in made else made


def _file_bytes(value: Any, location: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    if isinstance(value, UploadFile):
        return value.file.read()
    return value.encode() if isinstance(value, str) else value


# ---- One request -------------------------------------------------------------------------------


async def in_thread(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """In the loop's pool of threads, with the context variables of here."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        None, functools.partial(context.run, call, *arguments, **named))


class _Binding:
    """The state of binding one request."""

    __slots__ = ("request", "errors", "cache", "stack", "body", "form", "single_body", "threads")

    def __init__(self, request: Request, stack: contextlib.AsyncExitStack | None,
                 threads: bool) -> None:
        self.request = request
        self.errors: list[dict[str, Any]] = []
        self.cache: dict[Any, Any] = {}
        self.stack = stack
        self.body: Any = REQUIRED
        self.form: MultiDict | None = None
        self.single_body = True
        self.threads = threads

    def value(self, parameter: Parameter) -> Any:
        source = parameter.source
        request = self.request
        if source == "path":
            given: Any = request.path_params.get(parameter.key, REQUIRED)
        elif source == "query":
            given = self._of(parameter, request.query)
        elif source == "header":
            given = self._of_headers(parameter)
        elif source == "cookie":
            given = self._of(parameter, MultiDict(request.cookies.items())) \
                if parameter.struct else request.cookies.get(parameter.key, REQUIRED)
        elif source == "form":
            given = self._of(parameter, self.form or MultiDict())
        elif source == "body":
            return self._body(parameter)
        else:
            return self._own(source)
        if given is REQUIRED:
            return self._missing(parameter, (source, parameter.key))
        location = (source,) if parameter.struct else (source, parameter.key)
        assert parameter.convert is not None
        return parameter.convert(given, location, self.errors)

    def _missing(self, parameter: Parameter, location: tuple[Any, ...]) -> Any:
        if parameter.required:
            return _convert.fail(self.errors, location, "missing", "Field required")
        return parameter.default_value()

    def _of(self, parameter: Parameter, values: MultiDict) -> Any:
        if parameter.struct:
            return _collected(parameter.annotation, values.get_all)
        if parameter.many:
            return values.get_all(parameter.key) or REQUIRED
        return values.get(parameter.key, REQUIRED)

    def _of_headers(self, parameter: Parameter) -> Any:
        headers = self.request.headers
        if parameter.struct:
            return _collected(parameter.annotation,
                              lambda key: headers.get_all(key.replace("_", "-")))
        if parameter.many:
            return headers.get_all(parameter.key) or REQUIRED
        return headers.get(parameter.key, REQUIRED)

    def _body(self, parameter: Parameter) -> Any:
        assert parameter.convert is not None
        if self.single_body:
            if self.body is REQUIRED:
                return self._missing(parameter, ("body",))
            return parameter.convert(self.body, ("body",), self.errors)
        if self.body is not REQUIRED and type(self.body) is not dict:
            return _convert.fail(self.errors, ("body",), "dict_type", "Input should be an object")
        given = REQUIRED if self.body is REQUIRED else self.body.get(parameter.key, REQUIRED)
        if given is REQUIRED:
            return self._missing(parameter, ("body", parameter.key))
        return parameter.convert(given, ("body", parameter.key), self.errors)

    def _own(self, source: str) -> Any:
        request = self.request
        if source == "request":
            return request
        if source == "headers":
            return request.headers
        if source == "state":
            return request.state
        if source == "background":
            if request._background is None:
                request._background = BackgroundTasks()
            return request._background
        if request._answer is None:
            request._answer = Response()
        return request._answer

    async def solve(self, dependency: Dependency) -> dict[str, Any] | None:
        """The arguments, or None where something is wrong; then it is in errors."""
        before = len(self.errors)
        arguments = {}
        for parameter in dependency.parameters:
            if parameter.dependency is not None:
                value = await self._result_of(parameter.dependency)
            else:
                value = self.value(parameter)
            arguments[parameter.name] = value
        return arguments if len(self.errors) == before else None

    async def _result_of(self, dependency: Dependency) -> Any:
        if dependency.use_cache and dependency.call in self.cache:
            return self.cache[dependency.call]
        arguments = await self.solve(dependency)
        if arguments is None or self.errors:
            return INVALID
        result = await self._call(dependency, arguments)
        if dependency.use_cache:
            self.cache[dependency.call] = result
        return result

    async def _call(self, dependency: Dependency, arguments: dict[str, Any]) -> Any:
        call = bound(dependency, arguments)
        if dependency.kind == "async":
            return await call()
        if dependency.kind == "plain":
            result = await in_thread(call) if self.threads else call()
            return await result if inspect.isawaitable(result) else result
        assert self.stack is not None
        if dependency.kind == "async generator":
            return await self.stack.enter_async_context(
                contextlib.asynccontextmanager(call)())
        manager = contextlib.contextmanager(call)()
        if not self.threads:
            return self.stack.enter_context(manager)
        value = await in_thread(manager.__enter__)
        self.stack.push_async_exit(functools.partial(in_thread, manager.__exit__))
        return value


def _collected(annotation: Any, values_of: Callable[[str], list[Any]]) -> dict[str, Any]:
    """What a struct takes of a query, a form or headers: its keys, lists where fields are."""
    kind = _convert.without_none(annotation)
    if _convert.checks_itself(kind):
        keys = [(name, name) for name in typing.get_type_hints(kind)]
        many: set[str] = set()
    else:
        fields = _convert.struct_fields(kind)
        keys = [(one.key, one.key) for one in fields]
        many = {one.key for one in fields
                if collection_item(_convert.without_none(one.annotation)) is not REQUIRED}
    found = {}
    for key, given in keys:
        values = values_of(given)
        if values:
            found[key] = values if key in many else values[-1]
    return found


def bound(dependency: Dependency, arguments: dict[str, Any]) -> Callable[..., Any]:
    """The function with its arguments, to be called without any."""
    first = [arguments.pop(one.name) for one in dependency.parameters if one.positional]
    return functools.partial(dependency.call, *first, **arguments)


class Endpoint:
    """A handler and all that it depends on."""

    def __init__(self, handler: Callable[..., Any], path_names: frozenset[str],
                 dependencies: tuple[Depends, ...] = (), executor: str = "inline") -> None:
        self.handler = analyse(handler, path_names)
        self.before = []
        for one in dependencies:
            if one.dependency is None:
                raise TypeError("a route's dependencies=[Depends(function)] must name a function")
            self.before.append(analyse(one.dependency, path_names, one.use_cache))
        self.threads = executor == "thread"
        everything = [part for top in (*self.before, self.handler) for part in top.walk()]
        parameters = [one for part in everything for one in part.parameters]
        self.body = [one for one in parameters if one.source == "body"]
        self.form = [one for one in parameters if one.source == "form"]
        if self.body and self.form:
            raise TypeError(
                f"{name_of(handler)}() wants a body as JSON ({self.body[0].name}) and as a form "
                f"({self.form[0].name}); a request has one body"
            )
        keys = {one.key for one in self.body}
        embed = any(isinstance(one.rules, Body) and one.rules.embed for one in self.body)
        self.single_body = len(keys) <= 1 and not embed
        self.has_cleanup = any("generator" in part.kind for part in everything
                               if part is not self.handler)
        self.takes_request = any(one.source == "request" for one in parameters)
        # Nothing has to be waited for: the arguments are made at once.
        self.at_once = not (self.body or self.form or self.before
                            or any(one.dependency for one in self.handler.parameters))
        known = {one.key for one in parameters if one.source == "path"}
        self.unused_path_names = path_names - known

    def plan(self) -> tuple[tuple[Any, ...], ...] | None:
        """(name, source, key, kind, required, default) of each parameter where all of them are
        texts, numbers or the request itself, which can be bound without Python; else None."""
        if not self.at_once:
            return None
        made = []
        for one in self.handler.parameters:
            if one.positional or one.struct:
                return None
            if one.source == "request":
                made.append((one.name, "request", "", "request", True, None))
                continue
            optional = _convert.without_none(one.annotation)
            item = collection_item(optional)
            kind = _PLAIN_KINDS.get(optional if item is REQUIRED else item)
            if one.annotation is Any:
                kind = "str"
            if (kind is None or one.source not in ("path", "query")
                    or (one.rules is not None and one.rules.has_rules)
                    or (item is not REQUIRED and collection_kind(optional) is not list)
                    or (one.rules is not None and one.rules.default_factory is not None)):
                return None
            made.append((one.name, one.source, one.key, kind + ("[]" if one.many else ""),
                         one.required, None if one.required else one.default))
        return tuple(made)

    async def bind(self, request: Request,
                   stack: contextlib.AsyncExitStack | None) -> dict[str, Any]:
        """The handler's arguments. ValidationError with all that is wrong; what the generators
        among the dependencies have yet to do is in `stack`."""
        binding = _Binding(request, stack, self.threads)
        if self.at_once:
            arguments = {one.name: binding.value(one) for one in self.handler.parameters}
            if binding.errors:
                raise ValidationError(binding.errors)
            return arguments
        binding.single_body = self.single_body
        if self.body:
            binding.body = await self._read_json(request)
        elif self.form:
            binding.form = await self._read_form(request)
        for dependency in self.before:
            await binding._result_of(dependency)
        solved = await binding.solve(self.handler)
        if binding.errors or solved is None:
            raise ValidationError(binding.errors)
        return solved

    async def _read_form(self, request: Request) -> MultiDict | None:
        """None for no body at all: what is required is missing then."""
        if "content-type" not in request.headers and not await request.body():
            return None
        return await request.form()

    async def _read_json(self, request: Request) -> Any:
        data = await request.body()
        if not data:
            return REQUIRED
        kind, _ = media_type_of(request.headers.get("content-type", ""))
        raw = all(_convert.without_none(one.annotation) is bytes for one in self.body)
        if raw:
            return data
        # Any page can have a browser send other types here, but not JSON.
        if kind != "application/json" and not kind.endswith("+json"):
            raise HTTPError(415, "The body should be JSON: Content-Type: application/json")
        try:
            return _json.loads(data)
        except ValueError as error:
            at = getattr(error, "pos", 0)
            raise ValidationError([{"loc": ["body", at], "msg": f"JSON decode error: {error}",
                                    "type": "json_invalid"}]) from None


def collection_kind(annotation: Any) -> Any:
    return typing.get_origin(annotation) or annotation

