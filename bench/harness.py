"""What every benchmark here shares: the machine's facts, pinned processes, CPU and memory readings,
rounds, the table and the JSON file. Standard library only.

A benchmark pins what it measures to one core and the rest to another, reads the processor time
that the measured processes themselves used, and compares only figures taken in the same run.
"""

import contextlib
import ctypes
import json
import os
import platform
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

# A script's folder comes first on the path, where bench/http.py would hide the standard library's
# http package from whatever imports that.
if sys.path[0] == str(Path(__file__).resolve().parent):
    sys.path.append(sys.path.pop(0))

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS_FOLDER = REPOSITORY / "build" / "bench"

START_DEADLINE_SECONDS = 10
START_ATTEMPTS = 5
STOP_DEADLINE_SECONDS = 10

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class BenchmarkError(Exception):
    """A measurement that could not be taken; the message says why."""


# ---- The machine -------------------------------------------------------------------------------


def _first_match(path, prefix):
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(prefix):
                return line.split(":", 1)[1].strip()
    return None


def _git(*arguments):
    done = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def machine_facts():
    """What a reader must know beside a figure: processor, kernel and commit."""
    processor = _first_match("/proc/cpuinfo", "model name") or platform.machine()
    memory_kib = int((_first_match("/proc/meminfo", "MemTotal") or "0").split()[0])
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    if _git("status", "--porcelain", "--untracked-files=no"):
        commit += "-dirty"
    return {
        "machine": f"{processor}, {os.cpu_count()} CPUs, {memory_kib / 2**20:.1f} GiB",
        "kernel": platform.release(),
        "commit": commit,
    }


def two_cores(choice=None):
    """The core of what is measured and the core of everything else, from "A,B" or as allowed."""
    allowed = sorted(os.sched_getaffinity(0))
    cores = [int(core) for core in choice.split(",")] if choice else allowed[:2]
    if len(cores) != 2 or cores[0] == cores[1] or not set(cores) <= set(allowed):
        raise BenchmarkError(f"two different cores are needed, of {allowed}")
    return cores[0], cores[1]


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def end_cleanly_on_sigterm():
    """Turns SIGTERM into SystemExit, so that every `with Process` stops its process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(name, measure, parse_arguments):
    """Measures, and returns the status to end with; what cannot be measured is said."""
    end_cleanly_on_sigterm()
    try:
        return measure(parse_arguments())
    except BenchmarkError as error:
        say(f"bench-{name}: {error}")
        return 2


def package_version(package):
    """Of a Debian package; "unknown" where it is not installed, or no such system is."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True,
                          text=True, check=False) if shutil.which("dpkg-query") else None
    return done.stdout if done and done.returncode == 0 and done.stdout else "unknown"


