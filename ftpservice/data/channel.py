"""What a transfer gets its data connection from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ftpservice.stream.connection import DataConnection

__all__ = ["CannotConnect", "Channel"]


class CannotConnect(Exception):
    """There is no data connection to be had; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Channel(ABC):
    """One data connection to come; whoever has the channel closes it."""

    problem = ""
    """Why it is of no use any more, for a person."""

    def checked(self) -> Channel:
        """Return itself; raises `CannotConnect` with the problem where there is one."""
        if self.problem:
            raise CannotConnect(self.problem)
        return self

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the data connection is there and `connection` will not wait."""

    @property
    def fits(self) -> bool:
        """Whether it has, or will have, the TLS that data connections are to have now (PROT)."""
        return True

    @abstractmethod
    async def connection(self) -> DataConnection:
        """Wait for the data connection; to be called once, and it is the caller's from then on.

        Raises `CannotConnect`, at the latest after the data timeout.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop listening or connecting; a connection that nobody took ends with a FIN."""
