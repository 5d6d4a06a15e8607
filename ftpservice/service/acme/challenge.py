"""What answers the challenges of an authority: a listener that knows the expected answers."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.protocol import ServerFactory

__all__ = ["CONNECTION_SECONDS", "MAX_CONNECTIONS", "BoundedFactory", "ChallengeResponder"]

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
