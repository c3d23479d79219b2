"""The same shelf in FastAPI, unchanged: `weft serve examples/python/fastapi_books.py`.

uvicorn serves it, too; nothing in it knows by whom it is served.
"""

from typing import Dict, List

from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, Field

app = FastAPI(title="Books", version="1.0")


class Book(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    pages: int = Field(100, ge=1)
    tags: List[str] = []


shelf: Dict[int, Book] = {1: Book(title="Emma", pages=474, tags=["novel"])}


def key(x_key: str = Header("")):
    if x_key != "secret":
        raise HTTPException(401, "Send X-Key")


@app.get("/books")
async def all_books(tag: str = "", limit: int = Query(10, ge=1, le=100)):
    found = {number: book for number, book in shelf.items() if not tag or tag in book.tags}
    return dict(list(found.items())[:limit])


@app.get("/books/{number}")
async def book(number: int) -> Book:
    if number not in shelf:
        raise HTTPException(404)
    return shelf[number]


@app.post("/books", status_code=201, dependencies=[Depends(key)])
async def add(new: Book):
    number = max(shelf, default=0) + 1
    shelf[number] = new
    return {"number": number}
