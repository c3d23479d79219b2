#!/usr/bin/python3
"""What handlers in Lua cost per request: weft's beside nginx's lua-nginx-module and weft's own C++.

Plain text and JSON with a parameter, each by a server of its own with one worker, measured as
bench/http.py does: the server and a hog share one core, and all rows are of the same rounds.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

import harness
from harness import Result
from http_bench.measures import Bench
from http_bench.rows import Row
from http_bench.servers import SOURCES, Server, configured

MODULE = "/usr/lib/nginx/modules/ngx_http_lua_module.so"
REFERENCE = "nginx-lua"
GOAL = 0.75
ROWS = {
    "lua_hello_64": Row("plain text, 64 connections"),
    "lua_json_64": Row("JSON with a parameter, 64 connections", path="/users/42"),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured window of each figure")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="SERVER,OTHERS", help="default: the first two allowed")
    return parser.parse_args()


def nginx_lua():
    write = configured("nginx_lua.conf", descriptors=harness.raise_descriptor_limit())
    user = "-g 'user root;'" if os.geteuid() == 0 else ""  # Or it may not read this folder.
    return Server(REFERENCE,
                  lambda port: f"/usr/sbin/nginx -e stderr {user} -c {write(port)}")


def all_servers(build):
    """Those to measure, the reference first; why it is left out, if it is."""
    options = "--host 127.0.0.1 --port {port} --workers 1"
    ours = [Server("weft-lua", f"{build / 'weft'} serve {SOURCES / 'lua.lua'} {options}"),
            Server("weft-native", f"{build / 'examples' / 'hello'} {options}")]
    missing = [package for path, package in (("/usr/sbin/nginx", "nginx"),
                                             (MODULE, "libnginx-mod-http-lua"),
                                             ("/usr/share/doc/lua-cjson", "lua-cjson"))
               if not Path(path).exists()]
    if missing:
        return ours, f"not installed: {', '.join(missing)}"
    return [nginx_lua(), *ours], None


def measure(arguments):
    build = arguments.build.resolve()
    programs = build / "bench"
    harness.require_programs(programs / "load", programs / "hog", build / "weft",
                             build / "examples" / "hello")
    server_core, other_core = harness.two_cores(arguments.cores)
    harness.raise_descriptor_limit()
    servers, left_out = all_servers(build)
    os.sched_setaffinity(0, {other_core})
    bench = Bench(programs, server_core, other_core, arguments.seconds)
    taken = {(name, server.name): [] for name in ROWS for server in servers}
    for number in range(arguments.rounds):
        harness.say(f"round {number + 1} of {arguments.rounds}")
        for name, row in ROWS.items():
            for server in servers:
                taken[name, server.name].append(bench.figure(server, row)[0])
    results = [result_of(name, server.name, taken) for name in ROWS for server in servers]
    facts = harness.machine_facts()
    harness.print_table(facts, results, reference_name=REFERENCE)
    if left_out:
        harness.say(f"left out: {REFERENCE}: {left_out}")
    harness.publish("lua", facts, results, rounds=arguments.rounds, seconds=arguments.seconds,
                    versions={"nginx": harness.package_version("nginx"),
                              "libnginx-mod-http-lua":
                                  harness.package_version("libnginx-mod-http-lua")})
    return 0


def result_of(name, server, taken):
    values = taken[name, server]
    reference = taken.get((name, REFERENCE))
    pairs = list(zip(values, reference)) if reference and server != REFERENCE else []
    return Result(name=name, server=server, value=statistics.median(values), unit="us",
                  reference=statistics.median(reference) if pairs else None,
                  ratio=harness.median_of_ratios(pairs) if pairs else None,
                  goal=GOAL if server == "weft-lua" else None,
                  rounds=[list(pair) for pair in pairs] or values)


if __name__ == "__main__":
    sys.exit(harness.run("lua", measure, parse_arguments))
