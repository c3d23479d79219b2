#!/usr/bin/python3
"""What it costs a request that the server is watched: by metrics, by the access log, by both.

The rows of one round take turns on a server each, as those of bench/http.py do; the processor time
of the thread that writes the log is in them. A ratio is the median of the rounds' own ratios, to
the server that nobody watches. docs/benchmarking.md says how to read the figures.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import harness
from harness import Result
from http_bench.measures import Bench
from http_bench.rows import PARK_BASE, ROWS
from http_bench.servers import Server

UNWATCHED = "unwatched"
WATCHED = {
    UNWATCHED: "",
    "metrics": " --metrics-path /metrics",
    "access_log": " --access-log {log}",
    "both": " --metrics-path /metrics --access-log {log}",
}
GOALS = {"metrics": 1.02, "access_log": 1.02}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured window of each figure")
    parser.add_argument("--backend", choices=("epoll", "io_uring"), action="append",
                        help="repeatable; default: what weft chooses")
    parser.add_argument("--log", help="default: a file in the folder for temporary ones")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="SERVER,OTHERS", help="default: the first two allowed")
    return parser.parse_args()


def servers_of(build, log, backend):
    hello = build / "examples" / "hello"
    harness.require_programs(hello)
    options = "--host 127.0.0.1 --port {port} --workers 1"
    if backend is not None:
        options += f" --backend {backend}"
    return {name: Server(name, f"{hello} {options}{extra.replace('{log}', str(log))}", ours=True)
            for name, extra in WATCHED.items()}


def take_rounds(bench, servers, rounds, log):
    """Microseconds by server, a list of the rounds' figures each."""
    figures = {name: [] for name in servers}
    names = list(servers)
    for number in range(rounds):
        harness.say(f"round {number + 1} of {rounds}")
        turn = number % len(names)  # Nobody is always first.
        for name in names[turn:] + names[:turn]:
            figure, _ = bench.figure(servers[name], ROWS[PARK_BASE])
            figures[name].append(figure)
            harness.say(f"  {name}: {figure:.3f}")
            if log.is_file():  # What one has written is no load for the next.
                log.unlink()
    return figures


def results_of(figures, backend):
    for name, values in figures.items():
        pairs = list(zip(values, figures[UNWATCHED]))
        is_watched = name != UNWATCHED
        yield Result(
            name=name if backend is None else f"{name} {backend}",
            value=statistics.median(values), unit="µs/request",
            reference=statistics.median(figures[UNWATCHED]) if is_watched else None,
            ratio=harness.median_of_ratios(pairs) if is_watched else None, goal=GOALS.get(name),
            server="hello", rounds=[list(pair) for pair in pairs])


def measure(arguments):
    build = arguments.build.resolve()
    harness.require_programs(*(build / "bench" / name for name in ("load", "hog")))
    server_core, other_core = harness.two_cores(arguments.cores)
    harness.raise_descriptor_limit()
    os.sched_setaffinity(0, {other_core})
    bench = Bench(build / "bench", server_core, other_core, arguments.seconds)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(arguments.log or f"{folder}/access.log")
        for backend in arguments.backend or [None]:
            servers = servers_of(build, log, backend)
            results += results_of(take_rounds(bench, servers, arguments.rounds, log), backend)
    facts = harness.machine_facts()
    harness.print_table(facts, results, reference_name=UNWATCHED)
    harness.publish("http_observed", facts, results, rounds=arguments.rounds,
                    seconds=arguments.seconds, cores=[server_core, other_core])
    return 0


if __name__ == "__main__":
    sys.exit(harness.run("http_observed", measure, parse_arguments))
