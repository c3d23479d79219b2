"""FastAPI with what people use of it."""

import asyncio
from typing import List, Optional

from fastapi import (BackgroundTasks, Body, Cookie, Depends, FastAPI, File, Form, Header,
                     HTTPException, Query, Request, Response, UploadFile)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

notes: list[str] = []


app = FastAPI(title="Tried")
app.add_middleware(CORSMiddleware, allow_origins=["https://a.example"])
app.add_middleware(GZipMiddleware, minimum_size=1000)


@app.on_event("startup")
def startup():
    notes.append("started")


@app.on_event("shutdown")
async def shutdown():
    print("lifespan has ended", flush=True)


class Item(BaseModel):
    name: str
    price: float = 1.0
    tags: List[str] = []


async def session(x_token: str = Header("none"), who: Optional[str] = Cookie(None)):
    notes.append("open")
    yield [x_token, who]
    notes.append("closed")


@app.middleware("http")
async def timing(request: Request, call_next):
    response = await call_next(request)
    response.headers["x-seen"] = request.url.path
    return response


@app.get("/users/{user_id}")
async def user(user_id: int, q: Optional[str] = None, size: int = Query(10, le=100)):
    return {"id": user_id, "q": q, "size": size}


@app.get("/sync/{n}")
def sync(n: int):
    return {"n": n}


@app.post("/items", response_model=Item, status_code=201)
async def create(item: Item):
    return item


@app.post("/form")
async def form(name: str = Form(...), photo: UploadFile = File(...)):
    data = await photo.read()
    return {"name": name, "file": photo.filename, "size": len(data)}


@app.get("/depends")
async def depends(found=Depends(session)):
    return found


@app.get("/notes")
async def all_notes():
    return notes


@app.get("/fails")
async def fails():
    raise ValueError("as it should")


@app.get("/teapot")
async def teapot():
    raise HTTPException(418, "short and stout", headers={"x-pot": "1"})


@app.get("/background")
async def background(tasks: BackgroundTasks):
    tasks.add_task(notes.append, "background")
    return "ok"


@app.get("/cookie")
async def cookie(response: Response):
    response.set_cookie("who", "ada")
    return "set"


@app.get("/big")
async def big():
    return "x" * 100_000


@app.get("/stream")
async def stream():
    async def parts():
        for number in range(5):
            yield f"{number}\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/forever")
async def forever():
    async def parts():
        try:
            while True:
                yield b"more\n"
                await asyncio.sleep(0.01)
        finally:
            notes.append("stream ended")

    return StreamingResponse(parts())


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/octet-stream")


@app.post("/count")
async def count(request: Request):
    total = 0
    async for part in request.stream():
        total += len(part)
    return total


@app.get("/client")
async def client(request: Request):
    return {"host": request.client.host if request.client else None, "scheme": request.url.scheme,
            "root": request.scope["root_path"], "url": str(request.url)}


@app.put("/body")
async def body(a: int = Body(...), b: str = Body("b")):
    return [a, b]
