"""A connection with rate limits."""

from __future__ import annotations

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.rate_limit import RateLimiters

__all__ = ["RateLimitedStream"]


class RateLimitedStream:
    """Reads from a connection and writes to it within rate limits; does not end it.

    Written bytes wait before they are sent. Read bytes wait before they are returned; meanwhile
    little more is received, so TCP's flow control slows the peer down.
    """

    def __init__(self, connection: StreamConnection, throttles: RateLimiters) -> None:
        self._connection = connection
        self._throttles = throttles

    @property
    def chunk(self) -> int:
        """Number of bytes to move at a time."""
        return self._throttles.chunk

    async def read(self) -> bytes:
        """Return received bytes when the limits allow it.

        Empty at the peer's FIN. Raises `TransferAborted`.
        """
        data = await self._connection.read(self.chunk)
        if data:
            await self._throttles.take(len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data`` in parts, and wait while the buffer is full; raises `TransferAborted`."""
        sent = 0
        while sent < len(data):
            piece = data[sent : sent + self.chunk]
            await self._throttles.take(len(piece))
            await self._connection.write(piece)
            sent += len(piece)
