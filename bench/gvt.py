#!/usr/bin/python3
"""What green threads cost, beside Go, Boost.Fiber and programs with no runtime at all.

Every figure is a process of its own. A round takes every row of every side once, the sides in
turns, and a ratio is the median of the rounds' own ratios. Sides that are not installed here are
left out and named. docs/benchmarking.md says how to read the figures.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import harness
from harness import BenchmarkError, Process

PEERS = harness.REPOSITORY / "bench" / "peers"
PEERS_BUILD = harness.RESULTS_FOLDER / "peers"
SIDES = ("weft", "go", "boost", "raw")
TITLES = {"weft": "weft", "go": "Go", "boost": "Boost.Fiber", "raw": "raw"}
LONGEST_FIGURE_SECONDS = 60
LONGEST_ECHO_SECONDS = 120
ECHO = "echo_cpu_us"
TWO_CORES = ("wake_other_worker", "wake_other_worker_cpu")
# The hog is there so that the server always runs or waits to run; less, and it ran out of work.
LEAST_BACKLOG = 0.9


@dataclass(frozen=True)
class Goal:
    """weft's `of` ("value", or its "ratio" to or "difference" from `side`) is at most `bound`."""

    of: str
    bound: float
    side: str | None = None

    def text(self):
        named = f" {TITLES[self.side]}" if self.side else ""
        relation = {"value": "≤", "ratio": f"÷{named} ≤", "difference": f"−{named} ≤"}[self.of]
        return f"{relation} {round(self.bound, 2):g}"

    def verdict(self, rounds):
        """"met", "missed", or "open" where the side was not measured."""
        own = rounds["weft"]
        if self.side and self.side not in rounds:
            return "open"
        if self.of == "value":
            measured = statistics.median(own)
        elif self.of == "ratio":
            measured = harness.median_of_ratios(zip(own, rounds[self.side]))
        else:
            measured = statistics.median(a - b for a, b in zip(own, rounds[self.side]))
        return "met" if measured <= self.bound else "missed"


@dataclass(frozen=True)
class Row:
    """How many operations a figure is taken over, and which sides have the row."""

    count: int
    unit: str = "ns"
    sides: tuple[str, ...] = ("weft", "go", "boost")
    goals: tuple[Goal, ...] = ()


ROWS = {
    "switch": Row(20_000_000, sides=("weft", "boost"), goals=(Goal("value", 4),)),
    "yield": Row(2_000_000, goals=(Goal("value", 12),)),
    "spawn_join": Row(500_000, goals=(Goal("value", 60), Goal("ratio", 1 / 3, "go"))),
    "spawn_join_1000": Row(500_000, goals=(Goal("value", 60), Goal("ratio", 1 / 3, "go"))),
    "channel_pingpong": Row(400_000, goals=(Goal("ratio", 1, "go"), Goal("ratio", 1, "boost"))),
    "mutex_contended": Row(800_000),
    "wake_other_worker": Row(5_000, sides=SIDES),
    "wake_other_worker_cpu": Row(5_000, sides=SIDES),
    "parked_bytes": Row(100_000, "bytes", goals=(Goal("value", 4608),)),
    "timers_1m": Row(1_000_000, sides=("weft", "go")),
    "timers_1m_expired": Row(1_000_000, sides=("weft", "go")),
    ECHO: Row(0, "µs", sides=("weft", "go", "raw"), goals=(Goal("difference", 0.15, "raw"),)),
}


@dataclass
class Comparison:
    """One row: medians over the rounds, by side; a ratio is weft's to that side."""

    name: str
    unit: str
    values: dict
    ratios: dict
    goals: list
    rounds: dict = field(default_factory=dict)


# ---- The sides ---------------------------------------------------------------------------------


def _build_c(name):
    output, source = PEERS_BUILD / name, PEERS / f"{name}.c"
    floor = harness.REPOSITORY / "bench" / "floor"
    return harness.built(output, [source, floor / "floor.h"],
                         ["cc", "-O2", "-I", floor, source, "-o", output, "-pthread"])


def _build_go():
    if shutil.which("go") is None:
        raise BenchmarkError("Go is not installed")
    output, source = PEERS_BUILD / "goroutines", PEERS / "goroutines.go"
    return harness.built(output, [source], ["go", "build", "-o", output, source],
                         GOCACHE=str(PEERS_BUILD / "go-cache"), GOFLAGS="")


def _build_boost():
    if not Path("/usr/include/boost/fiber/all.hpp").exists():
        raise BenchmarkError("Boost.Fiber is not installed")
    output, source = PEERS_BUILD / "boost_fiber", PEERS / "boost_fiber.cpp"
    micro = harness.REPOSITORY / "bench" / "micro"
    return harness.built(output, [source, micro / "gvt_rows.hpp", micro / "ksvc_rows.hpp"],
                         ["c++", "-std=c++20", "-O2", "-I", micro, source, "-o", output,
                          "-lboost_fiber", "-lboost_context", "-pthread"])


