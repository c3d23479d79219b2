"""What the tests of weft.App have in common: values of all shapes, and a client."""

import enum
import unittest
from dataclasses import dataclass, field
from typing import Annotated, TypedDict

from weft import App, Field
from weft.testing import TestClient


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Address:
    street: str
    zip: Annotated[str, Field(pattern=r"^[0-9]{5}$")]


@dataclass
class User:
    """Somebody."""

    name: Annotated[str, Field(min_length=1, max_length=10)]
    age: Annotated[int, Field(ge=0)] = 0
    address: Address | None = None
    tags: list[str] = field(default_factory=list)
    friends: "list[User]" = field(default_factory=list)


class Point(TypedDict):
    x: int
    y: int


@dataclass
class Filter:
    size: int = 10
    tag: list[str] = field(default_factory=list)


def errors_of(response):
    """(location, type) of each."""
    assert response.status_code == 422, response
    return [(tuple(one["loc"]), one["type"]) for one in response.json()["detail"]]


class Case(unittest.TestCase):
    def setUp(self):
        self.app = App()
        self.client = TestClient(self.app)
        self.addCleanup(self.client.close)


@dataclass
class Span:
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")
