"""The document of an application's routes in OpenAPI 3.1, and the page that shows it.

Schemas are made of annotations. A dataclass, TypedDict, Enum or pydantic model is a component,
under its name; a second class of one name gets its module before it.
"""

from __future__ import annotations

import base64
import collections.abc
import datetime
import decimal
import enum
import hashlib
import html
import inspect
import re
import types
import typing
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _convert, _json
from ._binding import Parameter
from ._convert import collection_item, split_annotated
from ._errors import phrase_of
from ._forms import UploadFile
from ._params import REQUIRED, Field, File
from ._request import Request
from ._response import EventStream, FileResponse, HTMLResponse, JSONResponse, Response, tag_of

if TYPE_CHECKING:
    from ._app import App
    from ._routes import Route

Schema = dict[str, Any]

_PAGE = Path(__file__).parent / "docs_page"
_REFERENCE = "#/components/schemas/"

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"}, int: {"type": "integer"}, float: {"type": "number"},
    bool: {"type": "boolean"}, bytes: {"type": "string", "format": "binary"},
    type(None): {"type": "null"}, None: {"type": "null"}, Any: {}, object: {},
    decimal.Decimal: {"type": "number"}, uuid.UUID: {"type": "string", "format": "uuid"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "number", "description": "A duration in seconds"},
    UploadFile: {"type": "string", "format": "binary"},
}

VALIDATION_ERROR: Schema = {
    "title": "ValidationError",
    "type": "object",
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {"type": "array",
                            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        }
    },
}


