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
    """One connection of a closed loop: requests, their answers, and again. Never blocks.

    `owed` is how many answers are not whole yet of requests that the kernel has taken whole.
    """

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = port
        self.answers = 0
        self.owed = 0
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

    def send_request(self, path="/", close=False, count=1):
        """Sends so many of the same; the last announces the end if `close`.

        Raises OSError, with nothing owed, if the kernel did not take all of it.
        """
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n".encode()
        requests = (head + b"\r\n") * (count - 1) + head
        requests += b"Connection: close\r\n\r\n" if close else b"\r\n"
        if self.socket.send(requests, socket.MSG_NOSIGNAL) != len(requests):
            raise OSError("the kernel took a part of a request")
        self.owed = count

    def read(self):
        """Takes what has arrived. Returns how many answers became whole.

        Raises ConnectionEnded at the end of the stream, after counting an answer that came whole
        before it; harness.BenchmarkError if what arrived is no answer to what was asked.
        """
        whole = 0
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
            while self._take_answer():
                whole += 1

    def has_part_of_an_answer(self):
        return bool(self._received)

    def _take_answer(self):
        if not self._received:
            return False
        if not self.owed:
            raise harness.BenchmarkError(f"bytes that nobody asked for: {self._received[:60]!r}")
        length = harness.answer_length(self._received)
        if length is None or len(self._received) < length:
            return False
        head = self._received[:length].partition(b"\r\n\r\n")[0].lower()
        self.last_answer_closes = b"\r\nconnection: close" in head
        self._received = self._received[length:]
        if self.last_answer_closes and self._received:
            raise harness.BenchmarkError(f"bytes behind the last: {self._received[:60]!r}")
        self.owed -= 1
        self.answers += 1
        return True
