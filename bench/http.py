#!/usr/bin/python3
"""Processor time per request and memory per idle connection, as multiples of the floor.

The server and a hog share one core, so the server always has a backlog and the client, on another
core, is never the limit. Every round measures the floor again; a ratio is the median of the
rounds' own ratios. docs/benchmarking.md says how to read the figures.
"""

import argparse
import json
import os
import socket
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import BenchmarkError, Process, Result

IDLE_CONNECTIONS = 10_000
IDLE_WAVE = 512  # Connections that are busy at the same time while the idle ones are made.
LONGEST_MEASUREMENT_SECONDS = 120
# The hog is there so that the server always runs or waits to run; less, and it ran out of work.
LEAST_BACKLOG = 0.9


@dataclass(frozen=True)
class Row:
    """How a row is loaded. `goal` bounds the ratio to the floor; of a park or memory the value."""

    connections: int = 64
    depth: int = 1
    path: str = "/"
    connection_per_request: bool = False
    goal: float | None = None


# In the order of measurement: the row with a park follows the one that it is compared with.
ROWS = {
    "plaintext_64": Row(goal=1.15),
    "parks_once_64": Row(path="/park", goal=0.3),
    "plaintext_512": Row(connections=512, goal=1.15),
    "plaintext_4096": Row(connections=4096, goal=1.10),
    "pipelined_64x16": Row(depth=16, goal=2.0),
    "json_param_64": Row(path="/users/42"),
    "connection_per_request_64": Row(connection_per_request=True),
    "idle_bytes_10000": Row(connections=IDLE_CONNECTIONS, goal=400),
}
PARK, PARK_BASE, IDLE = "parks_once_64", "plaintext_64", "idle_bytes_10000"


@dataclass(frozen=True)
class Server:
    name: str
    command: str
    close_option: str = ""  # The floors close only when told to; a server reads the request.

    def command_for(self, row):
        return self.command + (self.close_option if row.connection_per_request else "")


@dataclass
class Bench:
    """The programs, cores and settings of one run."""

    programs: Path
    server_core: int
    other_core: int
    seconds: float

    def processor_time(self, server, row):
        """Microseconds of the server's processor time per request, and how backlogged it was.

        The server is idle at both readings, so the time between them belongs to the requests of
        the window and to nothing else.
        """
        hog_command = [self.programs / "hog", LONGEST_MEASUREMENT_SECONDS]
        with harness.running_server(server.command_for(row), self.server_core) as (process, port), \
                Process(hog_command, self.server_core), \
                Process(self._load_command(row, port), self.other_core, pipes=True) as load:
            self._read_line(load, expected="ready")
            before = harness.processor_time(process.pid)
            report = self._go(load)
            spent = harness.processor_time(process.pid) - before
        backlog = (spent.used_us + spent.waited_us) / 1e6 / report["seconds"]
        return spent.used_us / report["answers"], backlog

    def _load_command(self, row, port):
        options = ["-w", "-C"] if row.connection_per_request else ["-w"]
        return [self.programs / "load", *options, port, row.connections, self.seconds, row.depth,
                row.path]

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

    def idle_bytes(self, server):
        """User memory per connection that made one request, was answered, and stays open."""
        with harness.running_server(server.command, self.server_core) as (process, port):
            opened = []
            try:
                # Paid before: what a busy server holds anyway, and the first wave's records.
                self._warm_up(port)
                opened += open_answered(port, IDLE_WAVE)
                before = harness.private_bytes(process.pid)
                while len(opened) < IDLE_WAVE + IDLE_CONNECTIONS:
                    missing = IDLE_WAVE + IDLE_CONNECTIONS - len(opened)
                    opened += open_answered(port, min(IDLE_WAVE, missing))
                return (harness.private_bytes(process.pid) - before) / IDLE_CONNECTIONS
            finally:
                close_all(opened)


    def _warm_up(self, port):
        row = Row(connections=IDLE_WAVE)
        with Process(self._load_command(row, port), self.other_core, pipes=True) as load:
            self._read_line(load, expected="ready")
            self._go(load)


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


