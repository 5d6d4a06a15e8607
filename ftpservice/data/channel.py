"""What a transfer gets its data connection from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ftpservice.stream.connection import StreamConnection

__all__ = ["CannotOpenDataConnection", "DataChannel"]


class CannotOpenDataConnection(Exception):
    """There is no data connection to be had; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DataChannel(ABC):
    """One data connection to come; whoever has the channel closes it."""

    problem = ""
    """Why it is of no use any more, for a person."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the data connection is there and `connection` will not wait."""

    @property
    def matches_protection(self) -> bool:
        """Whether it has, or will have, the TLS that data connections are to have now (PROT)."""
        return True

    @abstractmethod
    async def connection(self) -> StreamConnection:
        """Wait for the data connection; to be called once, and it is the caller's from then on.

        Raises `CannotOpenDataConnection`, at the latest after the data timeout.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop listening or connecting; a connection that nobody took ends with a FIN."""
