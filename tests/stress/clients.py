"""What the stress programs share: a client connection that never blocks, and the server they run.

The server process, free ports and answer lengths come from the benchmarks' harness.
"""

import socket
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import harness  # noqa: E402, F401

READ_BYTES = 65536


class ConnectionEnded(Exception):
    """The server closed or reset the connection."""


class Client:
    """One connection of a closed loop: a request, its answer, and again. Never blocks.

    `owed` is true from the moment the whole request has been handed to the kernel until its whole
    answer is here.
    """

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = port
        self.answers = 0
        self.owed = False
        self.last_answer_closes = False
        self._received = b""

    def connect(self):
        """Starts to connect; writability says when it is done."""
        self.socket.connect_ex(("127.0.0.1", self.port))

    def connect_error(self):
        """0, or the errno with which connecting failed."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def send_request(self, path="/", close=False):
        """Raises OSError, with nothing owed, if the kernel did not take the whole request."""
        closing = "Connection: close\r\n" if close else ""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{closing}\r\n".encode()
        if self.socket.send(request, socket.MSG_NOSIGNAL) != len(request):
            raise OSError("the kernel took a part of a request")
        self.owed = True

    def read(self):
        """Takes what has arrived. Returns whether an answer became whole.

        Raises ConnectionEnded at the end of the stream, after counting an answer that came whole
        before it; harness.BenchmarkError if what arrived is no answer to what was asked.
        """
        whole = False
        while True:
            try:
                part = self.socket.recv(READ_BYTES)
            except BlockingIOError:
                return whole
            except OSError as error:
                raise ConnectionEnded(str(error)) from error
            if not part:
                raise ConnectionEnded("end of stream")
            self._received += part
            whole = self._take_answer() or whole

    def has_part_of_an_answer(self):
        return bool(self._received)

    def _take_answer(self):
        if not self.owed:
            raise harness.BenchmarkError(f"bytes that nobody asked for: {self._received[:60]!r}")
        length = harness.answer_length(self._received)
        if length is None or len(self._received) < length:
            return False
        if len(self._received) > length:
            raise harness.BenchmarkError(f"more than an answer: {self._received[length:][:60]!r}")
        head = self._received[:length].partition(b"\r\n\r\n")[0].lower()
        self.last_answer_closes = b"\r\nconnection: close" in head
        self._received = b""
        self.owed = False
        self.answers += 1
        return True
