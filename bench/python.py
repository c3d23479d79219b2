#!/usr/bin/python3
"""What applications in Python cost per request: on weft, and on uvicorn and gunicorn.

Each row is one application on two servers of one worker each, measured as bench/http.py does: the
server and a hog share one core, processor time is the kernel's own count, and all rows are of the
same rounds. The row of throughput compares answers per second, the server's core its own; that of
interpreters has both cores, and routes that compute for so long that the load hardly counts; those
of lateness ask a route in C++ steadily, beside handlers that compute on both cores.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import BenchmarkError, Result
from http_bench.measures import Bench
from http_bench.rows import Row
from http_bench.servers import SOURCES, Server

PYTHON = "/usr/bin/python3"
SLEEPERS = 512
# Some milliseconds of a processor each.
COMPUTE = "/compute/50000"
COMPUTING_CLIENTS = 16
# A route in C++ is asked so often beside handlers that compute for so long.
STEADY_GAP = 0.002
STEADY_REQUESTS = 1000
SPIN_SECONDS = 6
LATE = {"late_beside_workers": "worker", "late_beside_threads": "thread"}
# From which version on there are interpreters with a lock of their own.
INTERPRETERS = (3, 13)


@dataclass(frozen=True)
class Contest:
    """An application on weft, beside what it is compared with: either may be another application.

    `goal` bounds the ratio of processor time, on Python 3.11 and from 3.12 on.
    """

    title: str
    ours: str
    theirs: str
    path: str = "/"
    their_path: str | None = None
    # Sync workers of gunicorn close each connection, and so both are asked on new ones.
    connection_per_request: bool = False
    goal: tuple[float, float] = (1, 1)


CONTESTS = {
    "asgi_hello": Contest("raw ASGI, hello", "asgi", "uvicorn:asgi", goal=(0.40, 1 / 3)),
    "asgi_10k": Contest("raw ASGI, 10 KB", "asgi", "uvicorn:asgi", "/10k", goal=(0.40, 1 / 3)),
    "starlette": Contest("Starlette", "starlette", "uvicorn:starlette", goal=(0.65, 0.65)),
    "fastapi": Contest("FastAPI", "fastapi", "uvicorn:fastapi", goal=(0.8, 0.8)),
    "fastapi_typed": Contest("FastAPI with typed parameters", "fastapi", "uvicorn:fastapi",
                             "/users/42?q=a", goal=(0.8, 0.8)),
    "flask": Contest("Flask, by WSGI", "flask", "gunicorn:flask", goal=(0.4, 0.4),
                      connection_per_request=True),
    "native_fastapi": Contest("native `def`, typed, JSON; beside FastAPI", "native",
                              "uvicorn:fastapi", "/users/42?q=a", goal=(1 / 7, 1 / 7)),
    "native_asgi": Contest("native `def`, typed, JSON; beside raw ASGI", "native", "uvicorn:asgi",
                           "/users/42?q=a", "/", goal=(0.5, 0.5)),
}
# What a native route in Python costs beside the same in C++; microseconds.
ADDED = {"native_def_added": ("/users/42", 1.5), "native_async_added": ("/async/42", 3.0)}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured window of each figure")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="SERVER,OTHERS", help="default: the first two allowed")
    parser.add_argument("--only", metavar="ROW", action="append", help="may be repeated")
    return parser.parse_args()


def kind_of(application):
    return {"native": "weft"}.get(application, application)


def ours(build, application, *options):
    environment = f"env PYTHONPATH={build / 'python'}:{SOURCES} BENCH_KIND={kind_of(application)}"
    return Server(f"weft:{application}", f"{environment} {PYTHON} -m weft serve "
                  f"python:{application} --port {{port}} --no-access-log --quiet "
                  + " ".join(options), ours=True)


def theirs(build, name):
    server, _, application = name.partition(":")
    environment = f"env PYTHONPATH={build / 'python'}:{SOURCES} BENCH_KIND={kind_of(application)}"
    if server == "uvicorn":
        return Server(name, f"{environment} {PYTHON} -m uvicorn python:{application} "
                      "--port {port} --no-access-log --log-level warning --loop uvloop "
                      "--http httptools")
    return Server(name, f"{environment} {PYTHON} -m gunicorn.app.wsgiapp -k sync "
                  f"--log-level warning -b 127.0.0.1:{{port}} python:{application}")


def missing():
    wanted = {"uvicorn": "python3-uvicorn", "uvloop": "python3-uvloop",
              "httptools": "python3-httptools", "starlette": "python3-starlette",
              "fastapi": "python3-fastapi", "flask": "python3-flask", "gunicorn": "gunicorn"}
    done = subprocess.run(
        [PYTHON, "-c", "import importlib.util, sys; print(*(name for name in sys.argv[1:] "
         "if importlib.util.find_spec(name) is None))", *wanted],
        capture_output=True, text=True, check=True)
    return [wanted[name] for name in done.stdout.split()]


def throughput(bench, server, build):
    """Answers per second of a handler that sleeps 10 ms, and the 99.9th percentile in ms."""
    with harness.running_server(server.command, bench.server_core) as (_, port):
        script = build / "bench" / "percentile.lua"
        script.write_text("done = function(summary, latency)\n"
                          "  io.write(string.format('p999 %.3f\\n', latency:percentile(99.9)))\n"
                          "end\n")
        done = subprocess.run(
            ["taskset", "-c", str(bench.other_core), "wrk", "-t", "1", "-c", str(SLEEPERS), "-d",
             f"{max(2, round(bench.seconds * 2))}s", "-s", str(script),
             f"http://127.0.0.1:{port}/sleep"],
            capture_output=True, text=True, check=False, timeout=120)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    late = re.search(r"p999 ([\d.]+)", done.stdout)
    if rate is None or late is None or "Non-2xx" in done.stdout:
        raise BenchmarkError(f"wrk: {done.stdout.strip()[-300:] or done.stderr}")
    return float(rate[1]), float(late[1]) / 1000


def computed(bench, build, workers):
    """Microseconds per answer of routes that compute, of so many interpreters on both cores."""
    server = ours(build, "native", "--workers", str(workers), "--executor", "subinterpreter")
    cores = f"{bench.server_core},{bench.other_core}"
    with harness.running_server(f"taskset -c {cores} {server.command}") as (_, port):
        done = subprocess.run(
            ["taskset", "-c", cores, "wrk", "-t", "1", "-c", str(COMPUTING_CLIENTS), "-d",
             f"{max(3, round(bench.seconds * 3))}s", f"http://127.0.0.1:{port}{COMPUTE}"],
            capture_output=True, text=True, check=False, timeout=120)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if rate is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise BenchmarkError(f"wrk: {done.stdout.strip()[-300:] or done.stderr}")
    return 1e6 / float(rate[1])


def lateness(bench, build, kind):
    """The 99th percentile, in ms, of a route in C++ that is asked steadily, on the cores where two
    handlers of an executor compute all the time. Each request counts from when it was due."""
    cores = {bench.server_core, bench.other_core}
    server = ours(build, "native", "--metrics-path", "/metrics")
    with harness.running_server(f"taskset -c {','.join(map(str, cores))} {server.command}") as (
            process, port), ThreadPoolExecutor(2) as others:
        address = ("127.0.0.1", port)

        def ask(connection, path):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += connection.recv(1 << 16)
            head, _, body = seen.partition(b"\r\n\r\n")
            size = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
            while len(body) < size:
                body += connection.recv(1 << 16)

        def occupy(_):
            with socket.create_connection(address, 60) as connection:
                ask(connection, f"/spin/{kind}/0")  # Its processes are there then.
                ask(connection, f"/spin/{kind}/{SPIN_SECONDS}")

        busy = [others.submit(occupy, number) for number in range(2)]
        time.sleep(SPIN_SECONDS / 3)
        took = []
        with socket.create_connection(address, 60) as connection:
            begin = time.monotonic()
            for number in range(STEADY_REQUESTS):
                due = begin + number * STEADY_GAP
                time.sleep(max(0, due - time.monotonic()))
                ask(connection, "/metrics")
                took.append((time.monotonic() - due) * 1e3)
        for one in busy:
            if one.done():
                raise BenchmarkError("what was to compute all the time has ended before the end: "
                                     f"{one.exception()!r}")
        process.stop()
        for one in busy:
            one.exception()
    return sorted(took)[round(len(took) * 0.99)]


def measure(arguments):
    build = arguments.build.resolve()
    programs = build / "bench"
    harness.require_programs(programs / "load", programs / "hog", build / "examples" / "hello")
    if not list((build / "python" / "weft").glob("_weft.*.so")):
        raise BenchmarkError(f"there is no module in {build / 'python'}: install python3-dev and "
                             "build again")
    left_out = missing()
    if left_out:
        raise BenchmarkError(f"not installed: {', '.join(left_out)}; run "
                             "scripts/install-deps.sh python")
    server_core, other_core = harness.two_cores(arguments.cores)
    harness.raise_descriptor_limit()
    os.sched_setaffinity(0, {other_core})
    bench = Bench(programs, server_core, other_core, arguments.seconds)
    contests = {name: one for name, one in CONTESTS.items()
                if not arguments.only or name in arguments.only}
    added = {name: one for name, one in ADDED.items()
             if not arguments.only or name in arguments.only}
    sleeps = not arguments.only or "asgi_sleep" in arguments.only
    computes = versions_tuple() >= INTERPRETERS and (
        not arguments.only or "interpreters" in arguments.only)
    if (sleeps or computes) and shutil.which("wrk") is None:
        raise BenchmarkError("not installed: wrk")
    taken = {name: [] for name in (*contests, *added, "asgi_sleep", "asgi_sleep_p999",
                                "interpreters", *LATE)}
    native_server = Server("hello", f"{build / 'examples' / 'hello'} --host 127.0.0.1 "
                           "--port {port} --workers 1")
    for number in range(arguments.rounds):
        harness.say(f"round {number + 1} of {arguments.rounds}")
        for name, one in contests.items():
            mine = bench.figure(ours(build, one.ours), Row(
                "", path=one.path, connection_per_request=one.connection_per_request))[0]
            other = bench.figure(theirs(build, one.theirs), Row(
                "", path=one.their_path or one.path,
                connection_per_request=one.connection_per_request))[0]
            taken[name].append((mine, other))
        for name, (path, _) in added.items():
            mine = bench.figure(ours(build, "native"), Row("", path=path))[0]
            base = bench.figure(native_server, Row("", path="/users/42"))[0]
            taken[name].append((mine, base))
        if sleeps:
            mine = throughput(bench, ours(build, "asgi"), build)
            other = throughput(bench, theirs(build, "uvicorn:asgi"), build)
            # As time per answer, so that less is better here, too.
            taken["asgi_sleep"].append((1e6 / mine[0], 1e6 / other[0]))
            taken["asgi_sleep_p999"].append((mine[1], other[1]))
        for name, kind in LATE.items():
            if not arguments.only or name in arguments.only:
                taken[name].append(lateness(bench, build, kind))
        if computes:
            taken["interpreters"].append((computed(bench, build, 2), computed(bench, build, 1)))
    results = results_of(contests, added, taken)
    facts = harness.machine_facts()
    harness.print_table(facts, results, reference_name="reference")
    harness.publish("python", facts, results, rounds=arguments.rounds, seconds=arguments.seconds,
                    versions=json.loads(versions()))
    return 0


def results_of(contests, added, taken):
    newer = versions_tuple() >= (3, 12)
    results = []
    for name, one in contests.items():
        results.append(compared(name, f"{one.title} ({one.theirs})", taken[name], "us",
                                one.goal[newer]))
    for name, (_, goal) in added.items():
        extra = [mine - base for mine, base in taken[name]]
        if extra:
            results.append(Result(name=name, server="weft:native", value=statistics.median(extra),
                                  unit="us added", goal=goal, goal_of="value", rounds=extra))
    if taken["asgi_sleep"]:
        results.append(compared("asgi_sleep", "asgi, 10 ms, 512 connections (uvicorn:asgi)",
                                taken["asgi_sleep"], "us/answer", 1 / 1.1))
        results.append(compared("asgi_sleep_p999", "the same, p99.9 (uvicorn:asgi)",
                                taken["asgi_sleep_p999"], "ms", 1.0))
    for name, kind in LATE.items():
        if taken[name]:
            results.append(Result(name=name, server=f"C++ beside two {kind}s", goal_of="value",
                                  value=statistics.median(taken[name]), unit="ms, p99",
                                  goal=2 if kind == "worker" else None, rounds=taken[name]))
    if taken["interpreters"]:
        results.append(compared("interpreters", "two interpreters, computing (one)",
                                taken["interpreters"], "us/answer", 1 / 1.8))
    return results


def compared(name, server, pairs, unit, goal):
    return Result(name=name, server=server, value=statistics.median(mine for mine, _ in pairs),
                  unit=unit, reference=statistics.median(other for _, other in pairs),
                  ratio=harness.median_of_ratios(pairs), goal=goal,
                  rounds=[list(pair) for pair in pairs])


def versions():
    packages = ("python3", "python3-uvicorn", "python3-uvloop", "python3-httptools",
                "python3-starlette", "python3-fastapi", "python3-flask", "gunicorn")
    return json.dumps({package: harness.package_version(package) for package in packages})


def versions_tuple():
    said = harness.first_line(PYTHON, "--version").split()[-1]
    return tuple(int(part) for part in said.split(".")[:2])


if __name__ == "__main__":
    sys.exit(harness.run("python", measure, parse_arguments))
