"""Starlette: routes, mounts, static files, sessions, events by hand."""

import asyncio
import os

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import (FileResponse, JSONResponse, PlainTextResponse, RedirectResponse,
                                 StreamingResponse)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

done = []


async def hello(request):
    return PlainTextResponse("hello")


async def info(request):
    return JSONResponse({"path": request.path_params["path"], "query": dict(request.query_params),
                         "agent": request.headers.get("user-agent"),
                         "gone": await request.is_disconnected()})


async def after(request):
    return JSONResponse(done, background=BackgroundTask(done.append, "after"))


async def redirect(request):
    return RedirectResponse(request.url_for("hello"))


async def file(request):
    return FileResponse(__file__, filename="app.py")


async def events(request):
    async def feed():
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(feed(), media_type="text/event-stream")


class Thing(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("got")

    async def delete(self, request):
        return PlainTextResponse("", status_code=204)


app = Starlette(
    routes=[
        Route("/", hello, name="hello"), Route("/info/{path:path}", info), Route("/after", after),
        Route("/redirect", redirect), Route("/file", file), Route("/events", events),
        Route("/thing", Thing),
        Mount("/static", StaticFiles(directory=os.path.dirname(__file__))),
        Mount("/inner", Starlette(routes=[Route("/x", hello)])),
    ],
    middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "good.example"])])
