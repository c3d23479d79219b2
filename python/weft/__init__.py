"""weft: HTTP applications in Python, on weft's server.

    from weft import App

    app = App()

    @app.get("/users/{id}")
    def user(id: int, q: str = ""):
        return {"id": id, "q": q}

    if __name__ == "__main__":
        app.run(port=8080)

`python3 -m weft serve main:app`, or `weft serve main:app`, serves it, and any other ASGI or WSGI
application.
"""

from ._app import App
from ._errors import ClientDisconnected, HTTPError, ValidationError
from ._forms import UploadFile
from ._params import Body, Cookie, Depends, Field, File, Form, Header, Path, Query
from ._request import Request
from ._response import (
    BackgroundTasks,
    Event,
    EventStream,
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from ._routes import Group
from ._values import Headers, State
from ._version import __version__

__all__ = [
    "App", "BackgroundTasks", "Body", "ClientDisconnected", "Cookie", "Depends", "Event",
    "EventStream", "Field", "File", "FileResponse", "Form", "Group", "HTMLResponse", "HTTPError",
    "Header", "Headers", "JSONResponse", "Path", "PlainTextResponse", "Query", "RedirectResponse",
    "Request", "Response", "State", "StreamingResponse", "UploadFile", "ValidationError",
    "__version__",
]