class Schemas:
    """Schemas of types, and the components that they refer to."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}

    def of(self, annotation: Any) -> Schema:
        inner, extras = split_annotated(annotation)
        rules = next((one for one in extras if isinstance(one, Field)), None)
        if extras:
            return with_rules(self.of(inner), rules)
        try:
            scalar = _SCALARS.get(annotation)
        except TypeError:
            scalar = None
        if scalar is not None:
            return dict(scalar)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(one) for one in arguments]}
        if origin is Literal:
            return _choices(list(arguments))
        item = collection_item(annotation)
        if item is not REQUIRED:
            made: Schema = {"type": "array", "items": self.of(item)}
            if (origin or annotation) in (set, frozenset, collections.abc.Set):
                made["uniqueItems"] = True
            return made
        if origin is tuple:
            return {"type": "array", "prefixItems": [self.of(one) for one in arguments],
                    "minItems": len(arguments), "maxItems": len(arguments)}
        if (origin or annotation) in (dict, collections.abc.Mapping,
                                      collections.abc.MutableMapping):
            made = {"type": "object"}
            if arguments and arguments[1] is not Any:
                made["additionalProperties"] = self.of(arguments[1])
            return made
        supertype = getattr(annotation, "__supertype__", None)
        if supertype is not None:
            return self.of(supertype)
        if isinstance(annotation, type) and (
                _convert.is_struct(annotation) or issubclass(annotation, enum.Enum)):
            return {"$ref": _REFERENCE + self._component(annotation)}
        return {}

    def _component(self, kind: type) -> str:
        known = self._names.get(kind)
        if known is not None:
            return known
        name = re.sub(r"[^A-Za-z0-9._-]", "_", kind.__name__)
        if name in self.components:
            name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{kind.__module__}.{kind.__qualname__}")
        self._names[kind] = name
        self.components[name] = {}  # It may refer to itself.
        self.components[name] = self._described(kind)
        return name

    def _described(self, kind: type) -> Schema:
        if issubclass(kind, enum.Enum):
            return {"title": kind.__name__, **_choices([one.value for one in kind])}
        if _convert.checks_itself(kind):
            return self._of_model(kind)
        properties: dict[str, Schema] = {}
        required = []
        for field in _convert.struct_fields(kind):
            schema = with_rules(self.of(field.annotation), field.rules)
            if field.required:
                required.append(field.key)
            elif field.default is not REQUIRED:
                _add_default(schema, field.default)
            properties[field.key] = schema
        made: Schema = {"title": kind.__name__, "type": "object", "properties": properties}
        if required:
            made["required"] = required
        about = inspect.getdoc(kind)
        # A dataclass without words of its own is given its signature for a docstring.
        if about and not about.startswith(f"{kind.__name__}("):
            made["description"] = about
        return made

    def _of_model(self, kind: Any) -> Schema:
        if hasattr(kind, "model_json_schema"):
            made = kind.model_json_schema(ref_template=_REFERENCE + "{model}")
            parts = made.pop("$defs", {})
        else:
            made = kind.schema(ref_template=_REFERENCE + "{model}")
            parts = made.pop("definitions", {})
        for name, part in parts.items():
            self.components.setdefault(name, part)
        return made


def _choices(values: list[Any]) -> Schema:
    if len(values) == 1:
        return {"const": values[0]}
    made: Schema = {"enum": values}
    kinds = {str: "string", int: "integer", float: "number", bool: "boolean"}
    found = {kinds.get(type(value)) for value in values}
    if len(found) == 1 and None not in found:
        made["type"] = found.pop()
    return made


def _add_default(schema: Schema, default: Any) -> None:
    try:
        plain = _json.loads(_json.dumps(default))
    except (TypeError, ValueError):
        return
    if plain is not None or "anyOf" not in schema:
        schema["default"] = plain


def with_rules(schema: Schema, rules: Field | None) -> Schema:
    """The schema, and what Field() and its like say."""
    if rules is None:
        return schema
    array = schema.get("type") == "array"
    for name, value in (
        ("minimum", rules.ge), ("exclusiveMinimum", rules.gt), ("maximum", rules.le),
        ("exclusiveMaximum", rules.lt), ("minItems" if array else "minLength", rules.min_length),
        ("maxItems" if array else "maxLength", rules.max_length), ("pattern", rules.pattern),
        ("title", rules.title), ("description", rules.description),
    ):
        if value is not None:
            schema[name] = value
    if rules.example is not None:
        schema["examples"] = [rules.example]
    return schema


# ---- The document ------------------------------------------------------------------------------


def document_of(app: App) -> dict[str, Any]:
    """All routes that are not hidden, in the order they were added."""
    schemas = Schemas()
    paths: dict[str, Any] = {}
    identities: set[str] = set()
    for route in app.routes:
        if route.options.hidden:
            continue
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.pattern)
        path = re.sub(r"(?<=/)[:*](\w+)", r"{\1}", path)
        item = paths.setdefault(path, {})
        for method in (route.method,) if route.method else ("GET", "POST", "PUT", "PATCH",
                                                            "DELETE"):
            if method.lower() not in item and method not in ("CONNECT",):
                item[method.lower()] = _operation(route, method, schemas, identities)
    info: dict[str, Any] = {"title": app.title, "version": app.version}
    for name in ("summary", "description"):
        if getattr(app, name):
            info[name] = getattr(app, name)
    document: dict[str, Any] = {"openapi": "3.1.0", "info": info, "paths": paths}
    if app.servers:
        document["servers"] = app.servers
    if schemas.components:
        document["components"] = {"schemas": schemas.components}
    return document


def _operation(route: Route, method: str, schemas: Schemas, identities: set[str]) -> dict[str, Any]:
    options = route.options
    about = options.description or inspect.getdoc(route.handler) or ""
    summary = options.summary or route.name.rpartition(".")[2].replace("_", " ").strip().title()
    made: dict[str, Any] = {"summary": summary}
    if about:
        made["description"] = about
    if route.tags:
        made["tags"] = route.tags
    if options.deprecated:
        made["deprecated"] = True
    wanted = options.operation_id or re.sub(
        r"\W+", "_", f"{route.name.rpartition('.')[2]}{route.pattern}_{method.lower()}").strip("_")
    identity, number = wanted, 2
    while identity in identities:
        identity, number = f"{wanted}_{number}", number + 1
    identities.add(identity)
    made["operationId"] = identity
    parameters = _parameters(route)
    listed = []
    for parameter in parameters:
        if parameter.source in ("path", "query", "header", "cookie"):
            listed += _described_parameters(parameter, schemas)
    known = {(one["name"], one["in"]) for one in listed}
    listed += [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
               for name in sorted(route.path_names) if (name, "path") not in known]
    if listed:
        made["parameters"] = listed
    body = _body(route, schemas)
    if body is not None:
        made["requestBody"] = body
    made["responses"] = _responses(route, schemas, bool(parameters))
    return made


def _parameters(route: Route) -> list[Parameter]:
    found: dict[tuple[str, str], Parameter] = {}
    for top in (*route.endpoint.before, route.endpoint.handler):
        for part in top.walk():
            for one in part.parameters:
                if one.source in ("path", "query", "header", "cookie", "form", "body") \
                        and not (one.rules is not None and one.rules.hidden):
                    found.setdefault((one.source, one.key), one)
    return list(found.values())


def _described_parameters(parameter: Parameter, schemas: Schemas) -> list[dict[str, Any]]:
    if parameter.struct:
        kind = _convert.without_none(parameter.annotation)
        if _convert.checks_itself(kind):
            return []
        return [_one_parameter(field.key, parameter.source, field.required, field.annotation,
                               field.rules, field.default, schemas)
                for field in _convert.struct_fields(kind)]
    return [_one_parameter(parameter.key, parameter.source, parameter.required,
                           parameter.annotation, parameter.rules, parameter.default, schemas)]


def _one_parameter(key: str, source: str, required: bool, annotation: Any, rules: Field | None,
                   default: Any, schemas: Schemas) -> dict[str, Any]:
    annotation = str if annotation is Any else annotation
    schema = with_rules(schemas.of(annotation), rules)
    made = {"name": key, "in": source, "required": required or source == "path", "schema": schema}
    if not required and default is not REQUIRED:
        _add_default(schema, default)
    if "description" in schema:
        made["description"] = schema.pop("description")
    if rules is not None and rules.deprecated:
        made["deprecated"] = True
    return made


def _body(route: Route, schemas: Schemas) -> dict[str, Any] | None:
    endpoint = route.endpoint
    if endpoint.body:
        required = any(one.required for one in endpoint.body)
        if endpoint.single_body:
            one = endpoint.body[0]
            if _convert.without_none(one.annotation) is bytes:
                return {"required": required, "content": {"application/octet-stream": {}}}
            schema = with_rules(schemas.of(one.annotation), one.rules)
        else:
            schema = _object(endpoint.body, schemas)
        return {"required": required, "content": {"application/json": {"schema": schema}}}
    if endpoint.form:
        files = any(isinstance(one.rules, File) or UploadFile in (
            _convert.without_none(one.annotation), collection_item(one.annotation))
            for one in endpoint.form)
        single = len(endpoint.form) == 1 and endpoint.form[0].struct
        schema = schemas.of(endpoint.form[0].annotation) if single \
            else _object(endpoint.form, schemas)
        kind = "multipart/form-data" if files else "application/x-www-form-urlencoded"
        return {"required": any(one.required for one in endpoint.form),
                "content": {kind: {"schema": schema}}}
    return None


def _object(parameters: list[Parameter], schemas: Schemas) -> Schema:
    made: Schema = {"type": "object", "properties": {}}
    required = []
    for one in parameters:
        schema = {"type": "string", "format": "binary"} if isinstance(one.rules, File) \
            and one.annotation is bytes else with_rules(schemas.of(one.annotation), one.rules)
        if one.required:
            required.append(one.key)
        elif one.default is not REQUIRED:
            _add_default(schema, one.default)
        made["properties"][one.key] = schema
    if required:
        made["required"] = required
    return made


def _responses(route: Route, schemas: Schemas, may_not_fit: bool) -> dict[str, Any]:
    options = route.options
    result = options.response_model
    if result is None:
        try:
            result = typing.get_type_hints(route.handler).get("return", REQUIRED)
        except Exception:
            result = REQUIRED
    status = options.status_code or (204 if result is type(None) else 200)
    answer: dict[str, Any] = {"description": phrase_of(status)}
    content = None if status == 204 else _content(result, options.response_class, schemas)
    if content is not None:
        answer["content"] = content
    made = {str(status): answer}
    for code, what in options.responses.items():
        if isinstance(what, str):
            made[str(code)] = {"description": what}
        elif isinstance(what, dict):
            made[str(code)] = {"description": phrase_of(int(code)), **what}
        else:
            made[str(code)] = {"description": phrase_of(int(code)),
                               "content": {"application/json": {"schema": schemas.of(what)}}}
    if may_not_fit:
        schemas.components.setdefault("ValidationError", VALIDATION_ERROR)
        made.setdefault("422", {
            "description": "What is wrong with the request",
            "content": {"application/json": {"schema": {"$ref": _REFERENCE + "ValidationError"}}},
        })
    return made


def _content(result: Any, response_class: Any, schemas: Schemas) -> dict[str, Any] | None:
    kind = response_class or (result if isinstance(result, type)
                              and issubclass(result, Response) else None)
    if kind is not None and kind is not JSONResponse:
        if issubclass(kind, FileResponse) or kind.media_type is None:
            return None
        media = kind.media_type
        if issubclass(kind, (HTMLResponse, EventStream)) or media.startswith("text/"):
            return {media: {"schema": {"type": "string"}}}
        return {media: {}}
    if result is str:
        return {"text/plain": {"schema": {"type": "string"}}}
    if result is bytes:
        return {"application/octet-stream": {}}
    if result is REQUIRED or kind is JSONResponse:
        return {"application/json": {"schema": {}}}
    return {"application/json": {"schema": schemas.of(result)}}


# ---- As routes ---------------------------------------------------------------------------------


def add_routes(app: App) -> None:
    """The document and its page, where the application wants them."""

    def document(request: Request) -> Response:
        if app._document is None:
            app._document = _json.dumps(document_of(app))
        return _with_tag(request, app._document, "application/json")

    def page(request: Request) -> Response:
        assert app.openapi_path is not None and app.docs_path is not None
        text, policy = page_of(app.title, app.docs_path, app.openapi_path)
        response = _with_tag(request, text, "text/html")
        response.headers["content-security-policy"] = policy
        return response

    if app.openapi_path:
        app._add_hidden(app.openapi_path, document)
        if app.docs_path:
            app._add_hidden(app.docs_path, page)


def _with_tag(request: Request, content: bytes, media_type: str) -> Response:
    tag = tag_of(content)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, headers)
    return Response(content, 200, headers, media_type)


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page_of(title: str, docs_path: str, openapi_path: str) -> tuple[bytes, str]:
    """The page, and the policy under which nothing runs but its own script."""
    style, script, page = ((_PAGE / f"page.{kind}").read_text("utf-8")
                           for kind in ("css", "js", "html"))
    values = {"style": style, "script": script, "title": html.escape(title),
              "path": html.escape(openapi_path),
              "document": html.escape(_relative(docs_path, openapi_path))}
    text = re.sub(r"@(style|script|title|path|document)@", lambda found: values[found[1]], page)
    policy = (f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
              "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
              "frame-ancestors 'none'")
    return text.encode(), policy


def _relative(page: str, path: str) -> str:
    """The path as seen from the page, so that both may be moved together."""
    common = 0
    for index, (one, other) in enumerate(zip(page, path)):
        if one != other:
            break
        if one == "/":
            common = index + 1
    relative = "../" * page[common:].count("/") + path[common:]
    return relative if relative.startswith("../") else "./" + relative

