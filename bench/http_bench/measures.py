"""What bench/http.py reads of a server under one row's load; each figure in a server of its own."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import BenchmarkError, Process
from http_bench import rows
from http_bench.rows import IDLE_CONNECTIONS, IDLE_WAVE, Row
from http_bench.servers import BUILD, SOURCES

LONGEST_MEASUREMENT_SECONDS = 120
COUNTED_SECONDS = 0.2  # A count of allocations is exact however short it is.
WRK_SECONDS = 2


@dataclass
class Bench:
    """The programs, cores and settings of one run."""

    programs: Path
    server_core: int
    other_core: int
    seconds: float

    def figure(self, server, row):
        """The figure, and for rows of processor time how backlogged the server was."""
        if row.kind == rows.IDLE:
            return self._idle_bytes(server), None
        if row.kind == rows.LATENCY:
            return self._latency(server, row), None
        if row.kind == rows.ALLOCATIONS:
            return self._allocations(server, row), None
        used_us, backlog = self._processor_time(server, row)
        if row.file_bytes is not None:
            return used_us * 1000 / row.file_bytes, backlog
        return used_us, backlog

    def _processor_time(self, server, row):
        """Microseconds of the server's processor time per request, and how backlogged it was.

        The server is idle at both readings, so the time between them belongs to the requests of
        the window and to nothing else.
        """
        hog_command = [self.programs / "hog", LONGEST_MEASUREMENT_SECONDS]
        with harness.running_server(server.command_for(row), self.server_core) as (process, port), \
                contextlib.ExitStack() as beside:
            for _ in range(row.hogs):
                beside.enter_context(Process(hog_command, self.server_core))
            load = beside.enter_context(self._load(row, port))
            before = harness.processor_time(process.pid)
            report = self._go(load)
            spent = harness.processor_time(process.pid) - before
        backlog = (spent.used_us + spent.waited_us) / 1e6 / report["seconds"]
        return spent.used_us / report["answers"], backlog

    def _load(self, row, port, seconds=None):
        """The load program, warmed up, waiting for its signal."""
        options = ["-w", "-C"] if row.connection_per_request else ["-w"]
        command = [self.programs / "load", *options, port, row.connections,
                   seconds or self.seconds, row.depth, row.path]
        load = Process(command, self.other_core, pipes=True)
        try:
            self._read_line(load, expected="ready")
        except BaseException:
            load.stop()
            raise
        return load

    def _go(self, load):
        load.child.stdin.write("go\n")
        load.child.stdin.flush()
        return json.loads(self._read_line(load))

    @staticmethod
    def _read_line(load, expected=None):
        line = load.child.stdout.readline().strip()
        if not line or "error" in line or (expected and line != expected):
            reason = json.loads(line)["error"] if line.startswith("{") else line or load.log()
            raise BenchmarkError(reason or "the load program ended")
        return line

    def _run_load(self, row, port, seconds):
        with self._load(row, port, seconds) as load:
            return self._go(load)

    # ---- Memory --------------------------------------------------------------------------------

    def _idle_bytes(self, server):
        """User memory per connection that made one request, was answered, and stays open."""
        with harness.running_server(server.command, self.server_core) as (process, port):
            opened = []
            try:
                # Paid before: what a busy server holds anyway, and the first wave's records.
                self._run_load(Row("", connections=IDLE_WAVE), port, self.seconds)
                opened += open_answered(port, IDLE_WAVE)
                before = harness.private_bytes(process.pid)
                while len(opened) < IDLE_WAVE + IDLE_CONNECTIONS:
                    missing = IDLE_WAVE + IDLE_CONNECTIONS - len(opened)
                    opened += open_answered(port, min(IDLE_WAVE, missing))
                return (harness.private_bytes(process.pid) - before) / IDLE_CONNECTIONS
            finally:
                close_all(opened)

    def _allocations(self, server, row):
        """How often the server asks the C library for memory, per request, once it is warm."""
        library = BUILD / "count_allocations.so"
        source = SOURCES / "count_allocations.c"
        harness.built(library, [source],
                      ["cc", "-O2", "-shared", "-fPIC", source, "-o", library])
        counter = BUILD / "allocations"
        counter.write_bytes(bytes(8))

        def command(port):
            filled = server.command(port) if callable(server.command) else \
                server.command.replace("{port}", str(port))
            return f"env LD_PRELOAD={library} ALLOCATIONS_FILE={counter} {filled}"

        def count():
            return int.from_bytes(counter.read_bytes(), "little")

        with harness.running_server(command, self.server_core) as (_, port):
            if count() == 0:
                raise BenchmarkError("nothing was counted: it does not use the C library's malloc")
            self._run_load(row, port, COUNTED_SECONDS)
            with self._load(row, port, COUNTED_SECONDS) as load:
                before = count()
                answers = self._go(load)["answers"]
                return (count() - before) / answers

    # ---- Latency -------------------------------------------------------------------------------

    def _latency(self, server, row):
        """Microseconds that 99 of 100 answers took at most, the server's core its own."""
        if shutil.which("wrk") is None:
            raise BenchmarkError("not installed: wrk")
        with harness.running_server(server.command, self.server_core) as (_, port):
            self._run_load(row, port, COUNTED_SECONDS)
            command = ["taskset", "-c", str(self.other_core), "wrk", "-t", "1", "-c",
                       str(row.connections), "-d", f"{WRK_SECONDS}s", "--latency",
                       f"http://127.0.0.1:{port}{row.path}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  timeout=LONGEST_MEASUREMENT_SECONDS)
        return wrk_percentile(done.stdout, "99%")


def wrk_percentile(report, name):
    """In microseconds, from what wrk prints; fails if any answer was not a good one."""
    found = re.search(rf"^\s*{re.escape(name)}\s+([\d.]+)(us|ms|s)\s*$", report, re.MULTILINE)
    if found is None or "Non-2xx" in report or "Socket errors" in report:
        raise BenchmarkError(f"wrk: {report.strip()[-300:] or 'no report'}")
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def close_all(connections):
    for connection in connections:
        connection.close()
    connections.clear()


def open_answered(port, count):
    """Opens connections, asks once on each, then reads every answer; all of them stay open."""
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    connections = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
    for connection in connections:
        connection.sendall(request)
    for connection in connections:
        answer, length = b"", None
        while length is None or len(answer) < length:
            part = connection.recv(4096)
            if not part:
                raise BenchmarkError("a connection was closed before its answer was whole")
            answer += part
            length = harness.answer_length(answer)
    return connections
