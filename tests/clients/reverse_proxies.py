#!/usr/bin/python3
"""nginx and HAProxy in front: what they forward, and nothing else, is what the server sees.

usage: reverse_proxies.py SERVER WEFT FLAGS

The proxies log each request with the status that the server answered. Whatever clients send, those
answered by a handler must be the requests that handlers have seen, one for one: a request more or
less means that the two do not agree where one ends.
"""

import collections
import concurrent.futures
import http.client
import shlex
import socket
import tempfile
import threading
import time
from pathlib import Path

from common import ClientTest, harness, main, note, program
from smuggling import ATTEMPTS, HIDDEN_PATH

BODY = bytes(range(256)) * 200
LARGE = 2_000_000
CONNECTIONS_KEPT = 4
CLIENTS_AT_ONCE = 100
LOG_SECONDS = 5

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  log_format forwarded "$upstream_status $request_method $request_uri";
  access_log {folder}/log forwarded;
  upstream weft {{ server 127.0.0.1:{upstream}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    client_header_timeout {patience}; client_body_timeout {patience};
    keepalive_timeout {patience}; lingering_timeout {patience};
    underscores_in_headers on; ignore_invalid_headers off;
    location / {{
      proxy_pass http://weft; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_next_upstream off; proxy_read_timeout 3s;
      {option}
    }}
  }}
}}
"""

HAPROXY = """
global
  log stdout format raw daemon
defaults
  mode http
  log global
  log-format "%[var(txn.status)] %HM %HP"
  timeout connect 3s
  timeout client {patience}
  timeout http-request {patience}
  timeout http-keep-alive {patience}
  timeout server 3s
  retries 0
  http-reuse always
frontend clients
  bind 127.0.0.1:{port}
  {option}
  http-response set-var(txn.status) status
  default_backend weft
backend weft
  server weft 127.0.0.1:{upstream} pool-max-conn 4
"""


def received(connection):
    """All that comes until the other side closes, or says nothing for long."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts)


