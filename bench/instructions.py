#!/usr/bin/python3
"""How many instructions of user code a request takes: a count, so it does not depend on the load.

weft's hello runs under valgrind, on epoll, and is asked on one connection; the difference between
a long and a short run belongs to the requests of the difference alone. The figures are compared
with bench/instructions.json, which is committed; --write renews it.
"""

import argparse
import json
import re
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import harness
from harness import BenchmarkError

COMMITTED = harness.REPOSITORY / "bench" / "instructions.json"
SHORT_RUN, LONG_RUN = 320, 2_240  # Requests; both are whole batches of 16.
MODELS = ("green", "callback", "coroutine")
RUNS = 3
ATTEMPTS = 5
LONGEST_STOP_SECONDS = 60
COLUMNS = 100
PROFILED = 60  # Functions that a profile shows.
# What differs by less may come from what happens by the clock, of which a slow run sees more.
TOLERANCE = 0.01

# What is asked, and how many requests are sent at once.
ROWS = {
    "plaintext": ("/", 1),
    "json_param": ("/users/42", 1),
    "parks_once": ("/park", 1),
    "pipelined_16": ("/", 16),
}
# The first of them once more, with what watches a server: the thread that writes the log included.
WATCHED = {
    "plaintext logged": " --access-log /dev/null",
    "plaintext counted": " --metrics-path /metrics",
}


def count_all(build):
    """The document: a figure for each row, and for each further model that hello knows."""
    if shutil.which("valgrind") is None:
        raise BenchmarkError("not installed: valgrind")
    hello = build.resolve() / "examples" / "hello"
    harness.require_programs(hello)
    help_text = harness.everything_said(hello, "--help")
    models = MODELS if "--model" in help_text else MODELS[:1]
    figures = {}
    for name, (path, depth) in ROWS.items():
        for model in models:
            key = name if model == MODELS[0] else f"{name} {model}"
            option = f" --model {model}" if len(models) > 1 else ""
            figures[key] = count_command(hello_command(hello, option), path, depth)
            harness.say(f"  {key}: {figures[key]} instructions")
    for key, option in WATCHED.items():
        if option.split()[0] in help_text:
            figures[key] = count_command(hello_command(hello, option), *ROWS["plaintext"])
            harness.say(f"  {key}: {figures[key]} instructions")
    floor = build.resolve() / "bench" / "epoll_floor"
    figures["plaintext floor"] = count_command(f"{floor} -p {{port}}", "/", 1)
    return {"compiler": harness.first_line("c++", "--version"),
            "valgrind": harness.first_line("valgrind", "--version"), "instructions": figures}


def hello_command(hello, option=""):
    return f"{hello} --host 127.0.0.1 --port {{port}} --workers 1 --backend epoll{option}"


def count_command(command, path, depth):
    """Instructions per request."""
    tool = "cachegrind --cache-sim=no --cachegrind-out-file=/dev/null"
    # What time brings, such as the date, only adds: the least of several runs is nearest.
    short, long = (min(_total(tool, command, path, depth, requests) for _ in range(RUNS))
                   for requests in (SHORT_RUN, LONG_RUN))
    return round((long - short) / (LONG_RUN - SHORT_RUN))


def profile(build, name):
    """Says which functions a request's instructions are in, what they call not included."""
    row, _, model = name.partition(" ")
    path, depth = ROWS[row]
    option = WATCHED.get(name) or (f" --model {model}" if model else "")
    hello = build.resolve() / "examples" / "hello"
    harness.require_programs(hello)
    runs = []
    for requests in (SHORT_RUN, LONG_RUN):
        with tempfile.NamedTemporaryFile() as out:
            tool = f"callgrind --callgrind-out-file={out.name}"
            _total(tool, hello_command(hello, option), path, depth, requests)
            runs.append(_by_function(out.name))
    of_each = {function: (count - runs[0].get(function, 0)) / (LONG_RUN - SHORT_RUN)
               for function, count in runs[1].items()}
    harness.say(f"{name}: {sum(of_each.values()):.0f} instructions per request")
    for function, count in sorted(of_each.items(), key=lambda item: -item[1])[:PROFILED]:
        harness.say(f"{count:8.1f}  {function}")


