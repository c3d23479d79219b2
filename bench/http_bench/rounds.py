"""The rounds of bench/http.py: who is measured in which, and what the figures come to."""

import statistics

import harness
from harness import BenchmarkError, Result
from http_bench import rows
from http_bench.rows import PARK_BASE, ROWS

FILE_REFERENCE = "nginx"
# The hog is there so that the server always runs or waits to run; less, and it ran out of work.
LEAST_BACKLOG = 0.9
# Rows this near to a goal, or to a peer, are measured in more rounds before they are judged.
CLOSE = 0.05


class Rounds:
    """Every figure of every round, by row and server; none where it could not be taken."""

    def __init__(self, bench, floor, servers, names):
        self.bench, self.floor, self.servers, self.names = bench, floor, servers, names
        self.figures = {}  # By (row, server): by number of the round.
        self.backlogs = {}
        self.failures = []

    def targets(self, name):
        """Who has the row, the floor first."""
        row = ROWS[name]
        if row.kind == rows.PARK:
            return [server for server in self.servers if server.ours]
        if row.kind == rows.FILE:
            return [server for server in self.servers if server.files_command]
        if row.kind == rows.ALLOCATIONS:
            return [server for server in self.servers if not server.own_allocator]
        return [self.floor, *self.servers]

    def take(self, number, wanted=None):
        """One round of every row, or of those in `wanted`, which names the servers of each."""
        for name in self.names:
            targets = self.targets(name)
            if wanted is not None:
                targets = [server for server in targets if server.name in wanted.get(name, ())]
            turn = number % max(1, len(targets))  # Nobody is always first.
            for server in targets[turn:] + targets[:turn]:
                self._take_one(name, server, number)

    def _take_one(self, name, server, number):
        if any(failure[:2] == (name, server.name) for failure in self.failures):
            return
        key = (name, server.name)
        try:
            figure, backlog = self.bench.figure(server, ROWS[name])
        except (BenchmarkError, OSError) as error:
            self.failures.append((*key, str(error)))
            self.figures.pop(key, None)
            return
        self.figures.setdefault(key, {})[number] = figure
        if backlog is not None:
            self.backlogs.setdefault(key, []).append(backlog)
        harness.say(f"  {name} {server.name}: {figure:.3f}")

    # ---- What they come to ---------------------------------------------------------------------

    def _reference(self, name, server):
        """The row and server whose figure of the same round is the measure."""
        kind = ROWS[name].kind
        if kind == rows.PARK:
            return PARK_BASE, server.name
        if kind == rows.FILE:
            return name, FILE_REFERENCE
        return name, self.floor.name if ROWS[name].has_floor else None

    def _pairs(self, name, server):
        """(figure, reference) of each round; the reference is None where the row has none."""
        own = self.figures.get((name, server.name), {})
        others = self.figures.get(self._reference(name, server))
        if others is None:
            return [] if ROWS[name].kind == rows.PARK else [(figure, None)
                                                            for figure in own.values()]
        return [(figure, others[number]) for number, figure in own.items() if number in others]

    def results(self):
        return [self._result(name, server, pairs) for name in self.names
                for server in self.targets(name) if server is not self.floor
                if (pairs := self._pairs(name, server))]

    def _result(self, name, server, pairs):
        row = ROWS[name]
        values = [value - base if row.kind == rows.PARK else value for value, base in pairs]
        references = [base for _, base in pairs if base is not None]
        return Result(
            name=name if server is self.servers[0] else f"{name}:{server.name}",
            value=statistics.median(values), unit=row.kind,
            reference=statistics.median(references) if references else None,
            ratio=harness.median_of_ratios(pairs), goal=row.goal if server.ours else None,
            goal_of=row.goal_of, server=server.name, rounds=[list(pair) for pair in pairs])

    def close(self):
        """The servers of each row that are too near to each other, or to the goal, to be told
        apart in few rounds; with what they are measured by."""
        wanted = {}
        results = {(result.name.partition(":")[0], result.server): result
                   for result in self.results()}
        ours = {server.name for server in self.servers if server.ours}
        for (name, server), result in results.items():
            if server not in ours or ROWS[name].kind not in (rows.CPU, rows.FILE, rows.LATENCY):
                continue
            near = [rival for (row, rival), other in results.items()
                    if row == name and rival not in ours and _near(other.value, result.value)]
            goal = ROWS[name].goal if ROWS[name].goal_of == "ratio" else None
            if near or (goal and result.ratio and _near(result.ratio, goal)):
                reference = FILE_REFERENCE if ROWS[name].kind == rows.FILE else self.floor.name
                wanted.setdefault(name, {reference}).update(near, [server])
        return wanted

    def doubtful(self):
        """The rows whose server, in the median round, was not kept busy."""
        return [[*key, round(statistics.median(backlogs), 3)]
                for key, backlogs in sorted(self.backlogs.items())
                if statistics.median(backlogs) < LEAST_BACKLOG]


def _near(one, other):
    return abs(one - other) <= CLOSE * other
