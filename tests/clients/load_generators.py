#!/usr/bin/python3
"""wrk, ab and h2load at full speed: nothing fails, and connections stay where they should.

usage: load_generators.py SERVER WEFT FLAGS
"""

import re
import tempfile

from common import ClientTest, main, note, program, run

PIPELINING = """
init = function(args)
  local each = {}
  for i = 1, 16 do each[i] = wrk.format("GET", "/size/" .. (i * 100)) end
  requests = table.concat(each)
end
request = function() return requests end
"""


def figure(name, text):
    """The number after a label at the start of a line."""
    found = re.search(rf"^ *{re.escape(name)}:? +([\d.]+)", text, re.MULTILINE)
    return float(found[1]) if found else None


class LoadGenerators(ClientTest):
    def run_wrk(self, *options):
        wrk = program("wrk", "wrk")
        text = run(wrk, "-t1", "-c64", "-d2s", *options, self.served.url + "/").decode()
        self.assertNotIn("Socket errors", text)
        self.assertNotIn("Non-2xx", text)
        rate = figure("Requests/sec", text)
        self.assertGreater(rate, 0, text)
        # wrk's connections, the two that asked whether the server is there, and this question's.
        self.assertLessEqual(self.served.state()["accepted"], 64 + 4, "connections were lost")
        return rate

    def test_wrk_sees_no_error(self):
        note(f"wrk: {self.run_wrk():.0f} requests/s on 64 connections")

    def test_wrk_sees_no_error_when_it_pipelines(self):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(PIPELINING)
            script.flush()
            note(f"wrk, 16 deep: {self.run_wrk('-s', script.name):.0f} requests/s")

    def run_ab(self, count, *options):
        ab = program("ab", "apache2-utils")
        text = run(ab, "-q", "-n", count, "-c", "100", *options).decode()
        self.assertEqual(figure("Complete requests", text), count, text)
        self.assertEqual(figure("Failed requests", text), 0, text)
        self.assertNotIn("Non-2xx", text)
        rate = figure("Requests per second", text)
        note(f"ab {' '.join(options[:-1][:2])}: {rate:.0f} requests/s")
        return text

    def test_ab_keeps_every_connection(self):
        text = self.run_ab(100_000, "-k", self.served.url + "/")
        self.assertEqual(figure("Keep-Alive requests", text), 100_000, text)
        self.assertLessEqual(self.served.state()["accepted"], 100 + 4, "connections were lost")

    def test_ab_connects_anew_for_each_request(self):
        text = self.run_ab(5_000, self.served.url + "/")
        self.assertIn(figure("Keep-Alive requests", text), (None, 0), text)
        self.assertGreaterEqual(self.served.state()["accepted"], 5_000)

    def test_ab_posts(self):
        with tempfile.NamedTemporaryFile() as body:
            body.write(b"0123456789" * 1000)
            body.flush()
            self.run_ab(5_000, "-k", "-T", "text/plain", "-p", body.name,
                        self.served.url + "/seen/ab")
        self.assertEqual(self.served.ledger(), ["POST /seen/ab 10000"] * 5_000)

    def run_h2load(self, *options):
        h2load = program("h2load", "nghttp2-client")
        text = run(h2load, "--h1", "-n", "20000", "-c", "64", "-t", "1", *options,
                   self.served.url + "/").decode()
        self.assertIn("20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, "
                      "0 errored, 0 timeout", text)
        self.assertIn("status codes: 20000 2xx, 0 3xx, 0 4xx, 0 5xx", text)
        return re.search(r"finished in .*?, ([\d.]+) req/s", text)[1]

    def test_h2load_sees_no_error(self):
        note(f"h2load --h1: {self.run_h2load()} requests/s")

    def test_h2load_sees_no_error_when_it_pipelines(self):
        note(f"h2load --h1 -m 16: {self.run_h2load('-m', '16')} requests/s")


if __name__ == "__main__":
    main()
