"""A connection that keeps to limits of speed."""

from __future__ import annotations

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.rate_limit import RateLimiters

__all__ = ["RateLimitedStream"]


class RateLimitedStream:
    """Reads from a connection and writes to it; ends nothing, and never by the kernel alone.

    What is written waits before it is sent. What was read waits before it is returned, and
    meanwhile hardly more is received: so the peer is held back by TCP itself.
    """

    def __init__(self, connection: StreamConnection, throttles: RateLimiters) -> None:
        self._connection = connection
        self._throttles = throttles

    @property
    def chunk(self) -> int:
        """Bytes to move at a time."""
        return self._throttles.chunk

    async def read(self) -> bytes:
        """Return what came when its time has come; empty at the peer's FIN. Raises `Cut`."""
        data = await self._connection.read(self.chunk)
        if data:
            await self._throttles.take(len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data`` bit by bit, and wait until more would be welcome; raises `Cut`."""
        sent = 0
        while sent < len(data):
            piece = data[sent : sent + self.chunk]
            await self._throttles.take(len(piece))
            await self._connection.write(piece)
            sent += len(piece)