class Proxied:
    """The tests, for whoever says which proxy it is."""

    option = ""
    patience = "20s"  # of the proxy with its clients

    def setUp(self):
        super().setUp()
        if "smuggled" in self.id():
            self.patience = "2s"
        self.folder = Path(self.entered(tempfile.TemporaryDirectory()))
        path = program(self.name, self.name)
        words = self.words(path)

        def command(port):
            text = self.configuration.format(folder=self.folder, port=port, option=self.option,
                                             upstream=self.served.port,
                                             patience=self.patience)
            (self.folder / "configuration").write_text(text)
            line = f"exec {shlex.join(words)} >> {self.folder}/log 2>> {self.folder}/errors"
            return ["sh", "-c", line]

        self.proxy, self.port = harness.start_server(command)
        self.addCleanup(self.proxy.stop)

    def words(self, path):
        return [path, "-f", f"{self.folder}/configuration", "-db"]

    def send(self, data):
        """What the proxy answers to a client that sends this and then waits."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=8) as connection:
            connection.sendall(data)
            return received(connection)

    def logged(self):
        """(status of the server's answer, method and path) of each request, as the proxy says."""
        text = (self.folder / "log").read_text(errors="replace")
        return [(line.partition(" ")[0], line.partition(" ")[2]) for line in text.splitlines()]

    def compare(self):
        """Requests that handlers saw must be those that the proxy has logged."""
        ledger = collections.Counter(line.rpartition(" ")[0] for line in self.served.ledger())

        def differences():
            logged = collections.Counter(request for status, request in self.logged()
                                         if status == "200" and " /seen/" in request)
            return {"seen, not logged": dict(ledger - logged),
                    "logged, not seen": dict(logged - ledger)}

        none = {"seen, not logged": {}, "logged, not seen": {}}
        deadline = time.monotonic() + LOG_SECONDS  # A proxy may log after it has answered.
        while differences() != none and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(differences(), none)
        return ledger, collections.Counter(status for status, _ in self.logged())

    def test_bodies_of_all_kinds_pass_over_few_connections(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(client.close)

        def ask(*arguments, **more):
            client.request(*arguments, **more)
            answer = client.getresponse()
            return answer, answer.read()

        before = self.served.state()["accepted"]
        for _ in range(50):
            self.assertEqual(ask("GET", "/")[1], b"Hello, World!")
            answer, body = ask("HEAD", f"/size/{LARGE}")
            self.assertEqual((answer.getheader("Content-Length"), body), (str(LARGE), b""))
            for status in (204, 304):
                answer, body = ask("GET", f"/empty/{status}")
                self.assertEqual((answer.status, body), (status, b""))
            _, body = ask("POST", "/seen/sized", BODY)
            self.assertEqual(body, b"POST /seen/sized %d\n" % len(BODY) + BODY)
            _, body = ask("PUT", "/seen/chunked", iter([BODY[:1000], BODY[1000:]]),
                          headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
            self.assertEqual(body, b"PUT /seen/chunked %d\n" % len(BODY) + BODY)
        self.assertEqual(len(ask("GET", f"/size/{LARGE}")[1]), LARGE)
        after = self.served.state()["accepted"]
        self.assertLessEqual(after - before, CONNECTIONS_KEPT + 1, "connections were not kept")
        for _ in range(20):
            self.assertEqual(ask("POST", "/nowhere", b"not read")[0].status, 404)
            client.close()  # nginx may, on both sides, when an answer comes before the body.
        ledger, _ = self.compare()
        self.assertEqual(ledger, {"POST /seen/sized": 50, "PUT /seen/chunked": 50})

    def test_pipelined_requests_are_answered_in_order(self):
        requests = [f"POST /seen/{number} HTTP/1.1\r\nHost: weft\r\n"
                    f"Content-Length: {number}\r\n\r\n{'x' * number}" for number in range(100)]
        requests.append("GET /seen/last HTTP/1.1\r\nHost: weft\r\nConnection: close\r\n\r\n")
        answers = self.send("".join(requests).encode())
        places = [answers.find(f"\r\n\r\nPOST /seen/{number} {number}\n".encode())
                  for number in range(100)]
        self.assertNotIn(-1, places)
        self.assertEqual(places, sorted(places))
        self.assertTrue(answers.endswith(b"GET /seen/last 0\n"))
        self.compare()

    def test_nothing_is_smuggled_past_the_proxy(self):
        ended = threading.Event()

        def ask_meanwhile():
            """Like the client whose answer an attacker would have for another's request."""
            wrong, number = [], 0
            while number < 100 or not ended.is_set():
                path = f"/seen/honest/{number}"
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                client.request("GET", path)
                answer = client.getresponse().read()
                client.close()
                if answer != f"GET {path} 0\n".encode():
                    wrong.append((path, answer))
                number += 1
                ended.wait(0.002)
            return number, wrong

        with concurrent.futures.ThreadPoolExecutor(CLIENTS_AT_ONCE) as pool:
            honest = pool.submit(ask_meanwhile)
            answers = list(pool.map(self.send, ATTEMPTS.values()))
            ended.set()
            asked, wrong = honest.result()
        self.assertEqual(wrong, [])
        self.assertGreater(sum(map(bool, answers)), len(ATTEMPTS) // 2)
        ledger, statuses = self.compare()
        self.assertEqual(self.served.state()["errors"], 0)
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        note(f"{type(self).__name__}: {len(ATTEMPTS)} attempts, {ledger[f'GET {HIDDEN_PATH}']} "
             f"pipelined, {asked} honest requests; the server answered {counts}")


class Nginx(Proxied, ClientTest):
    name, configuration = "nginx", NGINX

    def words(self, path):
        return [path, "-p", str(self.folder), "-e", f"{self.folder}/errors", "-c",
                f"{self.folder}/configuration"]


class NginxForwardingAsItReads(Nginx):
    option = "proxy_request_buffering off;"


class HAProxy(Proxied, ClientTest):
    name, configuration = "haproxy", HAPROXY


class HAProxyAcceptingTheInvalid(HAProxy):
    option = "option accept-invalid-http-request"


if __name__ == "__main__":
    main()
