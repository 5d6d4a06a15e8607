"""Move bytes in chunks between a connection and a function that reads or writes a file.

All counts are bytes of the file; the connection counts its own bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["CHUNK_SIZE", "PumpSource", "PumpTarget", "pump_from_connection", "pump_to_connection"]

CHUNK_SIZE = 256 * 1024
"""Maximum number of bytes requested from a reader at a time; two chunks are in memory."""


class PumpSource(Protocol):
    """The source of a download into a file: a connection."""

    async def read(self) -> bytes:
        """Return received bytes; empty at the peer's FIN."""


class PumpTarget(Protocol):
    """The destination of a file that is sent: a connection."""

    @property
    def chunk(self) -> int:
        """Number of bytes per write that suits the connection."""

    async def write(self, data: bytes) -> None:
        """Send, and wait while the buffer is full."""


async def pump_to_connection(
    read: Callable[[int, int], Awaitable[bytes]],
    connection: PumpTarget,
    offset: int,
    end: int | None,
) -> int:
    """Send from ``offset`` to ``end``, or until ``read(offset, size)`` returns nothing.

    The next chunk is read while one is sent. Raises `TransferAborted`, and what ``read`` raises.
    """
    start = offset

    def begin() -> Deferred[bytes]:
        most = connection.chunk
        size = most if end is None else min(most, end - offset)
        return Deferred.fromCoroutine(_chunk(read, offset, size))

    ahead = begin()
    try:
        while data := await ahead:
            offset += len(data)
            ahead = begin()
            await connection.write(data)
    finally:
        ahead.addErrback(_ignored)
        ahead.cancel()
    return offset - start


def _ignored(_failure: Failure) -> None:
    """Drop the error of a read-ahead whose transfer has ended: its bytes are not needed."""


async def _chunk(read: Callable[[int, int], Awaitable[bytes]], offset: int, size: int) -> bytes:
    return await read(offset, size) if size > 0 else b""


async def pump_from_connection(
    connection: PumpSource, write: Callable[[bytes], Awaitable[None]]
) -> int:
    """Receive until the peer's FIN; the next piece is received while one is written.

    Raises `TransferAborted`, and what ``write`` raises.
    """
    moved = 0
    while data := await connection.read():
        await write(data)
        moved += len(data)
    return moved
