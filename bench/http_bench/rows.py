"""The rows of bench/http.py: what is asked of the servers, and what bounds weft's figure."""

from dataclasses import dataclass

# What a row measures, each in a unit of its own.
CPU, PARK, IDLE, LATENCY, ALLOCATIONS, FILE = (
    "µs/request", "µs added", "bytes", "µs p99", "per request", "ns/byte")

IDLE_CONNECTIONS = 10_000
IDLE_WAVE = 512  # Connections that are busy at the same time while the idle ones are made.
PARK_BASE = "plaintext_64"
FILES = {"10k.bin": 10_000, "1m.bin": 1_000_000}


@dataclass(frozen=True)
class Row:
    """How a row is loaded. `goal` bounds weft's ratio to the floor, or its value."""

    title: str
    kind: str = CPU
    connections: int = 64
    depth: int = 1
    path: str = "/"
    connection_per_request: bool = False
    goal: float | None = None
    hogs: int = 1  # More leave the server less of its core, where the client costs as much as it.

    @property
    def goal_of(self):
        return "ratio" if self.kind in (CPU, FILE) else "value"

    @property
    def has_floor(self):
        return self.kind in (CPU, IDLE, LATENCY)

    @property
    def file_bytes(self):
        return FILES[self.path.rpartition("/")[2]] if self.kind == FILE else None


# In the order of measurement: the row with a park follows the one that it is compared with.
ROWS = {
    PARK_BASE: Row("plain text, 64 connections", goal=1.07),
    "parks_once_64": Row("what one park adds, 64 connections", PARK, path="/park", goal=0.3),
    "plaintext_512": Row("plain text, 512 connections", connections=512, goal=1.05),
    "plaintext_4096": Row("plain text, 4096 connections", connections=4096, goal=1.00),
    "pipelined_64x16": Row("plain text, 64 connections, 16 requests in flight on each",
                           depth=16, goal=1.6),
    "json_param_64": Row("JSON with a parameter, 64 connections", path="/users/42"),
    "connection_per_request_64": Row("a connection per request, 64 at a time",
                                     connection_per_request=True, goal=1.05, hogs=3),
    "file_10k": Row("a file of 10 KB, 64 connections", FILE, path="/files/10k.bin", goal=1.0,
                    hogs=2),
    "file_1m": Row("a file of 1 MB, 16 connections", FILE, connections=16, path="/files/1m.bin",
                   goal=1.0, hogs=2),
    "wrk_p99_64": Row("99th percentile of latency under wrk, 64 connections", LATENCY),
    "allocations_64": Row("allocations per request, 64 connections", ALLOCATIONS, goal=0),
    "idle_bytes_10000": Row("memory of an idle connection, 10,000 of them", IDLE,
                            connections=IDLE_CONNECTIONS, goal=256),
}
