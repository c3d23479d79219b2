#!/usr/bin/python3
"""What worker routes cost, those who use them and those who do not.

One program takes its rows in turns, round by round, on two cores that server, pool and client
share: the hand-off to a pool thread that is awake, or asleep; a request on the loop and on the
pool; and the 99th percentile of 5,000 requests a second for a route on the loop, beside an idle
pool and beside one all of whose threads compute. Then valgrind counts the instructions of a request
for a route on the loop, with worker routes beside it and without.
"""

import argparse
import shutil
import sys
from pathlib import Path

import harness
import instructions
from harness import BenchmarkError

# By row: what it is compared with, and what its value may be at most.
ROWS = {
    "hand_off_awake": (None, 5),
    "hand_off_asleep": ("hand_off_awake", None),
    "round_trip_loop": (None, None),
    "round_trip_pool": ("round_trip_loop", None),
    "p99_beside_idle_pool": (None, None),
    "p99_beside_busy_pool": ("p99_beside_idle_pool", 2),
}
# A count differs by as much from run to run.
INSTRUCTIONS_ALIKE = 1.001


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-instructions", action="store_true",
                        help="leave out the count of instructions, which valgrind takes")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="A,B", help="default: the first two allowed")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    return arguments


def count_instructions(program):
    """Of a request for a route on the loop, beside worker routes, and in an App without any."""
    if shutil.which("valgrind") is None:
        raise BenchmarkError("not installed: valgrind")
    alone = instructions.count_command(f"{program} serve {{port}}", "/", 1)
    mixed = instructions.count_command(f"{program} serve {{port}} mixed", "/", 1)
    return harness.Result(
        name="instructions_of_others", value=mixed, unit="instructions", reference=alone,
        ratio=mixed / alone, goal=INSTRUCTIONS_ALIKE, goal_of="ratio", server="exec")


def measure(arguments):
    program = arguments.build / "bench" / "exec"
    harness.require_programs(program)
    cores = harness.two_cores(arguments.cores)
    rows, skipped = harness.take_rows(program, arguments.rounds, *cores)
    results = []
    for row in rows.values():
        reference, goal = ROWS[row["name"]]
        results.append(harness.result_of(row, rows, "exec", reference, goal))
    if not arguments.no_instructions:
        results.append(count_instructions(program))
    facts = harness.machine_facts()
    harness.print_table(facts, results, reference_name="reference")
    harness.publish("exec", facts, results, rounds=arguments.rounds, cores=list(cores),
                    skipped=skipped)
    return 0


if __name__ == "__main__":
    sys.exit(harness.run("exec", measure, parse_arguments))
