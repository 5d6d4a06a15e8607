"""What a download writes to."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ftpservice.flow.splice import Exclusively
from ftpservice_client.errors import Unsupported

__all__ = ["OVERLAP", "Target"]

OVERLAP = 4096
"""Bytes before the place where a download goes on that are compared with what comes."""


class Target(ABC):
    """Where received bytes go, one piece behind the other."""

    written = 0
    """Bytes that are there, those of an earlier download that is gone on with included."""
    is_restartable = False
    """Whether it can begin again."""

    modified: float | None = None
    """When what is gone on with was last written to; None for what begins."""

    @property
    def exclusively(self) -> Exclusively | None:
        """What threads may receive into a file with by themselves, where they may."""
        return None

    async def open(self) -> None:
        """Begin; raises `LocalProblem`."""
        return

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Add a piece; raises `LocalProblem`."""

    async def tail(self) -> bytes:
        """Return the last `OVERLAP` bytes that are there, or as many of them as are known."""
        return b""

    async def shorten(self, size: int) -> None:  # noqa: ARG002 - for those who can
        """Forget what is there beyond ``size`` bytes; raises `Unsupported`."""
        raise Unsupported("what was passed on cannot be taken back")

    async def restart(self) -> None:
        """Forget what is there."""
        raise Unsupported("what was passed on cannot be taken back")

    async def digest(self, algorithm: str) -> str:  # noqa: ARG002 - for those who can
        """Return the digest of what is there; raises `Unsupported`."""
        raise Unsupported("what was passed on has no digest")

    async def commit(self) -> bytes | None:
        """Be whole; returns the bytes if this is where they are."""
        return None

    def abandon(self) -> None:
        """Let go of what did not become whole; may be repeated."""
        return
