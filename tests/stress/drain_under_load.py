#!/usr/bin/python3
"""Sends SIGTERM to a server under load: no request that it was sent may go unanswered.

usage: drain_under_load.py [options] SERVER_COMMAND        (SERVER_COMMAND holds {port})

Keep-alive clients ask again as soon as they are answered; reconnecting clients ask a few times,
then connect anew; pipelining clients send many requests at once, and again when all are answered.
After SIGTERM they go on until the server lets none of them in any more. At that moment there are
connections in the accept queue, each with its request: they are made while the server is stopped,
so that it learns of them and of its end together.

A client cannot see the accept: its connect succeeds when the kernel has queued the connection. So
each request that was sent whole, and was not answered whole, is counted as

  dropped         on a connection that had been answered before, hence certainly accepted; that
                  an answer announces the end does not excuse it, since all were sent together
  cut             after a part of its answer
  unanswered_new  on a connection never answered, which the server may not have accepted; a server
                  that empties its queue before it closes the listener makes this 0 on loopback too

Any of them fails the run (unanswered_new above --tolerate-new), and so does a server that is not
gone with status 0 within --grace. A connect that is refused after SIGTERM is as it should be, and
so is a connection that ends while nothing is owed on it.
"""

import argparse
import collections
import itertools
import select
import signal
import sys
import time

from clients import Client, ConnectionEnded, harness

REQUESTS_PER_RECONNECT = 3
POLL_SECONDS = 0.05


class Load:
    """All the clients of one cycle, in a loop of their own; `counts` is the outcome."""

    def __init__(self, port, arguments):
        self.port = port
        self.paths = arguments.paths.split(",")
        self.poller = select.epoll()
        self.clients = {}
        self.reconnecting = set()
        self.pipelining = set()
        self.depth = arguments.depth
        self.counts = collections.Counter()
        self.first_problem = ""
        self.terminated = False
        for count, kind in ((arguments.keep_alive, set()),
                            (arguments.reconnecting, self.reconnecting),
                            (arguments.pipelining, self.pipelining)):
            for _ in range(count):
                self._open(kind)

    def run(self, seconds, until=lambda: False):
        """Serves the clients for a time, or until the condition holds or none of them is left."""
        deadline = time.monotonic() + seconds
        while self.clients and time.monotonic() < deadline and not until():
            for descriptor, _ in self.poller.poll(POLL_SECONDS):
                self._on_ready(self.clients[descriptor])

    def fill_accept_queue(self, count):
        """Connects and asks at once; what loopback's kernel has taken is queued at the server."""
        for _ in range(count):
            client = self._open(self.reconnecting)
            if client.connect_error() == 0:
                self.poller.modify(client.fileno(), select.EPOLLIN)
                self._ask(client)

    def end(self):
        """What is still owed now that the server is gone, or its time is up."""
        for client in list(self.clients.values()):
            before = client.answers
            try:
                client.read()
            except (ConnectionEnded, harness.BenchmarkError):
                pass
            self.counts["answered_after_term"] += client.answers - before
            self._forget(client, "no answer by the end")
        self.poller.close()

    def _open(self, kind):
        """`kind` is the set of those that it behaves like."""
        client = Client(self.port)
        client.connect()
        self.clients[client.fileno()] = client
        kind.add(client)
        self.poller.register(client.fileno(), select.EPOLLOUT)
        return client

    def _on_ready(self, client):
        if not client.owed and client.answers == 0:
            error = client.connect_error()
            if error:
                self._on_refused(client, error)
                return
            self.poller.modify(client.fileno(), select.EPOLLIN)
            self._ask(client)
            return
        before = client.answers
        try:
            client.read()
            reason = ""
        except (ConnectionEnded, harness.BenchmarkError) as end:
            reason = str(end)
            self.counts["wrong"] += isinstance(end, harness.BenchmarkError)
        kind = "answered_after_term" if self.terminated else "answered"
        self.counts[kind] += client.answers - before
        if reason or client.last_answer_closes:
            self._replace(client, reason or "an answer before it announced the end")
        elif not client.owed:
            self._ask(client)

    def _ask(self, client):
        if client in self.reconnecting and client.answers >= REQUESTS_PER_RECONNECT:
            self._replace(client, "")
            return
        last = client in self.reconnecting and client.answers == REQUESTS_PER_RECONNECT - 1
        asked = self.counts["asked"]
        try:
            count = self.depth if client in self.pipelining else 1
            client.send_request(self.paths[asked % len(self.paths)], last, count)
            self.counts["asked"] += count
        except OSError as error:
            self.counts["ended_before_asking"] += 1
            self._replace(client, str(error))

    def _on_refused(self, client, error):
        self.counts["refused_after_term" if self.terminated else "refused_before_term"] += 1
        self._forget(client, f"connect: errno {error}")

    def _replace(self, client, reason):
        """Every client connects anew, after SIGTERM too, until it is refused."""
        kind = next((one for one in (self.reconnecting, self.pipelining) if client in one), set())
        self._forget(client, reason)
        self._open(kind)

    def _forget(self, client, reason):
        if client.owed:
            kind = "unanswered_new" if client.answers == 0 else "dropped"
            kind = "cut" if client.has_part_of_an_answer() else kind
            self.counts[kind] += client.owed
            self.first_problem = self.first_problem or f"{kind}: {reason}"
        self.poller.unregister(client.fileno())
        del self.clients[client.fileno()]
        self.reconnecting.discard(client)
        self.pipelining.discard(client)
        client.close()


