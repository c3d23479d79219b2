#!/usr/bin/python3
"""What curl asks in every way it has: methods, uploads, Expect, HTTP/1.0, connections used again.

usage: curl.py SERVER WEFT FLAGS
"""

import tempfile

from common import ClientTest, main, missing, note, program, run

UPLOAD = bytes(range(256)) * 3000  # 750 KiB, which no single read holds


class Curl(ClientTest):
    def setUp(self):
        super().setUp()
        self.curl = [program("curl", "curl"), "-q", "-sS", "--noproxy", "*", "--max-time", "30"]

    def ask(self, path, *options, **more):
        return run(*self.curl, *options, self.served.url + path, **more)

    def head_of(self, path, *options, **more):
        """The heads that came, and all bodies after them."""
        heads = self.ask(path, "-i", *options, **more)
        return heads.decode("latin-1")

    def test_get_is_answered(self):
        self.assertEqual(self.ask("/"), b"Hello, World!")
        self.assertIn("Content-Length: 13\r\n", self.head_of("/"))

    def test_head_is_a_get_without_its_body(self):
        answer = self.head_of("/size/123456", "--head")
        self.assertIn("Content-Length: 123456\r\n", answer)
        self.assertTrue(answer.endswith("\r\n\r\n"))

    def test_a_post_comes_back_whole(self):
        answer = self.ask("/seen/post", "--data-binary", "@-", input=UPLOAD)
        self.assertEqual(answer, b"POST /seen/post %d\n" % len(UPLOAD) + UPLOAD)

    def test_a_chunked_upload_comes_back_whole(self):
        for options in (["-T", "-"], ["-H", "Transfer-Encoding: chunked", "--data-binary", "@-"]):
            answer = self.ask("/seen/chunked", *options, input=UPLOAD)
            self.assertTrue(answer.endswith(b" %d\n" % len(UPLOAD) + UPLOAD), options)

    def test_too_large_an_upload_is_answered_413(self):
        for options in (["-T", "-"], ["--data-binary", "@-"]):
            code = self.ask("/seen/much", *options, "-o", "/dev/null", "-w", "%{http_code}",
                            input=UPLOAD * 2)
            self.assertEqual(code, b"413", options)

    def test_expect_is_met_only_where_the_body_is_read(self):
        # Longer than curl may take in all, so that only a 100 lets it go on.
        expecting = ["-H", "Expect: 100-continue", "--expect100-timeout", "60",
                     "--data-binary", "@-"]
        answer = self.head_of("/seen/expected", *expecting, input=b"12345")
        self.assertTrue(answer.startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
        self.assertTrue(answer.endswith("POST /seen/expected 5\n12345"))
        refused = self.head_of("/nowhere", *expecting, input=b"12345")
        self.assertTrue(refused.startswith("HTTP/1.1 404 "), refused)
        large = self.head_of("/seen/much", *expecting, input=UPLOAD * 2)
        self.assertTrue(large.startswith("HTTP/1.1 413 "), large)

    def connects(self, *options):
        """How often curl connected for each of three answers."""
        url = self.served.url
        names = [word for path in ("/", "/seen/a", "/size/70000")
                 for word in ("-o", "/dev/null", url + path)]
        written = run(*self.curl, "-w", "%{http_code} %{http_version} %{num_connects}\\n",
                      *options, *names)
        return written.decode().split("\n")[:-1]

    def test_a_connection_is_used_again(self):
        self.assertEqual(self.connects(), ["200 1.1 1", "200 1.1 0", "200 1.1 0"])
        self.assertEqual(self.connects("-H", "Connection: close"), ["200 1.1 1"] * 3)

    def test_http_1_0_closes_unless_it_asks_to_stay(self):
        kept = self.connects("--http1.0", "-H", "Connection: keep-alive")
        closed = self.connects("--http1.0")
        self.assertEqual([line.split()[2] for line in kept], ["1", "0", "0"])
        self.assertEqual([line.split()[2] for line in closed], ["1", "1", "1"])
        self.assertTrue(all(line.startswith("200 ") for line in kept + closed))

    def test_statuses_without_a_body_leave_the_connection_usable(self):
        url = self.served.url
        for status in (204, 304):
            written = run(*self.curl, "-w", "%{http_code} %{size_download} %{num_connects}\\n",
                          f"{url}/empty/{status}", url + "/")
            self.assertEqual(written, b"%d 0 1\nHello, World!200 13 0\n" % status)

    def test_a_thousand_in_parallel_are_answered(self):
        with tempfile.NamedTemporaryFile() as names:
            text = "".join(f'url = "{self.served.url}/seen/{number}"\noutput = "/dev/null"\n'
                           for number in range(1000))
            names.write(text.encode())
            names.flush()
            try:
                written = run(*self.curl, "--parallel", "--parallel-max", "50", "-K", names.name,
                              "-w", "%{http_code}\\n")
            except AssertionError as error:
                if "unknown" in str(error):
                    missing("curl with --parallel", "curl")
                raise
        self.assertEqual(written, b"200\n" * 1000)
        self.assertEqual(len(set(self.served.ledger())), 1000)
        note(f"1000 in parallel over {self.served.state()['accepted']} connections")


if __name__ == "__main__":
    main()
