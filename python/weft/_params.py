"""What a parameter says about itself: where its value comes from, and what holds for it.

    def page(
        size: int = Query(20, ge=1, le=100),
        agent: Annotated[str | None, Header()] = None,
        user: User = Depends(current_user),
    ): ...

A marker stands as the default value, or in Annotated. It never changes after it was made, so one
marker may be used for many parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


# Stands where a default would: there is none.
REQUIRED: Any = _Required()


class Field:
    """What holds for a value, wherever it comes from; in Annotated for a dataclass's fields, too.

    ge, gt, le and lt bound numbers; min_length and max_length texts and lists; pattern must fit a
    text somewhere (as re.search has it, so anchor it yourself).
    """

    where: str | None = None

    def __init__(
        self,
        default: Any = REQUIRED,
        *,
        default_factory: Callable[[], Any] | None = None,
        alias: str | None = None,
        ge: float | None = None,
        gt: float | None = None,
        le: float | None = None,
        lt: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
        title: str | None = None,
        description: str | None = None,
        example: Any = None,
        deprecated: bool = False,
        hidden: bool = False,
    ) -> None:
        self.default = REQUIRED if default is ... else default
        self.default_factory = default_factory
        self.alias = alias
        self.ge = ge
        self.gt = gt
        self.le = le
        self.lt = lt
        self.min_length = min_length
        self.max_length = max_length
        self.pattern = pattern
        self.compiled = re.compile(pattern) if pattern is not None else None
        self.title = title
        self.description = description
        self.example = example
        self.deprecated = deprecated
        self.hidden = hidden

    @property
    def has_rules(self) -> bool:
        return any(
            rule is not None
            for rule in (
                self.ge, self.gt, self.le, self.lt,
                self.min_length, self.max_length, self.pattern,
            )
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.default!r})"


class Path(Field):
    """A parameter of the path. Without this, every parameter named in the pattern is one."""

    where = "path"


class Query(Field):
    """A value of the query. Without this, what is not in the path and is no struct is one."""

    where = "query"


class Header(Field):
    """A header; the name is the parameter's, with dashes for underscores, in any case."""

    where = "header"


class Cookie(Field):
    """A cookie, by the parameter's name."""

    where = "cookie"


class Body(Field):
    """The body as JSON. Several of them, or embed=True, are each a key of one object."""

    where = "body"

    def __init__(self, default: Any = REQUIRED, *, embed: bool = False, **rules: Any) -> None:
        super().__init__(default, **rules)
        self.embed = embed


class Form(Field):
    """A field of a form, urlencoded or multipart; a dataclass is the whole form."""

    where = "form"


class File(Form):
    """A file of a multipart form: an UploadFile, or bytes."""


class Depends:
    """The result of a function that has parameters of its own, called once per request.

    use_cache=False calls it anew for each parameter that asks. A generator is ended after the
    handler: what is behind its `yield` runs then, also when the handler failed.
    """

    def __init__(
        self, dependency: Callable[..., Any] | None = None, *, use_cache: bool = True
    ) -> None:
        if dependency is not None and not callable(dependency):
            raise TypeError(f"Depends() wants a function or a class, not {dependency!r}")
        self.dependency = dependency
        self.use_cache = use_cache

    def __repr__(self) -> str:
        return f"Depends({getattr(self.dependency, '__qualname__', self.dependency)})"


Executor = Literal["inline", "thread", "worker"]
EXECUTORS = ("inline", "thread", "worker")