class Sides:
    """The programs of every side that there is on this machine."""

    def __init__(self, build, wanted, backend):
        harness.require_programs(*(build / "bench" / name for name in ("gvt", "gvt_echo", "hog")))
        self.hog = build / "bench" / "hog"
        self.echo_load = _build_c("echo_load")
        self.programs = {"weft": build / "bench" / "gvt"}
        self.servers = {"weft": f"{build / 'bench' / 'gvt_echo'} {{port}} {backend}".strip()}
        self.versions = {"weft": harness.first_line(build / "weft", "version"),
                         "C++": harness.first_line("c++", "--version"),
                         "libc": " ".join(platform.libc_ver())}
        self.skipped = {}
        for side, add in (("go", self._add_go), ("boost", self._add_boost), ("raw", self._add_raw)):
            if side not in wanted:
                continue
            try:
                add()
            except BenchmarkError as error:
                self.skipped[side] = str(error)

    def _add_go(self):
        program = _build_go()
        self.programs["go"] = program
        self.servers["go"] = f"{program} echo {{port}}"
        self.versions["Go"] = harness.first_line(program, "version")

    def _add_boost(self):
        self.programs["boost"] = _build_boost()
        version = harness.first_line(self.programs["boost"], "version")
        self.versions["Boost"] = version.replace("_", ".")

    def _add_raw(self):
        self.programs["raw"] = _build_c("futex_wake")
        self.servers["raw"] = f"{_build_c('epoll_echo')} {{port}}"

    def that_have(self, name):
        there = self.servers if name == ECHO else self.programs
        return [side for side in ROWS[name].sides if side in there]


# ---- Measuring ---------------------------------------------------------------------------------


@dataclass
class Bench:
    sides: Sides
    cores: tuple[int, int]
    echo_connections: int
    echo_bytes: int
    echo_seconds: float
    hogged: bool
    backlogs: dict = field(default_factory=dict)

    def figure(self, name, side):
        return self._echo(side) if name == ECHO else self._program(name, side)

    def _program(self, name, side):
        command = [self.sides.programs[side], name, ROWS[name].count, *self.cores]
        # A row of one core keeps all the threads of a runtime there.
        cores = self.cores if name in TWO_CORES else self.cores[:1]
        words = ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False,
                                  timeout=LONGEST_FIGURE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"no figure in {LONGEST_FIGURE_SECONDS} s") from error
        if done.returncode != 0:
            raise BenchmarkError(f"ended with {done.returncode}: {done.stderr.strip()}")
        return float(done.stdout)

    def _echo(self, side):
        """Microseconds of processor time that the server spent on a message.

        It is idle at both readings, so what is between them belongs to the messages counted.
        """
        server_core, other_core = self.cores
        load_command = [self.sides.echo_load, "{port}", self.echo_connections, self.echo_seconds,
                        self.echo_bytes]
        hog_command = [self.sides.hog, LONGEST_ECHO_SECONDS] if self.hogged else ["sleep", 3600]
        with harness.running_server(self.sides.servers[side], server_core) as (server, port), \
                Process(hog_command, server_core), \
                Process([port if word == "{port}" else word for word in load_command],
                        other_core, pipes=True) as load:
            self._expect(load, "ready")
            before = harness.processor_time(server.pid)
            load.child.stdin.write("go\n")
            load.child.stdin.flush()
            report = json.loads(self._expect(load))
            spent = harness.processor_time(server.pid) - before
        backlog = (spent.used_us + spent.waited_us) / 1e6 / report["seconds"]
        self.backlogs.setdefault(side, []).append(backlog)
        return spent.used_us / report["messages"]

    @staticmethod
    def _expect(load, expected=None):
        line = load.child.stdout.readline().strip()
        if not line or "error" in line or (expected and line != expected):
            raise BenchmarkError(line or load.log() or "the load program ended")
        return line


