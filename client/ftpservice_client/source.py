"""What an upload reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ftpservice.flow.sendfile import CachedFile
from ftpservice_client.errors import Unsupported

__all__ = ["Source"]


class Source(ABC):
    """Bytes to be sent; opened once, read by one, closed by who opened it."""

    size: int | None = None
    """Bytes in all; None where only the end will tell."""
    is_restartable = True
    """Whether it can be read again from anywhere."""
    file: CachedFile | None = None
    """Set where the kernel can send it by itself."""

    async def open(self) -> None:
        """Begin; raises `LocalProblem`."""
        return

    @abstractmethod
    async def read(self, offset: int, size: int) -> bytes:
        """Return at most ``size`` bytes from ``offset`` on, none at the end."""

    async def digest(self, algorithm: str) -> str:  # noqa: ARG002 - for those who can
        """Return the digest of it all; raises `Unsupported`."""
        raise Unsupported("what cannot be read again has no digest")

    def close(self) -> None:
        """Let go; may be repeated."""
        return