def _by_function(path):
    """Instructions by function, wherever its inlined parts come from."""
    text = harness.everything_said("callgrind_annotate", "--auto=no", "--show-percs=no",
                                   "--threshold=100", path)
    counts = {}
    for line in text.splitlines():
        # "  1,234  FILE:FUNCTION [OBJECT]"
        found = re.match(r"\s*([\d,]+)\s+[^\s:]+:(.*?)(\s*\[[^\]]*\])?\s*$", line)
        if found:
            function = found[2]
            while (shorter := re.sub(r"<[^<>]*>", "", function)) != function:
                function = shorter  # without the arguments of templates
            counts[function] = counts.get(function, 0) + int(found[1].replace(",", ""))
    return counts


def _total(tool, command, path, depth, requests):
    """Of a whole run of the server, from its start to its end, that answers so many requests."""
    for _ in range(ATTEMPTS):
        with tempfile.NamedTemporaryFile() as report:
            watched = f"valgrind --tool={tool} --log-file={report.name} {command}"
            with harness.running_server(watched) as (process, port):
                try:
                    ask(port, path, depth, requests)
                    trouble = None
                except OSError as error:
                    trouble = f"{error}"
                process.stop(LONGEST_STOP_SECONDS)
                said = process.log().splitlines()
            found = re.search(rb"(?:I +refs|Collected *): +([\d,]+)", report.read())
        if found is None:
            raise BenchmarkError(f"valgrind counted nothing: {process.log()}")
        # On a busy machine it may report that a worker is held up, which costs many instructions.
        if trouble is None and len(said) <= 1:
            return int(found[1].replace(b",", b""))
        harness.say(f"  once more: {trouble or said[1][:COLUMNS]}")
    raise BenchmarkError(f"the server was disturbed: {trouble or said[:3]}")


def ask(port, path, depth, requests):
    """One connection; the next batch is sent when the answers to the last have all come."""
    batch = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port:05}\r\n\r\n".encode() * depth
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for _ in range(requests // depth):
            connection.sendall(batch)
            received = b""
            for _ in range(depth):
                while (length := harness.answer_length(received)) is None or length > len(received):
                    part = connection.recv(65536)
                    if not part:
                        raise BenchmarkError("the connection was closed before its answer")
                    received += part
                received = received[length:]


def compare(document):
    """Says how each figure moved; returns those that grew."""
    committed = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {}
    for what in ("compiler", "valgrind"):
        if committed and committed.get(what) != document[what]:
            harness.say(f"{what}: {document[what]}; the committed figures are of {committed[what]}")
    grown = []
    for name, figure in document["instructions"].items():
        before = committed.get("instructions", {}).get(name)
        moved = "new" if before is None else f"{figure / before - 1:+.1%} from {before}"
        harness.say(f"{name:24} {figure:8}  {moved}")
        if before is not None and figure > before * (1 + TOLERANCE):
            grown.append(name)
    for name, figure in document["instructions"].items():
        row, _, model = name.partition(" ")
        if model in MODELS:
            green = document["instructions"][row]
            harness.say(f"{row}: {model} takes {figure / green - 1:+.1%} beside green")
        elif name in WATCHED:
            plain = document["instructions"][row]
            harness.say(f"{name}: {figure - plain:+} instructions, {figure / plain - 1:+.1%}")
    return grown


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"renew {COMMITTED.name}")
    rows = [row if model == MODELS[0] else f"{row} {model}" for row in ROWS for model in MODELS]
    rows += WATCHED
    parser.add_argument("--profile", choices=rows, metavar="ROW",
                        help="say instead in which functions the instructions of a row are: one "
                             f"of {', '.join(rows)}")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    return parser.parse_args()


def main():
    harness.end_cleanly_on_sigterm()
    arguments = parse_arguments()
    try:
        if arguments.profile:
            profile(arguments.build, arguments.profile)
            return 0
        document = count_all(arguments.build)
        grown = compare(document)
        harness.publish("instructions", document, [])
        if arguments.write:
            COMMITTED.write_text(json.dumps(document, indent=1) + "\n")
            harness.say(f"written to {COMMITTED}")
        elif grown:
            harness.say(f"more than committed: {', '.join(grown)} "
                        "(--write, if it is worth its price)")
            return 1
        return 0
    except BenchmarkError as error:
        harness.say(f"bench-instructions: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