class Rounds:
    """Every figure of every round, by row and side."""

    def __init__(self, bench, names):
        self.bench, self.names = bench, names
        self.figures = {name: {} for name in names}
        self.failures = []

    def take(self, number):
        for name in self.names:
            sides = self.bench.sides.that_have(name)
            turn = number % len(sides)  # Nobody is always first.
            for side in sides[turn:] + sides[:turn]:
                self._take_one(name, side)

    def _take_one(self, name, side):
        if any(failure[:2] == (name, side) for failure in self.failures):
            return
        try:
            figure = self.bench.figure(name, side)
        except (BenchmarkError, OSError, ValueError) as error:
            self.failures.append((name, side, str(error)))
            self.figures[name].pop(side, None)
            return
        self.figures[name].setdefault(side, []).append(figure)
        harness.say(f"  {name} {side}: {figure:.3f}")

    def results(self):
        return [self._comparison(name) for name in self.names if self.figures[name].get("weft")]

    def _comparison(self, name):
        rounds = {side: self.figures[name][side] for side in SIDES if side in self.figures[name]}
        ratios = {side: harness.median_of_ratios(zip(rounds["weft"], rounds[side]))
                  for side in rounds if side != "weft"}
        goals = [{"goal": goal.text(), "verdict": goal.verdict(rounds)}
                 for goal in ROWS[name].goals]
        return Comparison(name, ROWS[name].unit,
                          {side: statistics.median(figures) for side, figures in rounds.items()},
                          ratios, goals, rounds)


# ---- Telling -----------------------------------------------------------------------------------


def _figure(number, digits=2):
    if number is None:
        return "-"
    return f"{number:.{digits}f}" if abs(number) < 1000 else f"{number:.0f}"


def print_table(facts, versions, results):
    harness.say(f"\n{facts['machine']} · kernel {facts['kernel']} · commit {facts['commit']}")
    harness.say(" · ".join(f"{name} {version}" for name, version in versions.items()))
    others = SIDES[1:]
    rows = [["row", "unit", "weft", *(cell for side in others for cell in (TITLES[side], "÷")),
             "goals"]]
    for result in results:
        cells = [result.name, result.unit, _figure(result.values["weft"])]
        for side in others:
            cells += [_figure(result.values.get(side)), _figure(result.ratios.get(side))]
        rows.append([*cells, "; ".join(f"{one['goal']} {one['verdict']}" for one in result.goals)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.rjust(width) if 2 <= column < len(row) - 1 else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths)))
        harness.say("  ".join(cells).rstrip())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated; default: all")
    parser.add_argument("--sides", default=",".join(SIDES), help="beside weft; default: all")
    parser.add_argument("--backend", choices=("", "epoll", "io_uring"), default="",
                        help="of the echo server; default: what weft chooses")
    parser.add_argument("--connections", type=int, default=64, help="of the echo servers")
    parser.add_argument("--bytes", type=int, default=64, help="of a message that is echoed")
    parser.add_argument("--seconds", type=float, default=1.0, help="of echoing in each figure")
    parser.add_argument("--no-hog", action="store_true", help="let the echo servers run idle")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="A,B", help="default: the first two allowed")
    arguments = parser.parse_args()
    arguments.rows = arguments.rows.split(",")
    for row in arguments.rows:
        if row not in ROWS:
            parser.error(f"no row {row}; there are {', '.join(ROWS)}")
    arguments.sides = arguments.sides.split(",")
    for side in arguments.sides:
        if side not in SIDES:
            parser.error(f"no side {side}; there are {', '.join(SIDES)}")
    return arguments


def measure(arguments):
    cores = harness.two_cores(arguments.cores)
    sides = Sides(arguments.build.resolve(), arguments.sides, arguments.backend)
    bench = Bench(sides, cores, arguments.connections, arguments.bytes, arguments.seconds,
                  not arguments.no_hog)
    rounds = Rounds(bench, arguments.rows)
    for number in range(arguments.rounds):
        harness.say(f"round {number + 1} of {arguments.rounds}")
        rounds.take(number)

    facts, results = harness.machine_facts(), rounds.results()
    print_table(facts, sides.versions, results)
    for side, reason in sides.skipped.items():
        harness.say(f"left out: {TITLES[side]}: {reason} (scripts/install-deps.sh bench does it)")
    for name, side, reason in rounds.failures:
        harness.say(f"not measured: {name} {side}: {reason}")
    doubtful = {side: round(statistics.median(backlogs), 3)
                for side, backlogs in bench.backlogs.items()
                if bench.hogged and statistics.median(backlogs) < LEAST_BACKLOG}
    for side, backlog in doubtful.items():
        harness.say(f"doubtful: {ECHO} {side} had work for only {backlog:.0%} of the time")
    harness.publish(
        "gvt", facts, results, versions=sides.versions, rounds=arguments.rounds,
        cores=list(cores), connections=arguments.connections, message_bytes=arguments.bytes,
        hogged=bench.hogged, skipped=sides.skipped, failures=rounds.failures, doubtful=doubtful)
    return 1 if any(side == "weft" for _, side, _ in rounds.failures) else 0


if __name__ == "__main__":
    sys.exit(harness.run("gvt", measure, parse_arguments))
