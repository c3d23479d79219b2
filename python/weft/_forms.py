"""Forms: urlencoded ones and multipart ones with files, within limits."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from email.message import Message
from typing import Any, BinaryIO

from ._errors import HTTPError
from ._values import FIELDS_MAX, Headers, MultiDict, parse_fields

# Of a form without its files: what an urlencoded one, and the fields of a multipart one, may take.
FORM_BYTES_MAX = 1 << 20
# A file of more than this goes to the disk while it arrives.
FILE_IN_MEMORY_MAX = 1 << 20
# The head of one part: a name, a file's name, a type.
PART_HEAD_MAX = 8 << 10
PARTS_MAX = FIELDS_MAX


class UploadFile:
    """A file that a client has sent; gone when the request is over.

    `file` is an ordinary binary file, to be read where waiting for the disk does no harm; read()
    and write() may be awaited in any handler.
    """

    def __init__(self, filename: str, headers: Headers, file: BinaryIO) -> None:
        self.filename = filename
        self.headers = headers
        self.content_type = headers.get("content-type", "application/octet-stream")
        self.file = file
        self.size = 0

    async def read(self, size: int = -1) -> bytes:
        return self.file.read(size)

    async def write(self, data: bytes) -> None:
        self.size += len(data)
        self.file.write(data)

    async def seek(self, offset: int) -> None:
        self.file.seek(offset)

    async def close(self) -> None:
        self.file.close()

    def __repr__(self) -> str:
        return f"UploadFile({self.filename!r}, {self.size} bytes)"


class Form(MultiDict):
    """The fields of a form; those that are files are UploadFiles."""

    def close(self) -> None:
        for _, value in self.pairs():
            if isinstance(value, UploadFile):
                value.file.close()


def media_type_of(field: str) -> tuple[str, dict[str, str]]:
    """("multipart/form-data", {"boundary": …}) of a Content-Type; ("", {}) of none."""
    message = Message()
    message["content-type"] = field
    try:
        pairs = message.get_params(failobj=[]) or []
    except ValueError:
        return "", {}
    if not pairs:
        return "", {}
    # Those of RFC 2231, `charset*=`, are tuples; nobody has a use for them here.
    return pairs[0][0].strip().lower(), {name.lower(): value for name, value in pairs[1:]
                                         if isinstance(value, str)}


async def read_form(content_type: str, stream: AsyncIterator[bytes]) -> Form:
    """HTTPError 415 for another type, 400 for what is malformed, 413 for what is too much."""
    kind, parameters = media_type_of(content_type)
    if kind == "application/x-www-form-urlencoded":
        collected = bytearray()
        async for part in stream:
            collected += part
            if len(collected) > FORM_BYTES_MAX:
                raise HTTPError(413, f"A form may have {FORM_BYTES_MAX} bytes")
        try:
            text = collected.decode()
            return Form(parse_fields(text).pairs())
        except ValueError as error:
            raise HTTPError(400, f"The form is malformed: {error}") from None
    if kind == "multipart/form-data":
        boundary = parameters.get("boundary", "")
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise HTTPError(400, "multipart/form-data without a boundary of 1 to 70 characters")
        return await _Multipart(boundary.encode()).read(stream)
    raise HTTPError(415, "The body should be a form: application/x-www-form-urlencoded or "
                         "multipart/form-data")


_FILENAME = re.compile(r'filename="((?:[^"\\]|\\.)*)"|filename=([^;]+)', re.IGNORECASE)
_NAME = re.compile(r'(?:^|;)\s*name="((?:[^"\\]|\\.)*)"|(?:^|;)\s*name=([^;]+)', re.IGNORECASE)
_BROWSERS = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))


def _word(pattern: re.Pattern[str], disposition: str) -> str | None:
    found = pattern.search(disposition)
    if found is None:
        return None
    text = found[1] if found[1] is not None else found[2].strip()
    text = re.sub(r'\\(["\\])', r"\1", text)
    for escaped, meant in _BROWSERS:
        text = text.replace(escaped, meant)
    return text


class _Multipart:
    """Reads multipart/form-data as it arrives (RFC 7578); nothing is kept beyond the limits."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter has no line's end before it.
        self._buffer = bytearray(b"\r\n")
        self._pairs: list[tuple[str, Any]] = []
        self._field_bytes = 0
        self._part: tuple[str, UploadFile | bytearray] | None = None
        self._state = "preamble"

    async def read(self, stream: AsyncIterator[bytes]) -> Form:
        try:
            async for part in stream:
                self._buffer += part
                while self._step():
                    pass
            if self._state != "end":
                raise HTTPError(400, "The multipart form ends too early")
        except BaseException:
            self._close_all()
            raise
        return Form(self._pairs)

    def _close_all(self) -> None:
        open_part = [self._part] if self._part else []
        for _, value in [*self._pairs, *open_part]:
            if isinstance(value, UploadFile):
                value.file.close()

    def _step(self) -> bool:
        """Does one thing with what is there; False where more is needed for the next one."""
        if self._state == "end":
            self._buffer.clear()
            return False
        if self._state in ("preamble", "body"):
            at = self._buffer.find(self._delimiter)
            if at < 0:
                # All but what may be the beginning of a delimiter.
                ready = len(self._buffer) - len(self._delimiter)
                if ready > 0:
                    self._take(bytes(self._buffer[:ready]))
                    del self._buffer[:ready]
                return False
            self._take(bytes(self._buffer[:at]))
            self._finish_part()
            del self._buffer[:at + len(self._delimiter)]
            self._state = "delimiter"
            return True
        if self._state == "delimiter":
            if len(self._buffer) < 2:
                return False
            if self._buffer.startswith(b"--"):
                self._state = "end"
                return True
            at = self._buffer.find(b"\r\n")
            if at < 0:
                if len(self._buffer) > 256:
                    raise HTTPError(400, "A boundary of the multipart form has no line's end")
                return False
            if self._buffer[:at].strip(b" \t"):
                raise HTTPError(400, "A boundary of the multipart form is malformed")
            del self._buffer[:at]  # The line's end stays: an empty head is two of them.
            self._state = "head"
            return True
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0:
            if len(self._buffer) > PART_HEAD_MAX:
                raise HTTPError(400, f"The head of a form's part has over {PART_HEAD_MAX} bytes")
            return False
        self._begin_part(bytes(self._buffer[2:at]))
        del self._buffer[:at + 4]
        # A delimiter may stand right behind the head.
        self._buffer[:0] = b""
        self._state = "body"
        return True

    def _begin_part(self, head: bytes) -> None:
        if len(self._pairs) >= PARTS_MAX:
            raise HTTPError(413, f"A form may have {PARTS_MAX} parts")
        if len(head) > PART_HEAD_MAX:
            raise HTTPError(400, f"The head of a form's part has over {PART_HEAD_MAX} bytes")
        raw = []
        for line in head.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if line and not colon:
                raise HTTPError(400, "A header of a form's part has no colon")
            if line:
                raw.append((name.strip().lower(), value.strip()))
        headers = Headers(raw=raw)
        disposition = headers.raw and dict(headers.raw).get(b"content-disposition", b"") or b""
        text = disposition.decode("utf-8", "replace")
        kind, _, rest = text.partition(";")
        name = _word(_NAME, rest)
        if kind.strip().lower() != "form-data" or name is None:
            raise HTTPError(400, "A part of the form has no Content-Disposition with a name")
        filename = _word(_FILENAME, rest)
        if filename is None:
            self._part = (name, bytearray())
        else:
            spooled = tempfile.SpooledTemporaryFile(max_size=FILE_IN_MEMORY_MAX)
            self._part = (name, UploadFile(filename, headers, spooled))  # type: ignore[arg-type]

    def _take(self, data: bytes) -> None:
        if self._part is None or not data:
            return
        value = self._part[1]
        if isinstance(value, UploadFile):
            value.size += len(data)
            value.file.write(data)
            return
        self._field_bytes += len(data)
        if self._field_bytes > FORM_BYTES_MAX:
            raise HTTPError(413, f"The fields of a form may have {FORM_BYTES_MAX} bytes")
        value += data

    def _finish_part(self) -> None:
        if self._part is None:
            return
        name, value = self._part
        self._part = None
        if isinstance(value, UploadFile):
            value.file.seek(0)
            self._pairs.append((name, value))
        else:
            self._pairs.append((name, value.decode("utf-8", "replace")))
