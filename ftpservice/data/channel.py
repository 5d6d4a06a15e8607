"""The interface through which a transfer obtains its data connection."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ftpservice.stream.connection import StreamConnection

__all__ = ["CannotOpenDataConnection", "DataChannel"]

CLOSED_TEXT = "the channel is closed"


class CannotOpenDataConnection(Exception):
    """There is no data connection; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DataChannel(ABC):
    """One data connection to come; its owner closes it."""

    problem = ""
    """Why it cannot be used any more, for a person."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the data connection is there, so that `connection` will not wait."""

    @property
    def matches_protection(self) -> bool:
        """Whether it has, or will have, the TLS that PROT asks for now."""
        return True

    @abstractmethod
    async def connection(self) -> StreamConnection:
        """Wait for the data connection, which is then the caller's; to be called once.

        The channel is closed afterwards, whatever happens. Raises `CannotOpenDataConnection`, at
        the latest after the data timeout.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop listening or connecting; a connection that was not obtained ends with a FIN."""
