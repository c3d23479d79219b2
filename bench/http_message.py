#!/usr/bin/python3
"""What building responses costs, and a mixed workload from request to response, with no kernel.

The program takes its rows in turns, pinned to a core. A response is compared with copying as many
bytes that are ready, a mixed message with a plain one. docs/benchmarking.md says how to read it.
"""

import argparse
import sys
from pathlib import Path

import harness

PROGRAM = "http_message"
REFERENCES = {
    "response_text": "response_copied",
    "response_json": "response_copied",
    "response_fields": "response_copied",
    "response_error": "response_copied",
    "message_mixed": "message_plaintext",
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--cores", metavar="A,B", help="the first is used")
    return parser.parse_args()


def measure(arguments):
    program = arguments.build.resolve() / "bench" / PROGRAM
    harness.require_programs(program)
    cores = harness.two_cores(arguments.cores)
    rows, _ = harness.take_rows(program, arguments.rounds, *cores)
    results = [harness.result_of(row, rows, PROGRAM, REFERENCES.get(name))
               for name, row in rows.items()]
    facts = harness.machine_facts()
    harness.print_table(facts, results, reference_name="reference")
    harness.publish(PROGRAM, facts, results, rounds=arguments.rounds, core=cores[0])
    return 0


if __name__ == "__main__":
    sys.exit(harness.run(PROGRAM, measure, parse_arguments))
