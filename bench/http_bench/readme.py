"""Writes the table of figures between the marks of README.md, from the document of one run."""

from textwrap import fill

import harness
from harness import BenchmarkError
from http_bench import rows
from http_bench.rows import ROWS
from http_bench.servers import TITLES

README = harness.REPOSITORY / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
COLUMNS = 120


def write(document):
    text = README.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"README.md has no {BEGIN} … {END}")
    README.write_text(f"{before}{BEGIN}\n{figures(document)}\n{END}{after}")
    harness.say(f"written to {README}")


def figures(document):
    return "\n\n".join(["\n".join(_table(document)), *_notes(document)])


def _table(document):
    names = document["servers"]
    found = {(result["name"].partition(":")[0], result["server"]): result
             for result in document["results"]}
    yield f"| one worker, saturated | {' | '.join(TITLES.get(name, name) for name in names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for name, row in ROWS.items():
        cells = [_floor_cell(name, row, found)]
        cells += [_cell(row, found.get((name, server))) for server in names[1:]]
        if any(cells):
            yield f"| {row.title} | {' | '.join(cells)} |"


def _floor_cell(name, row, found):
    """Of the first server's rounds; the floor has no results of its own."""
    references = [result["reference"] for (row_name, _), result in found.items()
                  if row_name == name and result["reference"] is not None]
    return _absolute(row, references[0]) if row.has_floor and references else ""


def _cell(row, result):
    if result is None:
        return ""
    if row.goal_of == "ratio" and row.has_floor and result["ratio"] is not None:
        return f"{result['ratio']:.2f}"
    return _absolute(row, result["value"])


def _absolute(row, value):
    if row.kind == rows.CPU:
        return f"{value:.1f} µs" if value >= 1 else f"{value:.2f} µs"
    if row.kind == rows.PARK:
        return f"{value:+.2f} µs"
    if row.kind == rows.LATENCY:
        return f"{value:.0f} µs"
    if row.kind == rows.IDLE:
        rounded = round(value)
        if abs(rounded) >= 10_000:
            return f"{value / 1000:.1f} KB"
        return f"{rounded} byte" if rounded == 1 else f"{rounded} bytes"
    if row.kind == rows.FILE:
        return f"{value:.3f} ns/byte"
    return f"{round(value, 2):g}"


def _notes(document):
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    yield _paragraph(
        f"Rows in the floor's µs of processor time per request are multiples of it for the others, "
        f"medians of the rounds' own ratios; the other rows are absolute. The floor is epoll "
        f"without parsing, so a ratio below 1 says that io_uring saves more in system calls than "
        f"parsing, routing and the handler cost. `make bench-http "
        f"BENCH_ARGS=--write-readme` at commit {document['commit']}: {document['rounds']} rounds, "
        f"up to {document['most_rounds']} where weft is within 5 % of its goal or of a peer, "
        f"{document['seconds']:g} s each.")
    if document["instructions"]:
        yield _paragraph(_instructions(document["instructions"]))
    yield _paragraph(f"{document['machine']}, Linux {document['kernel']}, "
                     f"{document['compiler']}; {versions}.")
    left_out = [f"{TITLES.get(name, name)} ({reason.splitlines()[0]})"
                for name, reason in document["left_out"].items()]
    left_out += [f"{name} of {TITLES.get(server, server)} ({reason.splitlines()[0]})"
                 for name, server, reason in document["failures"]]
    if left_out:
        yield _paragraph(f"Not measured: {'; '.join(left_out)}.")
    doubtful = {}
    for name, server, _ in document["doubtful"]:
        doubtful.setdefault(name, []).append(TITLES.get(server, server))
    if doubtful:
        of_rows = "; ".join(f"{ROWS[name].title} ({', '.join(servers)})"
                            for name, servers in doubtful.items())
        yield _paragraph(f"Doubtful, because the server was not always kept busy: {of_rows}.")


def _instructions(counted):
    parts = [f"{name} {figure}" for name, figure in counted["instructions"].items()]
    return ("Instructions of user code per request, on epoll "
            f"(`make bench-instructions`): {', '.join(parts)}.")


def _paragraph(text):
    return fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)
