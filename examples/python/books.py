"""A shelf of books: `weft serve examples/python/books.py`, or `python3 books.py`.

Typed routes, a dataclass body, a dependency, middleware, an error handler, events, and the page at
/docs.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated

from weft import App, Depends, EventStream, Field, Header, HTTPError, Query

app = App(title="Books", version="1.0")


@dataclass
class Book:
    title: Annotated[str, Field(min_length=1, max_length=200)]
    pages: Annotated[int, Field(ge=1)] = 100
    tags: list[str] = field(default_factory=list)


shelf: dict[int, Book] = {1: Book("Emma", 474, ["novel"])}
changed = asyncio.Event()


def key(x_key: Annotated[str, Header()] = ""):
    if x_key != "secret":
        raise HTTPError(401, "Send X-Key")


@app.middleware
async def timing(request, call_next):
    begin = time.perf_counter()
    response = await call_next(request)
    response.headers["x-milliseconds"] = f"{(time.perf_counter() - begin) * 1000:.3f}"
    return response


@app.error(404)
def not_found(request, error):
    return {"detail": f"there is no {request.path}"}


books = app.group("/books", tags=["books"])


@books.get("")
def all_books(tag: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 10):
    """The first books, of one tag if one is given."""
    found = {number: book for number, book in shelf.items() if tag is None or tag in book.tags}
    return dict(list(found.items())[:limit])


@books.get("/{number}", responses={404: "no such book"})
def book(number: int) -> Book:
    if number not in shelf:
        raise HTTPError(404)
    return shelf[number]


@books.post("", status_code=201, dependencies=[Depends(key)])
def add(new: Book):
    number = max(shelf, default=0) + 1
    shelf[number] = new
    changed.set()
    changed.clear()
    return {"number": number}


@app.get("/changes")
async def changes():
    async def feed():
        while True:
            yield {"books": len(shelf)}
            await changed.wait()

    return EventStream(feed())


@app.get("/primes/{count}", executor="worker")
def primes(count: int):
    """Computes for long: in another process, so that nobody waits for it."""
    found: list[int] = []
    number = 2
    while len(found) < min(count, 20_000):
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


if __name__ == "__main__":
    app.run(port=8080)
