"""What the statements of a cluster cost: ``python -m benchmarks.scale.measured_statements``.

A real PostgreSQL has the rows of 4, 10, 100 and 1,000 nodes; each statement is carried out many
times by one connection, and by four at once for one key. Milliseconds of the server's processor
time for each are printed, with heartbeats on their way as they would be. Beyond that: the messages
that a NOTIFY needs with many listeners, and the memory of a connection.
"""

from __future__ import annotations

import argparse
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg

from benchmarks.processes import cpu_seconds, memory
from ftpservice.cluster.cluster_listener import notify
from ftpservice.cluster.cluster_schema import CHANNEL
from ftpservice.cluster.cluster_statements import Claim, NodeFacts, NodeState, beat, claim
from ftpservice.cluster.quotas.quota_statements import RoomClaim, take_rooms
from tests.support.cluster import cluster_url
from tests.support.postgresql import PostgreSQL

__all__ = ["main"]

NODES = (4, 10, 100, 1000)
AT_ONCE = 4
LISTENERS = (1, 30, 90)
FAR_LIMIT = 1_000_000
Connection = psycopg.Connection[tuple[object, ...]]
Work = Callable[[Connection, int], Any]
COLUMNS = (
    *("nodes", "heartbeat", "claim of a user", "claim of all", "room of a tree", "room of 200"),
    *("four claims of all at once", "wait of one"),
)
TREES = 200
MIB = 1 << 20


class Statements:
    """The statements, as nodes carry them out."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.nodes = 1

    def fill(self, connection: Connection, nodes: int) -> None:
        """Have rows of so many nodes, each with places of the key of all sessions."""
        self.nodes = nodes
        connection.execute("DELETE FROM ftpservice_cluster_node")
        for number in range(nodes):
            beat(connection, self._facts(number), NodeState(), 1e6)
            self.claim_all(connection, number)
        connection.execute("VACUUM ANALYZE ftpservice_cluster_node, ftpservice_cluster_places")

    def _facts(self, number: int) -> NodeFacts:
        return NodeFacts(f"{number % self.nodes:016x}", f"node{number}", "1")

    def beat(self, connection: Connection, number: int) -> None:
        """Send a heartbeat."""
        beat(connection, self._facts(number), NodeState(), 1e6)

    def claim_user(self, connection: Connection, number: int) -> None:
        """Claim a place of a user, and give it back."""
        run, key = self._facts(number).run, ("user", f"user{number}")
        claim(connection, run, next(self._numbers), [Claim(*key, 0, 1, 3)])
        claim(connection, run, next(self._numbers), [Claim(*key, 0, 0, 3)])

    def claim_all(self, connection: Connection, number: int) -> None:
        """Claim a place of the key that all nodes have."""
        asked = [Claim("all", "", 1, 1, FAR_LIMIT)]
        claim(connection, self._facts(number).run, next(self._numbers), asked)

    def ask_room(self, connection: Connection, number: int) -> None:
        """Ask for room for an upload in a tree that no other node has."""
        self._take_rooms(connection, number, [_room(number, needed=MIB)])

    def tell_changes(self, connection: Connection, number: int) -> None:
        """Tell of changes of as many trees as one call is about."""
        trees = range(number * TREES, (number + 1) * TREES)
        self._take_rooms(connection, number, [_room(one) for one in trees])

    def _take_rooms(self, connection: Connection, number: int, claims: list[RoomClaim]) -> None:
        take_rooms(connection, self._facts(number).run, next(self._numbers), claims)


def _room(tree: int, needed: int = 0) -> RoomClaim:
    place = f'["local", "{tree}"]'
    return RoomClaim(
        place, "[]", 10 * MIB, 10, 0, 0, needed, int(needed > 0), FAR_LIMIT * MIB, None
    )


def spent(server: PostgreSQL, count: int, work: Callable[[], Any]) -> float:
    """Return the milliseconds of processor time of the server for each of so many."""
    before = cpu_seconds(server.pid)
    work()
    return (cpu_seconds(server.pid) - before) / count * 1000


def one_after_the_other(connection: Connection, count: int, work: Work) -> Callable[[], None]:
    """Return what carries out a statement many times."""

    def run() -> None:
        for number in range(count):
            work(connection, number)

    return run


def at_once(connections: list[Connection], count: int, work: Work) -> list[float]:
    """Carry out a statement by several nodes at once; return the seconds that each call took."""
    seconds: list[float] = []

    def run(node: int) -> None:
        for _ in range(count // AT_ONCE):
            began = time.monotonic()
            work(connections[node], node)
            seconds.append(time.monotonic() - began)

    threads = [threading.Thread(target=run, args=(node,)) for node in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seconds)


def rows(server: PostgreSQL, connections: list[Connection], count: int) -> Iterator[list[str]]:
    """Yield the rows of the table of statements."""
    statements, first = Statements(), connections[0]
    for nodes in NODES:
        statements.fill(first, nodes)
        each = [
            spent(server, count, one_after_the_other(first, count, work))
            for work in (
                *(statements.beat, statements.claim_user, statements.claim_all),
                statements.ask_room,
            )
        ]
        each[1] /= 2
        calls = max(10, count // 20)
        changes = one_after_the_other(first, calls, statements.tell_changes)
        each.append(spent(server, calls, changes))
        times: list[float] = []
        together = spent(
            server,
            count,
            lambda found=times: found.extend(at_once(connections, count, statements.claim_all)),
        )
        values = (*each, together, times[len(times) // 2] * 1000)
        yield [str(nodes), *(f"{value:.2f}" for value in values)]


def listened(server: PostgreSQL, database: str, count: int) -> Iterator[str]:
    """Yield what a message costs with more and more listeners, and what a connection takes."""
    with ExitStack() as stack:
        sender = stack.enter_context(server.connect(database))
        open_now, before = 0, memory(server.pid)
        for listeners in LISTENERS:
            for _ in range(listeners - open_now):
                one = stack.enter_context(server.connect(database))
                one.execute(f"LISTEN {CHANNEL}")
            open_now = listeners
            message = {"kind": "lacks", "from": "0" * 16, "key": ["user", "somebody"]}
            each = spent(
                server,
                count,
                lambda told=message: [notify(sender, told) for _ in range(count)],
            )
            yield f"{listeners} listeners: {each:.2f} ms for a message"
        used = (memory(server.pid) - before) / LISTENERS[-1] / 1024
        yield f"{used:.0f} KiB of memory for an idle connection"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.measured_statements")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="%(default)s")
    given = parser.parse_args()
    with PostgreSQL() as server, ExitStack() as stack:
        database = cluster_url(server).rpartition("/")[2]
        connections = [stack.enter_context(server.connect(database)) for _ in range(AT_ONCE)]
        print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}")
        for row in rows(server, connections, given.count):
            print(f"| {' | '.join(row)} |", flush=True)
        print()
        for line in listened(server, database, given.count):
            print(line, flush=True)


if __name__ == "__main__":
    main()
