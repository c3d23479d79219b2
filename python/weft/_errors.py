"""Errors that are answers: HTTPError, and ValidationError for what does not fit its annotation."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


def phrase_of(status: int) -> str:
    """ "Not Found" for 404; a status without a phrase gets its class's."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return {4: "Bad Request", 5: "Internal Server Error"}.get(status // 100, "Unknown")


class HTTPError(Exception):
    """Raised anywhere in a handler, a dependency or a middleware, it becomes the answer.

    The body is {"detail": detail}; without a detail, the status's phrase.
    """

    def __init__(
        self,
        status_code: int,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not 100 <= int(status_code) <= 599:
            raise ValueError(f"HTTPError: {status_code} is no status of HTTP (100 to 599)")
        self.status_code = int(status_code)
        self.detail = phrase_of(self.status_code) if detail is None else detail
        self.headers = dict(headers) if headers else None
        super().__init__(self.status_code, self.detail)

    def __str__(self) -> str:
        return f"{self.status_code}: {self.detail}"


class ValidationError(HTTPError):
    """422: all that is wrong with a request, each error as {"loc": […], "msg": …, "type": …}."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(422, errors)
        self.errors = errors


class ClientDisconnected(Exception):
    """The client has gone while its request was read or answered."""
