#!/usr/bin/python3
"""What weft's HTTP server costs per request, beside the floor and the servers of the distribution.

The server and a hog share one core, so the server always has a backlog and the client, on another
core, is never the limit. Every round measures the floor again; a ratio is the median of the
rounds' own ratios. docs/benchmarking.md says how to read the figures.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import harness
import instructions
from harness import BenchmarkError
from http_bench import readme, rows, servers
from http_bench.measures import Bench
from http_bench.rounds import Rounds
from http_bench.rows import IDLE_CONNECTIONS, PARK_BASE, ROWS


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most-rounds", type=int, default=15,
                        help="of rows that come within 5 %% of a goal or of a peer")
    parser.add_argument("--seconds", type=float, default=1.0, help="measured window of each figure")
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated; default: all")
    parser.add_argument("--backend", choices=("default", "epoll", "io_uring", "both", "none"),
                        default="both", help="of weft's server; none leaves it out")
    parser.add_argument("--peers", default=",".join(servers.PEERS),
                        help="comma-separated, or none; default: all that are installed")
    parser.add_argument("--server", action="append", default=[], metavar="NAME=COMMAND",
                        help="another server for the same run; COMMAND holds {port}; repeatable")
    parser.add_argument("--uring-floor", action="store_true", help="measure the io_uring floor too")
    parser.add_argument("--no-instructions", action="store_true",
                        help="leave out the count of instructions, which valgrind takes")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="SERVER,OTHERS", help="default: the first two allowed")
    parser.add_argument("--write-readme", action="store_true",
                        help="put the figures into README.md, in place of those there")
    parser.add_argument("--from", type=Path, dest="document", metavar="JSON",
                        help="measure nothing; take the figures of an earlier run")
    arguments = parser.parse_args()
    arguments.rows = _names(parser, "row", arguments.rows, ROWS)
    if any(ROWS[name].kind == rows.PARK for name in arguments.rows):
        arguments.rows.append(PARK_BASE)
    arguments.rows = [name for name in ROWS if name in arguments.rows]
    arguments.peers = [] if arguments.peers in ("", "none") else \
        _names(parser, "peer", arguments.peers, servers.PEERS)
    for server in arguments.server:
        if "=" not in server or "{port}" not in server:
            parser.error(f"not NAME=COMMAND with {{port}}: {server}")
    return arguments


def _names(parser, what, text, known):
    names = text.split(",")
    for name in names:
        if name not in known:
            parser.error(f"no {what} {name}; there are {', '.join(known)}")
    return names


def all_servers(arguments):
    """Those to compare with the floor, weft first; versions; why others are left out."""
    chosen = servers.weft_servers(arguments.build, arguments.backend)
    if arguments.uring_floor:
        chosen.append(servers.floor(arguments.build, "uring_floor", "uring_floor"))
    peers, versions, left_out = servers.peer_servers(arguments.peers)
    chosen += peers
    chosen += [servers.Server(*server.split("=", 1)) for server in arguments.server]
    if not chosen:
        raise BenchmarkError("nothing to measure: no weft, no peer, no other server")
    return chosen, versions, left_out


def measure(arguments):
    """Takes all rounds; returns the document that is published, and the exit status."""
    began = time.monotonic()
    arguments.build = arguments.build.resolve()
    programs = arguments.build / "bench"
    harness.require_programs(*(programs / name for name in ("epoll_floor", "load", "hog")))
    server_core, other_core = harness.two_cores(arguments.cores)
    limit = harness.raise_descriptor_limit()
    if any(ROWS[name].kind == rows.IDLE for name in arguments.rows) and \
            limit < 1.1 * IDLE_CONNECTIONS:
        raise BenchmarkError("the limit of descriptors is too low for idle_bytes_10000")
    floor = servers.floor(arguments.build)
    chosen, versions, left_out = all_servers(arguments)
    os.sched_setaffinity(0, {other_core})

    bench = Bench(programs, server_core, other_core, arguments.seconds)
    rounds = Rounds(bench, floor, chosen, arguments.rows)
    take_rounds(rounds, arguments)
    counted = None if arguments.no_instructions else count_instructions(arguments, left_out)
    if any(ROWS[name].kind == rows.FILE for name in arguments.rows) and \
            not any(server.files_command for server in chosen if server.ours):
        left_out["files of weft"] = "it serves none yet: no examples/files"

    ours = {server.name for server in chosen if server.ours} or {chosen[0].name}
    status = 1 if any(name in (floor.name, *ours) for _, name, _ in rounds.failures) else 0
    return rounds.results(), dict(
        rounds=arguments.rounds, most_rounds=arguments.most_rounds, seconds=arguments.seconds,
        took_seconds=round(time.monotonic() - began), cores=[server_core, other_core],
        servers=[server.name for server in (floor, *chosen)],
        compiler=harness.first_line("c++", "--version"),
        versions=versions | {"wrk": harness.package_version("wrk")}, instructions=counted,
        left_out=left_out, failures=rounds.failures, doubtful=rounds.doubtful()), status


def take_rounds(rounds, arguments):
    for number in range(arguments.rounds):
        harness.say(f"round {number + 1} of {arguments.rounds}")
        rounds.take(number)
    wanted = rounds.close()
    for number in range(arguments.rounds, arguments.most_rounds if wanted else 0):
        harness.say(f"round {number + 1} of {arguments.most_rounds}, of what is close")
        rounds.take(number, wanted)


def count_instructions(arguments, left_out):
    try:
        return instructions.count_all(arguments.build)
    except BenchmarkError as error:
        left_out["instructions"] = str(error)
        return None


def report(facts, results, document):
    harness.print_table(facts, results)
    for name, reason in document["left_out"].items():
        harness.say(f"left out: {name}: {reason}")
    if document["left_out"]:
        harness.say("scripts/install-deps.sh bench installs what the distribution has of them")
    for name, server, reason in document["failures"]:
        harness.say(f"not measured: {name} {server}: {reason}")
    for name, server, backlog in document["doubtful"]:
        harness.say(f"doubtful: {name} {server} had work for only {backlog:.0%} of the time")


def main():
    harness.end_cleanly_on_sigterm()
    arguments = parse_arguments()
    try:
        status = 0
        if arguments.document is None:
            results, document, status = measure(arguments)
            facts = harness.machine_facts()
            report(facts, results, document)
            document = harness.publish("http", facts, results, **document)
        else:
            document = json.loads(arguments.document.read_text())
        if arguments.write_readme:
            readme.write(document)
        return status
    except BenchmarkError as error:
        harness.say(f"bench-http: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
