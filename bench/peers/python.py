"""What bench/python.py asks of the servers, written for each of the kinds of application.

The same answers from all of them; one module, so that all pay for the same imports but their own.
"""

import asyncio
import os
import time

HELLO = b"Hello, World!\n"
TEN_KB = b"x" * 10_000


async def asgi(scope, receive, send):
    """ASGI with nothing between: hello, 10 KB, and a wait of 10 ms."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    body = HELLO
    if scope["path"] == "/10k":
        body = TEN_KB
    elif scope["path"] == "/sleep":
        await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


kind = os.environ.get("BENCH_KIND", "")

if kind == "starlette":
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def starlette_hello(request):
        return PlainTextResponse("Hello, World!\n")

    starlette = Starlette(routes=[Route("/", starlette_hello)])

if kind == "fastapi":
    from fastapi import FastAPI

    fastapi = FastAPI()

    @fastapi.get("/")
    async def fastapi_hello():
        return {"hello": "world"}

    @fastapi.get("/users/{id}")
    async def fastapi_user(id: int, q: str = ""):
        return {"id": id, "q": q}

if kind == "flask":
    from flask import Flask

    flask = Flask("bench")

    @flask.route("/")
    def flask_hello():
        return "Hello, World!\n"

if kind == "weft":
    from weft import App

    native = App()

    @native.get("/")
    def native_hello():
        return "Hello, World!\n"

    @native.get("/users/{id}")
    def native_user(id: int, q: str = ""):
        return {"id": id, "q": q}

    @native.get("/async/{id}")
    async def native_async(id: int):
        return {"id": id}

    def compute_for(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return "done"

    @native.get("/spin/worker/{seconds}", executor="worker")
    def native_spin_worker(seconds: int):
        return compute_for(seconds)

    @native.get("/spin/thread/{seconds}", executor="thread")
    def native_spin_thread(seconds: int):
        return compute_for(seconds)

    @native.get("/compute/{n}")
    def native_compute(n: int):
        found = 0
        for number in range(n):
            found = (found * 31 + number) % 65521
        return found