def run_cycle(arguments):
    """One server from start to exit. Returns (counts, what was wrong)."""
    with harness.running_server(arguments.server_command) as (server, port):
        load = Load(port, arguments)
        load.run(arguments.seconds)
        server.child.send_signal(signal.SIGSTOP)
        load.fill_accept_queue(arguments.queued)
        server.child.send_signal(signal.SIGTERM)
        server.child.send_signal(signal.SIGCONT)
        load.terminated = True
        deadline = time.monotonic() + arguments.grace
        load.run(arguments.grace, until=lambda: not server.running())
        while server.running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        still_running = server.running()
        load.end()
        status = server.stop(deadline_seconds=0)
        log = server.log()

    counts, problems = load.counts, []
    for kind in ("dropped", "cut", "wrong", "refused_before_term"):
        if counts[kind]:
            problems.append(f"{counts[kind]} {kind}")
    if counts["unanswered_new"] > arguments.tolerate_new:
        problems.append(f"{counts['unanswered_new']} unanswered_new")
    if problems and load.first_problem:
        problems.append(f"first: {load.first_problem}")
    if not counts["answered"]:
        problems.append("nothing was answered before SIGTERM")
    if still_running:
        problems.append(f"still running {arguments.grace:g} s after SIGTERM")
    elif status != 0:
        problems.append(f"the server ended with status {status}: {log}")
    return counts, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep-alive", type=int, default=64, help="clients")
    parser.add_argument("--reconnecting", type=int, default=32, help="clients")
    parser.add_argument("--pipelining", type=int, default=16, help="clients")
    parser.add_argument("--depth", type=int, default=16, help="requests that these send at once")
    parser.add_argument("--queued", type=int, default=500, help="connections at SIGTERM")
    parser.add_argument("--seconds", type=float, default=1.0, help="of load before SIGTERM")
    parser.add_argument("--grace", type=float, default=15.0, help="seconds to be gone in")
    parser.add_argument("--cycles", type=int, default=3, help="servers started and ended, at least")
    parser.add_argument("--requests", type=int, default=0,
                        help="answered in all before it is enough")
    parser.add_argument("--paths", default="/", help="comma-separated, asked for in turn")
    parser.add_argument("--tolerate-new", type=int, default=0, help="unanswered_new per cycle")
    parser.add_argument("server_command")
    arguments = parser.parse_args()
    harness.end_cleanly_on_sigterm()

    total, failed = collections.Counter(), False
    for cycle in itertools.count():
        answered = total["answered"] + total["answered_after_term"]
        if cycle >= arguments.cycles and (failed or answered >= arguments.requests):
            break
        try:
            counts, problems = run_cycle(arguments)
        except (harness.BenchmarkError, OSError) as error:
            counts, problems = collections.Counter(), [str(error)]
        total.update(counts)
        failed = failed or bool(problems)
        print(f"cycle {cycle + 1}: {'; '.join(problems) or 'ok'}")
    shown = ("answered", "answered_after_term", "dropped", "cut", "unanswered_new",
             "refused_after_term", "ended_before_asking")
    figures = ", ".join(f"{name} {total[name]}" for name in shown)
    print(f"drain_under_load: {'FAILED' if failed else 'PASSED'}: {figures}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
