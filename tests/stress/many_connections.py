#!/usr/bin/python3
"""Opens 10,000 connections to one server and keeps them all open: every one is answered, twice.

usage: many_connections.py [--connections N] [--rounds N] [--seconds N] SERVER_COMMAND

SERVER_COMMAND holds {port}. Passes only if every connection is answered in every round on the
connection it opened, all of them are still open after the last round, and the server, told to end
while they are, exits with 0.
"""

import argparse
import select
import sys
import time

from clients import Client, ConnectionEnded, harness

# Below every backlog in use, so that no handshake is dropped and retried a second later.
CONNECTS_IN_FLIGHT = 256
SPARE_DESCRIPTORS = 64


class Failure(Exception):
    """What the server did wrong, or did not do in time."""


class Crowd:
    """All the connections, and the time by which everything must have happened."""

    def __init__(self, port, count, deadline):
        self.deadline = deadline
        self.poller = select.epoll()
        self.clients = {}
        self.port = port
        self.count = count

    def open_all(self):
        connecting = set()
        while len(self.clients) < self.count or connecting:
            while len(self.clients) < self.count and len(connecting) < CONNECTS_IN_FLIGHT:
                client = Client(self.port)
                client.connect()
                self.clients[client.fileno()] = client
                connecting.add(client.fileno())
                self.poller.register(client.fileno(), select.EPOLLOUT)
            for descriptor in self._wait(f"{len(connecting)} connections to be made"):
                error = self.clients[descriptor].connect_error()
                if error:
                    raise Failure(f"connection {len(self.clients)}: errno {error}")
                connecting.discard(descriptor)
                self.poller.modify(descriptor, select.EPOLLIN)

    def ask_all(self):
        """Asks on every connection before it reads the first answer."""
        for client in self.clients.values():
            client.send_request()
        missing = len(self.clients)
        while missing:
            for descriptor in self._wait(f"{missing} answers"):
                missing -= self._read(descriptor)

    def expect_all_open(self):
        for descriptor, _ in self.poller.poll(0):
            self._read(descriptor)

    def _read(self, descriptor):
        try:
            whole = self.clients[descriptor].read()
        except ConnectionEnded as end:
            raise Failure(f"the server ended an open connection: {end}") from end
        if whole and self.clients[descriptor].last_answer_closes:
            raise Failure("an answer announced that its connection will be closed")
        return whole

    def _wait(self, what):
        left = self.deadline - time.monotonic()
        events = self.poller.poll(max(left, 0))
        if not events:
            raise Failure(f"still waiting for {what} at the deadline")
        return [descriptor for descriptor, _ in events]

    def close(self):
        for client in self.clients.values():
            client.close()
        self.poller.close()


def run(arguments):
    if harness.raise_descriptor_limit() < arguments.connections + SPARE_DESCRIPTORS:
        raise Failure("the limit of descriptors is too low for that many connections")
    with harness.running_server(arguments.server_command) as (server, port):
        crowd = Crowd(port, arguments.connections, time.monotonic() + arguments.seconds)
        try:
            crowd.open_all()
            for _ in range(arguments.rounds):
                crowd.ask_all()
            crowd.expect_all_open()
            status = server.stop()
            if status != 0:
                raise Failure(f"the server ended with status {status}: {server.log()}")
        finally:
            crowd.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60, help="for all of it")
    parser.add_argument("server_command")
    arguments = parser.parse_args()
    harness.end_cleanly_on_sigterm()
    try:
        run(arguments)
    except (Failure, harness.BenchmarkError, OSError) as error:
        print(f"many_connections: FAILED: {error}")
        return 1
    print(f"many_connections: PASSED: {arguments.connections} open connections, each answered "
          f"{arguments.rounds} times; the server ended with 0")
    return 0


if __name__ == "__main__":
    sys.exit(main())
