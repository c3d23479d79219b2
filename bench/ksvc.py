#!/usr/bin/python3
"""What the kernel services cost, each beside what it stands for.

Four programs take their rows in turns, round by round, pinned to a core each: ksvc (routers, the
shared page, buffers, queues, sinks), ksvc_rings (NOPs by every back end), ksvc_wake (waking a loop
that sleeps) and ksvc_files (direct reads). A ratio is the median of the rounds' own ratios.
docs/benchmarking.md says how to read the figures.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import harness

PROGRAMS = ("ksvc", "ksvc_rings", "ksvc_wake", "ksvc_files")
# Rows that take micro- to milliseconds a figure need fewer rounds to settle than they take time.
ROUNDS_OF = {"ksvc_wake": 0.5, "ksvc_files": 0.7}
BATCHES = (1, 16, 64)
RING_BACKENDS = ("basic", "fixed_file", "fixed_buffer", "everything")
NOTIFIERS = ("eventfd_on_epoll", "eventfd_on_ring", "futex_on_ring", "message_on_ring", "futex")


@dataclass(frozen=True)
class Row:
    """What a row is compared with, and what bounds its ratio or its value."""

    reference: str | None = None
    goal: float | None = None
    goal_of: str = "value"


ROWS = {
    "router_probe": Row(goal=2),
    "router_static": Row(goal=2),
    "page_mmap_pid": Row("call_getpid", goal=5),
    "page_cached_pid": Row("call_getpid", goal=2),
    "clock_monotonic": Row("call_clock_gettime"),
    "queue_spsc_push_pop": Row("queue_mpsc_push_pop", goal=50),
    "sink_ring": Row("sink_direct_wake"),
    "further_wake_futex": Row("further_wake_eventfd"),
}
ROWS |= {f"buffers_{provider}{suffix}": Row("heap_new_delete_4k")
         for provider in ("heap", "registered", "provided")
         for suffix in ("", "_detach", "_borrow")}
ROWS |= {f"nop_{backend}_{batch}": Row(f"nop_raw_{batch}", 1.05, "ratio")
         for backend in RING_BACKENDS for batch in BATCHES}
ROWS |= {f"nop_sqpoll_{batch}": Row(f"nop_raw_sqpoll_{batch}", 1.05, "ratio")
         for batch in BATCHES}
ROWS |= {f"wake_{notifier}_{where}_core": Row(f"wake_raw_eventfd_{where}_core")
         for notifier in NOTIFIERS for where in ("same", "cross")}
ROWS |= {f"direct_read_registered_{size}_{time}": Row(f"direct_read_heap_{size}_{time}")
         for size in ("4k", "64k") for time in ("processor", "elapsed")}


def take_rows(arguments, program, cores):
    """What one program measured: rows by name, and rows that it could not take."""
    rounds = max(3, round(arguments.rounds * ROUNDS_OF.get(program, 1)))
    return harness.take_rows(arguments.build / "bench" / program, rounds, *cores, arguments.folder)


def result_of(row, rows, program):
    bounds = ROWS.get(row["name"], Row())
    return harness.result_of(row, rows, program, bounds.reference, bounds.goal, bounds.goal_of)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--programs", default=",".join(PROGRAMS),
                        help="comma-separated; default: all")
    parser.add_argument("--build", type=Path, default=harness.REPOSITORY / "build" / "release")
    parser.add_argument("--folder", type=Path,
                        help="for files, on the file system to be measured; default: the build's")
    parser.add_argument("--cores", metavar="A,B", help="default: the first two allowed")
    arguments = parser.parse_args()
    arguments.programs = arguments.programs.split(",")
    for program in arguments.programs:
        if program not in PROGRAMS:
            parser.error(f"no program {program}; there are {', '.join(PROGRAMS)}")
    arguments.build = arguments.build.resolve()
    arguments.folder = (arguments.folder or arguments.build).resolve()
    return arguments


def measure(arguments):
    harness.require_programs(*(arguments.build / "bench" / name for name in arguments.programs))
    cores = harness.two_cores(arguments.cores)
    results, skipped = [], []
    for program in arguments.programs:
        rows, left_out = take_rows(arguments, program, cores)
        results += [result_of(row, rows, program) for row in rows.values()]
        skipped += left_out
    facts = harness.machine_facts()
    harness.print_table(facts, results, reference_name="reference")
    for row in skipped:
        harness.say(f"not measured: {row['name']}: {row['reason']}")
    harness.publish("ksvc", facts, results, rounds=arguments.rounds, cores=list(cores),
                    folder=str(arguments.folder), skipped=skipped)
    return 0


if __name__ == "__main__":
    sys.exit(harness.run("ksvc", measure, parse_arguments))