def everything_said(*command):
    """By a program, to both of its outputs."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def first_line(*command):
    return everything_said(*command).strip().partition("\n")[0]


def built(output, sources, command, **environment):
    """The program, built anew by `command` where it is older than one of its sources."""
    output.parent.mkdir(parents=True, exist_ok=True)
    newest = max(source.stat().st_mtime for source in sources)
    if not output.exists() or output.stat().st_mtime < newest:
        say(f"building {output.name}")
        done = subprocess.run([str(word) for word in command], env=os.environ | environment,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchmarkError(f"{output.name} does not build\n{done.stdout}{done.stderr}")
    return output


def require_programs(*paths):
    missing = [str(path) for path in paths if not os.access(path, os.X_OK)]
    if missing:
        raise BenchmarkError("not built: " + ", ".join(missing) + "\nBuild the release first: "
                             "cmake --preset release && cmake --build --preset release")


# ---- Processes ---------------------------------------------------------------------------------


def free_port():
    """A port nobody listens on now. Somebody may take it next: callers try again with another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child pinned to a core, which dies with this process. Used as a context manager."""

    def __init__(self, command, core=None, pipes=False):
        words = shlex.split(command) if isinstance(command, str) else command
        self.command = [str(word) for word in words]
        self._core = core
        self._log = tempfile.TemporaryFile()
        stream = subprocess.PIPE if pipes else None
        self.child = subprocess.Popen(
            self.command, stdin=stream or subprocess.DEVNULL, stdout=stream or self._log,
            stderr=self._log, text=True, cwd=REPOSITORY, preexec_fn=self._before_exec)
        self.pid = self.child.pid

    def _before_exec(self):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def running(self):
        return self.child.poll() is None

    def log(self):
        """The end of what it wrote (to standard error alone, if it has pipes)."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:].strip()

    def stop(self, deadline_seconds=STOP_DEADLINE_SECONDS):
        """SIGTERM, then SIGKILL at the deadline. Returns the exit status."""
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(deadline_seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
        status = self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                pipe.close()
        return status


def _accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_server(command, core=None):
    """Starts `command`, which has {port} in it or is a function of the port; returns (process,
    port) once it accepts.

    A server that ends at once may have lost its port to somebody: another one is tried.
    """
    log = filled = ""
    for _ in range(START_ATTEMPTS):
        port = free_port()
        filled = command(port) if callable(command) else command.replace("{port}", str(port))
        server = Process(filled, core)
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while server.running() and time.monotonic() < deadline:
            if _accepts(port):
                return server, port
            time.sleep(0.01)
        server.stop()
        log = server.log()
    raise BenchmarkError(f"did not start: {filled}\n{log}".strip())


@contextlib.contextmanager
def running_server(command, core=None):
    server, port = start_server(command, core)
    with server:
        yield server, port


# ---- Readings ----------------------------------------------------------------------------------


def _process_tree(pid):
    """The process and its descendants, for servers that fork their workers."""
    parent_of = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = Path("/proc", entry, "stat").read_text()
                parent_of[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    tree = [pid]
    for member in tree:
        tree.extend(child for child, parent in parent_of.items() if parent == member)
    return tree


@dataclass(frozen=True)
class ProcessorTime:
    """What threads spent on a processor, and waiting for one while they had work to do."""

    used_us: float
    waited_us: float

    def __sub__(self, earlier):
        return ProcessorTime(self.used_us - earlier.used_us, self.waited_us - earlier.waited_us)


def processor_time(pid):
    """Of all threads of the process and its descendants, kernel work on their behalf included.

    Threads that have ended are not in it; exact only for threads that are asleep.
    """
    used_ns = waited_ns = 0
    for member in _process_tree(pid):
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{member}/task"):
                with contextlib.suppress(OSError):
                    schedstat = Path(f"/proc/{member}/task/{thread}/schedstat").read_text().split()
                    used_ns += int(schedstat[0])
                    waited_ns += int(schedstat[1])
    return ProcessorTime(used_ns / 1000, waited_ns / 1000)


def private_bytes(pid):
    """User memory that the process and its descendants share with nobody, swapped-out included."""
    wanted = ("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:", "Swap:")
    total_kib = 0
    for member in _process_tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith(wanted):
                    total_kib += int(line.split()[1])
    return total_kib * 1024


# ---- Answers -----------------------------------------------------------------------------------


def answer_length(received):
    """The whole length of the HTTP answer that begins here; None while its head is incomplete."""
    head, blank_line, _ = received.partition(b"\r\n\r\n")
    if not blank_line:
        return None
    status_line, *fields = head.split(b"\r\n")
    if not status_line.startswith(b"HTTP/1.1 200 "):
        raise BenchmarkError(f"an answer began with {status_line[:40]!r}")
    for name, _, value in (line.partition(b":") for line in fields):
        if name.lower() == b"content-length":
            return len(head) + len(blank_line) + int(value)
    raise BenchmarkError("an answer has no Content-Length")


# ---- Results -----------------------------------------------------------------------------------


@dataclass
class Result:
    """One row: medians over the rounds. `goal` bounds what `goal_of` names: "ratio" or "value"."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    goal: float | None = None
    goal_of: str = "ratio"
    server: str = ""
    rounds: list = field(default_factory=list)

    def verdict(self):
        measured = self.ratio if self.goal_of == "ratio" else self.value
        if self.goal is None or measured is None:
            return ""
        return "met" if measured <= self.goal else "missed"


def median_of_ratios(pairs):
    """Of (value, reference) pairs of the same round; None if no reference is above 0."""
    ratios = [value / reference for value, reference in pairs if reference and reference > 0]
    return statistics.median(ratios) if ratios else None


def take_rows(program, rounds, *arguments):
    """Runs a program that takes rows in turns and prints the figures of every round.

    Returns its rows by name, and those that it could not take.
    """
    say(f"{program.name}: {rounds} rounds")
    with Process([program, rounds, *arguments], pipes=True) as process:
        text = process.child.stdout.read()
        status = process.child.wait()
        if status != 0:
            raise BenchmarkError(f"{program} ended with {status}\n{process.log()}".strip())
    document = json.loads(text)
    return {row["name"]: row for row in document["rows"]}, document["skipped"]


def result_of(row, rows, program, reference=None, goal=None, goal_of="value"):
    """One of the rows above, beside the row that is its reference."""
    other = rows.get(reference)
    pairs = list(zip(row["rounds"], other["rounds"])) if other else []
    return Result(
        name=row["name"], value=statistics.median(row["rounds"]), unit=row["unit"],
        reference=statistics.median(other["rounds"]) if other else None,
        ratio=median_of_ratios(pairs) if pairs else None, goal=goal, goal_of=goal_of,
        server=program, rounds=[list(pair) for pair in pairs] or row["rounds"])


def _figure(number, digits=3):
    if number is None:
        return "-"
    return f"{number:.{digits}f}" if abs(number) < 1000 else f"{number:.0f}"


def say(text):
    """For people: to standard error, because standard output is for the JSON."""
    print(text, file=sys.stderr, flush=True)


def print_table(facts, results, reference_name="floor"):
    say(f"\n{facts['machine']} · kernel {facts['kernel']} · commit {facts['commit']}")
    rows = [("row", "server", "value", reference_name, "unit", "ratio", "goal", "")]
    for result in results:
        goal = "" if result.goal is None else f"{result.goal_of} ≤ {result.goal:g}"
        rows.append((result.name, result.server, _figure(result.value), _figure(result.reference),
                     result.unit, _figure(result.ratio), goal, result.verdict()))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = {2, 3, 5}
    for row in rows:
        cells = (cell.rjust(width) if column in numeric else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths)))
        say("  ".join(cells).rstrip())


def publish(name, facts, results, **extra):
    """Writes build/bench/NAME.json; the same to standard output where no person reads it.

    Returns what was written.
    """
    RESULTS_FOLDER.mkdir(parents=True, exist_ok=True)
    path = RESULTS_FOLDER / f"{name}.json"
    document = {**facts, **extra, "results": [asdict(result) for result in results]}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text)
    say(f"written to {path}")
    if not sys.stdout.isatty():
        sys.stdout.write(text)
    return document
