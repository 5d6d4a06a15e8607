"""The generic movers: chunk by chunk, between a connection and any function that reads or writes.

All counts are of bytes of the file; the connection counts what it moves itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["CHUNK_SIZE", "PumpSource", "PumpTarget", "pump_from_connection", "pump_to_connection"]

log = Logger("ftpservice")

CHUNK_SIZE = 256 * 1024
"""Bytes asked of a reader at a time, at most; two chunks are in memory."""


class PumpSource(Protocol):
    """What a pump receives from: a connection."""

    async def read(self) -> bytes:
        """Return what came; empty at the peer's FIN."""


class PumpTarget(Protocol):
    """What a pump sends to: a connection."""

    @property
    def chunk(self) -> int:
        """The bytes that it likes to be given at a time."""

    async def write(self, data: bytes) -> None:
        """Send, and wait until more would be welcome."""


async def pump_to_connection(
    read: Callable[[int, int], Awaitable[bytes]],
    connection: PumpTarget,
    offset: int,
    end: int | None,
) -> int:
    """Send from ``offset`` to ``end``, or to where ``read(offset, size)`` returns nothing.

    The next chunk is read while one is sent. Raises `Cut`, and what ``read`` raises.
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
        ahead.addErrback(_failed_ahead)
        ahead.cancel()
    return offset - start


def _failed_ahead(failure: Failure) -> None:
    """Log a read-ahead that failed after the transfer had ended: no caller receives the error."""
    if not failure.check(CancelledError):
        log.failure("reading ahead failed", failure)


async def _chunk(read: Callable[[int, int], Awaitable[bytes]], offset: int, size: int) -> bytes:
    return await read(offset, size) if size > 0 else b""


async def pump_from_connection(
    connection: PumpSource, write: Callable[[bytes], Awaitable[None]]
) -> int:
    """Receive to the peer's FIN; while one piece is written, what comes becomes the next.

    Raises `Cut`, and what ``write`` raises.
    """
    moved = 0
    while data := await connection.read():
        await write(data)
        moved += len(data)
    return moved
