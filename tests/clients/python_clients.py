#!/usr/bin/python3
"""Python's own http.client, and httpx: connections used again, uploads in chunks, many at once.

usage: python_clients.py SERVER WEFT FLAGS
"""

import asyncio
import http.client

from common import ClientTest, main, missing, note

PART = bytes(range(256)) * 40
PARTS = 60


def parts():
    """A body whose length the client does not know."""
    for _ in range(PARTS):
        yield PART


class HttpClient(ClientTest):
    def setUp(self):
        super().setUp()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=10)
        self.addCleanup(self.connection.close)

    def ask(self, method, path, *arguments, **more):
        self.connection.request(method, path, *arguments, **more)
        answer = self.connection.getresponse()
        return answer, answer.read()

    def test_one_connection_serves_all_kinds_of_requests(self):
        before = self.served.state()["accepted"]
        for _ in range(100):
            answer, body = self.ask("GET", "/")
            self.assertEqual((answer.status, answer.version, body), (200, 11, b"Hello, World!"))
            self.assertFalse(answer.will_close)
            answer, body = self.ask("HEAD", "/size/5000")
            self.assertEqual((answer.getheader("Content-Length"), body), ("5000", b""))
            for status in (204, 304):
                answer, body = self.ask("GET", f"/empty/{status}")
                self.assertEqual((answer.status, body), (status, b""))
            answer, body = self.ask("PUT", "/seen/put", PART)
            self.assertEqual(body, b"PUT /seen/put %d\n" % len(PART) + PART)
            answer, body = self.ask("DELETE", "/seen/gone")
            self.assertEqual(body, b"DELETE /seen/gone 0\n")
            answer, _ = self.ask("GET", "/nowhere")
            self.assertEqual(answer.status, 404)
        # This client's, and that of the question after it.
        self.assertEqual(self.served.state()["accepted"], before + 2)

    def test_a_chunked_body_comes_back_whole(self):
        _, body = self.ask("POST", "/seen/chunked", parts(), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(body, b"POST /seen/chunked %d\n" % (PARTS * len(PART)) + PARTS * PART)

    def test_an_unread_upload_is_answered_and_the_connection_goes_on(self):
        for _ in range(10):
            answer, _ = self.ask("POST", "/nowhere", PART)
            self.assertEqual(answer.status, 404)
        _, body = self.ask("GET", "/")
        self.assertEqual(body, b"Hello, World!")


class Httpx(ClientTest):
    def setUp(self):
        super().setUp()
        try:
            import httpx
        except ImportError:
            missing("httpx for this Python", "python3-httpx")
        self.httpx = httpx

    def test_a_pool_of_connections_is_used_again(self):
        with self.httpx.Client(base_url=self.served.url) as client:
            before = self.served.state()["accepted"]
            for number in range(100):
                answer = client.get(f"/seen/{number}", params={"q": "a b&c"})
                self.assertEqual(answer.text, f"GET /seen/{number} 0\n")
                self.assertEqual(client.head("/size/10").headers["Content-Length"], "10")
                self.assertEqual(client.get("/empty/204").content, b"")
            answer = client.post("/seen/chunked", content=parts())
            self.assertEqual(len(answer.content), PARTS * len(PART) + len("POST /seen/chunked ") +
                             len(f"{PARTS * len(PART)}\n"))
            with client.stream("GET", "/size/4000000") as stream:
                self.assertEqual(sum(map(len, stream.iter_bytes())), 4_000_000)
            self.assertEqual(self.served.state()["accepted"], before + 2)

    def test_many_at_once_are_each_given_their_own_answer(self):
        async def ask_all():
            limits = self.httpx.Limits(max_connections=50)
            async with self.httpx.AsyncClient(base_url=self.served.url, limits=limits,
                                              timeout=30) as client:
                return await asyncio.gather(
                    *(client.post(f"/seen/{number}", content=b"x" * number)
                      for number in range(500)))
        answers = asyncio.run(ask_all())
        for number, answer in enumerate(answers):
            self.assertEqual(answer.text, f"POST /seen/{number} {number}\n" + "x" * number)
        accepted = self.served.state()["accepted"]
        self.assertLessEqual(accepted, 50 + 4)
        note(f"httpx: 500 at once over {accepted} connections")


if __name__ == "__main__":
    main()
