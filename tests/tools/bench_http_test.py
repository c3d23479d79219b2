"""What bench/http.py makes of its figures: pairs, medians, which rows go on, the README's table."""

import sys
import unittest
from pathlib import Path

# Behind the standard library, whose http package is found first otherwise.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "bench"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
from http_bench import readme  # noqa: E402
from http_bench.measures import wrk_percentile  # noqa: E402
from http_bench.rounds import Rounds  # noqa: E402
from http_bench.rows import ROWS  # noqa: E402
from http_bench.servers import Server  # noqa: E402

FLOOR = Server("floor", "floor {port}")
WEFT = Server("weft", "weft {port}", ours=True)
PEER = Server("nginx", "nginx {port}", files_command="nginx {port}")
WRK = """Running 1s test @ http://127.0.0.1:1/
  Latency Distribution
     50%  600.00us
     99%    1.25ms
  150000 requests in 1.00s, 20.00MB read
"""


class FakeBench:
    """Figures by (row, server); a list is one figure for each time that it is asked."""

    def __init__(self, figures, backlog=1.0):
        self.figures, self.backlog = figures, backlog

    def figure(self, server, row):
        name = next(name for name, known in ROWS.items() if known is row)
        found = self.figures[name, server.name]
        if isinstance(found, str):
            raise harness.BenchmarkError(found)
        return (found.pop(0) if isinstance(found, list) else found), self.backlog


def rounds_of(figures, count=3, servers=(WEFT, PEER), backlog=1.0):
    names = [name for name in ROWS if any(row == name for row, _ in figures)]
    rounds = Rounds(FakeBench(figures, backlog), FLOOR, list(servers), names)
    for number in range(count):
        rounds.take(number)
    return rounds


def plaintext(weft, peer, floor=1.0):
    return {("plaintext_64", "weft"): weft, ("plaintext_64", "nginx"): peer,
            ("plaintext_64", "floor"): floor}


class BenchHttp(unittest.TestCase):
    def setUp(self):
        harness.say = lambda text: None

    def result(self, rounds, server, name="plaintext_64"):
        return next(result for result in rounds.results()
                    if result.server == server and result.name.startswith(name))

    def test_a_ratio_is_the_median_of_the_rounds_own(self):
        rounds = rounds_of(plaintext([2.0, 3.0, 9.0], 5.0, [1.0, 1.0, 6.0]))
        self.assertEqual(self.result(rounds, "weft").ratio, 2.0)
        self.assertEqual(self.result(rounds, "weft").value, 3.0)

    def test_a_goal_is_ours_alone(self):
        rounds = rounds_of(plaintext(1.02, 1.5))
        self.assertEqual(self.result(rounds, "weft").verdict(), "met")
        self.assertEqual(self.result(rounds, "nginx").verdict(), "")

    def test_a_park_is_what_it_adds(self):
        figures = plaintext(2.0, 3.0) | {("parks_once_64", "weft"): 2.25}
        self.assertEqual(self.result(rounds_of(figures), "weft", "parks_once_64").value, 0.25)

    def test_what_is_far_from_everything_is_not_measured_further(self):
        self.assertEqual(rounds_of(plaintext(2.0, 3.0)).close(), {})

    def test_what_is_close_to_a_peer_is_measured_further_with_it(self):
        rounds = rounds_of(plaintext(2.0, 2.05))
        self.assertEqual(rounds.close(), {"plaintext_64": {"floor", "weft", "nginx"}})

    def test_what_is_close_to_its_goal_is_measured_further(self):
        rounds = rounds_of(plaintext(1.10, 3.0))
        self.assertEqual(rounds.close(), {"plaintext_64": {"floor", "weft"}})
        rounds.take(3, rounds.close())
        self.assertEqual(len(self.result(rounds, "weft").rounds), 4)
        self.assertEqual(len(self.result(rounds, "nginx").rounds), 3)

    def test_a_failure_leaves_the_row_out_and_says_why(self):
        rounds = rounds_of(plaintext(1.0, "it fell over"))
        self.assertEqual(rounds.failures, [("plaintext_64", "nginx", "it fell over")])
        self.assertEqual([result.server for result in rounds.results()], ["weft"])

    def test_files_are_measured_by_nginx_where_somebody_serves_them(self):
        rounds = rounds_of({("file_10k", "nginx"): 1.0})
        self.assertEqual([result.server for result in rounds.results()], ["nginx"])

    def test_a_server_without_work_is_doubtful(self):
        rounds = rounds_of(plaintext(2.0, 3.0), backlog=0.5)
        self.assertEqual(rounds.doubtful()[0], ["plaintext_64", "floor", 0.5])

    def test_the_table_has_a_column_for_each_server(self):
        rounds = rounds_of(plaintext(2.0, 3.0, 1.5))
        document = {
            "servers": ["floor", "weft", "nginx"], "commit": "c", "rounds": 3, "most_rounds": 15,
            "seconds": 1.0, "machine": "m", "kernel": "k", "compiler": "g++", "versions": {},
            "instructions": None, "left_out": {"axum": "not installed: librust-axum-dev"},
            "failures": [], "doubtful": [],
            "results": [vars(result) for result in rounds.results()]}
        text = readme.figures(document)
        self.assertIn("| one worker, saturated | floor | weft | nginx |", text)
        self.assertIn("| plain text, 64 connections | 1.5 µs | 1.33 | 2.00 |", text)
        self.assertIn("axum (not installed: librust-axum-dev)", text)

    def test_a_percentile_of_wrk_is_in_microseconds(self):
        self.assertEqual(wrk_percentile(WRK, "99%"), 1250)
        self.assertEqual(wrk_percentile(WRK, "50%"), 600)

    def test_a_wrk_that_saw_errors_gives_no_figure(self):
        for trouble in ("  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1\n"):
            with self.assertRaises(harness.BenchmarkError):
                wrk_percentile(WRK + trouble, "99%")


if __name__ == "__main__":
    unittest.main()
