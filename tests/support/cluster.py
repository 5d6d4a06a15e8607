"""The database of a cluster, and nodes of it in the process of a test, with real sockets."""

from __future__ import annotations

import ftplib
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.threads import deferToThread

from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.accounts.sql.migration import upgrade
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.cluster.cluster_connection import ClusterConnection
from ftpservice.cluster.cluster_database import ClusterDatabase
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.cluster_schema import CLUSTER_SCHEMA
from ftpservice.cluster.cluster_statements import NodeFacts, NodeState
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.control.factory import FTPFactory
from ftpservice.session.settings import SessionSettings
from ftpservice.session.shared.shared_state import LocalState
from ftpservice.storage.rights import PRESETS
from tests.support.ftp_dialogue import DialogueChecker, DialogueRealm
from tests.support.postgresql import PostgreSQL

__all__ = ["Fleet", "PeerNode", "cluster_connection", "cluster_url", "until"]

PATIENCE = 30.0


def cluster_url(server: PostgreSQL, *, has_password: bool = True) -> str:
    """Return the URL of a new database that has the schema of a cluster."""
    database = server.new_database()
    text = server.url(database)
    upgrade(Database(cluster_database_url(text), 30.0, schema=CLUSTER_SCHEMA))
    return text if has_password else server.url(database, None)


def cluster_connection(text: str) -> ClusterConnection:
    """Return a connection to a cluster."""
    url: DatabaseURL = cluster_database_url(text)
    return ClusterConnection(url)


class PeerNode:
    """A node with the users ann and ben that listens on a real port."""

    def __init__(
        self, text: str, reactor: Any, settings: SessionSettings, seconds: float = 6.0
    ) -> None:
        self.facts = NodeFacts(secrets.token_hex(4), f"node-{secrets.token_hex(2)}", "1")
        database = ClusterDatabase(cluster_database_url(text), reactor)
        self.cluster = ClusterNode(database, self.facts, seconds)
        state = LocalState(reactor)
        state.session_limits = self.cluster.limits
        realm = DialogueRealm(PRESETS["full"], MemoryStorage())
        portal = Portal(realm, [DialogueChecker({b"ann": b"secret", b"ben": b"hidden"})])
        self.factory = FTPFactory(portal, reactor, settings, state)
        self.cluster.state = lambda: NodeState(len(self.factory.sessions))
        self._port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.port = int(self._port.getHost().port)
        self.cluster.startService()

    async def stop(self) -> None:
        """End the sessions, and leave the cluster."""
        await maybeDeferred(self._port.stopListening)
        self.factory.abort_all()
        await Deferred.fromCoroutine(self.cluster.close())
        await self.factory.release_resources()


def log_in(port: int, user: str = "ann", password: str = "secret") -> ftplib.FTP | None:
    """Return a session that has logged in (blocks); None if it was refused with 421."""
    client = ftplib.FTP()
    try:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login(user, password)
    except (ftplib.error_temp, EOFError, ConnectionResetError) as refusal:
        assert not isinstance(refusal, ftplib.error_temp) or str(refusal).startswith("421")
        with suppress(OSError):
            client.close()
        return None
    return client


class Fleet:
    """Nodes of one cluster, and the clients of a test."""

    def __init__(self, text: str, reactor: Any, settings: SessionSettings, count: int = 3) -> None:
        self.nodes = [PeerNode(text, reactor, settings) for _ in range(count)]
        self._clients: list[ftplib.FTP] = []

    async def joined(self) -> None:
        """Wait until each node knows of all others."""
        count = len(self.nodes)
        await until(lambda: all(node.cluster.status.nodes == count for node in self.nodes))

    async def race(self, clients: int, *nodes: int) -> list[ftplib.FTP]:
        """Log in at nodes (all by default) at once; return the sessions that have begun."""
        chosen = [self.nodes[index] for index in nodes] or self.nodes
        asked = [deferToThread(log_in, chosen[one % len(chosen)].port) for one in range(clients)]
        begun = [found for found in await gatherResults(asked) if found is not None]
        self._clients += begun
        return begun

    async def close(self) -> None:
        """Stop everything."""
        for client in self._clients:
            client.close()
        await gatherResults([Deferred.fromCoroutine(node.stop()) for node in self.nodes])


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition, which may block, holds."""
    ends = time.monotonic() + seconds
    while not await deferToThread(condition):
        assert time.monotonic() < ends, "it never became true"
