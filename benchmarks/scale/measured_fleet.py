"""What an operation costs: ``python -m benchmarks.scale.measured_fleet [--nodes 1,2,3] [--s3]``.

Starts nodes behind haproxy in network namespaces, with real PostgreSQL for the cluster and for the
journal, and counts seconds of processor time of each part for a login and for a small upload, as
well as rows and calls. Few cores are enough, as rates are not measured; clients are not counted.
Run as root.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from benchmarks.processes import cpu_seconds
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.migration import upgrade
from ftpservice.activity.journal.journal_place import journal_database_url
from ftpservice.activity.journal.journal_table import JOURNAL_SCHEMA
from tests.support.buckets import BUCKET
from tests.support.nat_network import CONTROL, ROUTER, missing
from tests.support.node_fleet import LOGIN, NodeFleet
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.s3_servers import SETTINGS, make_bucket, seaweed_server

__all__ = ["main"]

CLIENTS = 4
SIZE = 4096
SETTLE_SECONDS = 3.0
"""Until the rows of the journal are written."""
CLIENT = f"""
import ftplib, io, sys, time
verb, number, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def logged_in():
    while True:
        client = ftplib.FTP()
        try:
            client.connect("{ROUTER}", {CONTROL}, 60)
            client.login(*{LOGIN!r})
            return client
        except (OSError, EOFError, ftplib.Error) as error:
            print(error)
            time.sleep(0.2)
if verb == "login":
    for _ in range(count):
        logged_in().quit()
else:
    client, content = logged_in(), bytes({SIZE})
    for one in range(count):
        client.storbinary(f"STOR file-{{number}}-{{one}}", io.BytesIO(content))
    client.quit()
"""
COLUMNS = (
    "nodes", "operation", "nodes ms", "haproxy ms", "PostgreSQL ms", "S3 ms", "claims",
    "journal rows", "S3 requests", "connections a node",
)  # fmt: skip


class Counted:
    """What has been spent so far."""

    def __init__(self, fleet: NodeFleet, database: PostgreSQL, s3: S3Counts | None) -> None:
        nodes = [cpu_seconds(node.process.pid) for node in fleet.nodes.values()]
        self.numbers = [
            sum(nodes),
            cpu_seconds(fleet.balancer.process.pid),
            cpu_seconds(database.pid),
            s3.cpu_seconds() if s3 else 0.0,
            *_counts(database),
            s3.requests() if s3 else 0,
        ]

    def since(self, before: Counted, operations: int) -> list[str]:
        """Return what was spent for an operation since then."""
        pairs = zip(self.numbers, before.numbers, strict=True)
        each = [(now - then) / operations for now, then in pairs]
        times = [f"{seconds * 1000:.2f}" for seconds in each[:4]]
        return [*times, *(f"{number:.2f}" for number in each[4:])]


class S3Counts:
    """The server of a bucket, and a haproxy in front of it that counts requests."""

    def __init__(self, fleet: NodeFleet, pid: int) -> None:
        self._path = fleet.directory / "relay.sock"
        self._pid = pid

    def cpu_seconds(self) -> float:
        """Return the processor time of the server."""
        return cpu_seconds(self._pid)

    def requests(self) -> int:
        """Return the number of requests."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self._path))
            asked.sendall(b"show stat\n")
            lines = asked.makefile().read().lstrip("# ").splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]
        return sum(int(row["req_tot"] or 0) for row in rows if row["svname"] == "FRONTEND")


def _counts(database: PostgreSQL) -> tuple[int, int]:
    """Return the calls of the function of the cluster, and the rows of the journal."""
    calls = rows = 0
    for name in ("test1", "test2"):
        with database.connect(name) as connection:
            found = connection.execute(
                "SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions),"
                " (SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables"
                "  WHERE relname LIKE '%journal%' AND relname NOT LIKE '%version%')"
            ).fetchone()
        assert found is not None
        calls, rows = calls + int(str(found[0])), rows + int(str(found[1]))
    return calls, rows


def _connections(database: PostgreSQL) -> int:
    """Return the number of connections to the database, but for the one that asks."""
    with database.connect() as connection:
        found = connection.execute(
            "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchone()
    assert found is not None
    return int(str(found[0]))


def load(fleet: NodeFleet, verb: str, count: int) -> None:
    """Have clients do so many operations each."""
    clients = [
        fleet.client([sys.executable, "-c", CLIENT, verb, str(number), str(count)])
        for number in range(CLIENTS)
    ]
    for client in clients:
        with client:
            assert client.ended() == 0, client.output


@contextmanager
def running(nodes: int, in_bucket: bool) -> Iterator[tuple[NodeFleet, PostgreSQL, S3Counts | None]]:
    """Start everything."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        database = stack.enter_context(PostgreSQL())
        with database.connect() as connection:
            connection.execute("ALTER SYSTEM SET track_functions = 'pl'")
            connection.execute("SELECT pg_reload_conf()")
        journal = database.url(database.new_database())
        upgrade(Database(journal_database_url(journal), 30.0, schema=JOURNAL_SCHEMA))
        root, ports, pid = f"local:{directory / 'files'}", [], 0
        (directory / "files").mkdir()
        if in_bucket:
            stack.enter_context(mock.patch.dict(os.environ, SETTINGS))
            url = stack.enter_context(seaweed_server())
            make_bucket(url, BUCKET)
            port = int(url.rpartition(":")[2])
            root = f"s3:{BUCKET}:prefix=ftp:endpoint=http\\://127.0.0.1\\:{port}"
            ports = [port]
            pid = next(iter(_pids("weed")))
        journal = journal.replace(f":{PASSWORD}", "")
        options = ["--journal", journal]
        fleet = NodeFleet(directory, root, database, ports, options, nodes)
        stack.enter_context(fleet)
        yield fleet, database, S3Counts(fleet, pid) if in_bucket else None


def _pids(name: str) -> Iterator[int]:
    """Yield the children of this process that run a program."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for pid in own:
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            yield int(pid)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.measured_fleet")
    parser.add_argument("--nodes", default="1,2,3", help="%(default)s")
    parser.add_argument("--count", type=int, default=1500, metavar="N", help="%(default)s")
    parser.add_argument("--s3", action="store_true", help="files in a bucket of SeaweedFS")
    given = parser.parse_args()
    if why := missing():
        raise SystemExit(why)
    print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}")
    for nodes in map(int, given.nodes.split(",")):
        with running(nodes, given.s3) as (fleet, database, s3):
            for verb in ("login", "stor"):
                load(fleet, verb, 10)
                time.sleep(SETTLE_SECONDS)
                before = Counted(fleet, database, s3)
                load(fleet, verb, given.count // CLIENTS)
                time.sleep(SETTLE_SECONDS)
                row = Counted(fleet, database, s3).since(before, given.count)
                row.append(f"{_connections(database) / nodes:.1f}")
                print(f"| {nodes} | {verb} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
