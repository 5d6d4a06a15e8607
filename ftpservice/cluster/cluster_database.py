"""The connections of a node to the database of its cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.cluster.cluster_calls import ClusterCalls
from ftpservice.cluster.cluster_connection import ClusterConnection
from ftpservice.cluster.cluster_listener import ClusterListener

__all__ = ["ClusterDatabase"]


class ClusterDatabase:
    """Makes connections, each with a thread of its own; none is opened before it is used."""

    def __init__(self, url: DatabaseURL, reactor: Any) -> None:
        self._url = url
        self.reactor = reactor
        self.place = ClusterConnection(url).place
        """The database for messages, without a password."""

    def calls(self, name: str, seconds: float) -> ClusterCalls:
        """Return a connection for calls, each with a time limit."""
        return ClusterCalls(ClusterConnection(self._url), self.reactor, name, seconds)

    def listener(
        self, received: Callable[[dict[str, Any]], object], connected: Callable[[], object]
    ) -> ClusterListener:
        """Return a connection that waits for messages."""
        return ClusterListener(ClusterConnection(self._url), self.reactor, received, connected)