class Rounds:
    """Every figure of every round: by row, then server; None where it could not be taken."""

    def __init__(self, bench, floor, servers, rows):
        self.bench, self.floor, self.servers, self.rows = bench, floor, servers, rows
        self.figures = {}
        self.failures = []
        self.backlogs = {}

    def take(self, number):
        for name in self.rows:
            targets = self.servers if name == PARK else [self.floor, *self.servers]
            turn = number % len(targets)  # Nobody is always first.
            for server in targets[turn:] + targets[:turn]:
                self.figures.setdefault((name, server.name), []).append(self._one(name, server))

    def _one(self, name, server):
        if any(failure[:2] == (name, server.name) for failure in self.failures):
            return None
        try:
            if name == IDLE:
                figure = self.bench.idle_bytes(server)
            else:
                figure, backlog = self.bench.processor_time(server, ROWS[name])
                self.backlogs.setdefault((name, server.name), []).append(backlog)
        except (BenchmarkError, OSError) as error:
            self.failures.append((name, server.name, str(error)))
            return None
        harness.say(f"  {name} {server.name}: {figure:.3f}")
        return figure

    def results(self):
        found = []
        for server in self.servers:
            for name in self.rows:
                figures = self.figures[name, server.name]
                reference = self.figures[name, self.floor.name] if name != PARK else \
                    self.figures[PARK_BASE, server.name]
                pairs = list(zip(figures, reference))
                if all(None not in pair for pair in pairs):
                    found.append(self._result(name, server, pairs))
        return found

    def doubtful(self):
        """The rows whose server, in the median round, was not kept busy."""
        return [[*key, round(statistics.median(backlogs), 3)]
                for key, backlogs in sorted(self.backlogs.items())
                if statistics.median(backlogs) < LEAST_BACKLOG]

    def _result(self, name, server, pairs):
        values = [value - base if name == PARK else value for value, base in pairs]
        units = {PARK: "µs added", IDLE: "bytes"}
        return Result(
            name=name if server is self.servers[0] else f"{name}:{server.name}",
            value=statistics.median(values), unit=units.get(name, "µs/request"),
            reference=statistics.median(base for _, base in pairs),
            ratio=harness.median_of_ratios(pairs), goal=ROWS[name].goal,
            goal_of="value" if name in units else "ratio", server=server.name,
            rounds=[list(pair) for pair in pairs])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured window of each figure")
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated; default: all")
    parser.add_argument("--backend", choices=("default", "epoll", "io_uring", "both", "none"),
                        default="default", help="of the server under test; none leaves it out")
    parser.add_argument("--server", action="append", default=[], metavar="NAME=COMMAND",
                        help="another server for the same run; COMMAND holds {port}; repeatable")
    parser.add_argument("--uring-floor", action="store_true", help="measure the io_uring floor too")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="SERVER,OTHERS", help="default: the first two allowed")
    arguments = parser.parse_args()
    arguments.rows = arguments.rows.split(",")
    for row in arguments.rows:
        if row not in ROWS:
            parser.error(f"no row {row}; there are {', '.join(ROWS)}")
    if PARK in arguments.rows and PARK_BASE not in arguments.rows:
        arguments.rows.append(PARK_BASE)
    arguments.rows = [row for row in ROWS if row in arguments.rows]
    for server in arguments.server:
        if "=" not in server or "{port}" not in server:
            parser.error(f"not NAME=COMMAND with {{port}}: {server}")
    return arguments


def servers_of(arguments):
    """The floor, and the servers to compare with it, the one under test first."""
    programs = arguments.build / "bench"
    hello = arguments.build / "examples" / "hello"
    servers = []
    if arguments.backend != "none":
        harness.require_programs(hello)
        command = f"{hello} --host 127.0.0.1 --port {{port}} --workers 1"
        if arguments.backend == "default":
            servers.append(Server("weft", command))
        else:
            both = arguments.backend == "both"
            backends = ("epoll", "io_uring") if both else (arguments.backend,)
            servers += [Server(f"weft-{backend}", f"{command} --backend {backend}")
                        for backend in backends]
    if arguments.uring_floor:
        servers.append(Server("uring_floor", f"{programs / 'uring_floor'} -p {{port}}", " -C"))
    servers += [Server(*server.split("=", 1)) for server in arguments.server]
    if not servers:
        raise BenchmarkError("nothing to measure: --backend none needs --server or --uring-floor")
    return Server("floor", f"{programs / 'epoll_floor'} -p {{port}}", " -C"), servers


def measure(arguments):
    arguments.build = arguments.build.resolve()
    programs = arguments.build / "bench"
    harness.require_programs(*(programs / name for name in ("epoll_floor", "load", "hog")))
    server_core, other_core = harness.two_cores(arguments.cores)
    floor, servers = servers_of(arguments)
    if IDLE in arguments.rows and harness.raise_descriptor_limit() < 1.1 * IDLE_CONNECTIONS:
        raise BenchmarkError(f"the limit of descriptors is too low for {IDLE}")
    os.sched_setaffinity(0, {other_core})

    bench = Bench(programs, server_core, other_core, arguments.seconds)
    rounds = Rounds(bench, floor, servers, arguments.rows)
    for number in range(arguments.rounds):
        harness.say(f"round {number + 1} of {arguments.rounds}")
        rounds.take(number)

    facts, results = harness.machine_facts(), rounds.results()
    harness.print_table(facts, results)
    for name, server, reason in rounds.failures:
        harness.say(f"not measured: {name} {server}: {reason}")
    for name, server, backlog in rounds.doubtful():
        harness.say(f"doubtful: {name} {server} had work for only {backlog:.0%} of the time")
    harness.publish(
        "http", facts, results, rounds=arguments.rounds, seconds=arguments.seconds,
        cores=[server_core, other_core],
        servers={server.name: server.command for server in (floor, *servers)},
        failures=rounds.failures, doubtful=rounds.doubtful())
    return 1 if any(server in (floor.name, servers[0].name)
                    for _, server, _ in rounds.failures) else 0


def main():
    harness.end_cleanly_on_sigterm()
    try:
        return measure(parse_arguments())
    except BenchmarkError as error:
        harness.say(f"bench-http: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
