"""What answers the challenges of an authority: a listener that knows the expected answers."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.protocol import ServerFactory

__all__ = [
    "ACME_PROTOCOL",
    "CONNECTION_SECONDS",
    "HTTP_PATH",
    "MAX_CONNECTIONS",
    "NOT_FOUND_TEXT",
    "BoundedFactory",
    "ChallengeResponder",
]

HTTP_PATH = "/.well-known/acme-challenge/"
"""Where the files of http-01 are (RFC 8555 §8.3)."""

NOT_FOUND_TEXT = b"ftpservice: no such challenge is in progress\n"
"""What http-01 answers to other requests; ``ftpservice doctor`` recognizes the service by it."""
ACME_PROTOCOL = "acme-tls/1"
"""The protocol of tls-alpn-01 (RFC 8737)."""
MAX_CONNECTIONS = 100
"""One more, and the oldest is closed: those of the authority are short."""
CONNECTION_SECONDS = 20.0
"""The longest duration of a connection."""


class ChallengeResponder(Protocol):
    """Answers challenges of one type."""

    challenge_type: str
    """As in the authorizations of an authority: ``http-01``."""

    @property
    def factory(self) -> BoundedFactory:
        """Makes the protocols of the listener."""

    def provide(self, name: str, token: str, key_authorization: str) -> None:
        """Answer a challenge for a name from now on."""

    def withdraw(self, name: str, token: str) -> None:
        """Answer it no more."""


class Abortable(Protocol):
    """A connection of a `BoundedFactory`."""

    def abort(self) -> None:
        """End the connection at once."""


class BoundedFactory(ServerFactory):
    """Keeps the number of connections below `MAX_CONNECTIONS`."""

    noisy = False

    def __init__(self) -> None:
        self._connections: dict[Abortable, None] = {}

    def add(self, connection: Abortable) -> None:
        """Count a connection; the oldest one is ended if there are too many."""
        self._connections[connection] = None
        if len(self._connections) > MAX_CONNECTIONS:
            next(iter(self._connections)).abort()

    def remove(self, connection: Abortable) -> None:
        """Count a connection no more."""
        self._connections.pop(connection, None)

    def end_connections(self) -> None:
        """End all connections at once."""
        for connection in list(self._connections):
            connection.abort()
