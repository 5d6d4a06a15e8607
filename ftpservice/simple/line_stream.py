"""Received lines and raw bytes, and answers, which are sent together where possible."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire.foreign_protocols import TLS_HANDSHAKE
from ftpservice.wire.simple import MAX_LINE_SIZE

__all__ = ["LineStream", "LineTooLong"]

MAX_UNSENT_BYTES = 64 * 1024
"""Bytes of answers that wait to be sent together."""
SEND_DELAY_SECONDS = 0.001
"""The longest time that answers wait while a command runs."""


class LineTooLong(Exception):
    """The received bytes have no line end within the maximum length, or are not lines."""


class LineStream:
    """The lines and answers of one connection; receives only while a reader waits.

    ``before_wait`` is awaited before the stream waits for a line; False ends the lines.
    """

    def __init__(
        self, connection: StreamConnection, before_wait: Callable[[], Awaitable[bool]]
    ) -> None:
        self.connection = connection
        self._before_wait = before_wait
        self._received = b""
        self._position = 0
        self._is_first = True
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._sending: IDelayedCall | None = None

    async def line(self) -> bytes | None:
        """Return the next line without its end; None at the end of the lines.

        Sends the answers before it waits. Raises `LineTooLong`, `TransferAborted`.
        """
        end = self._received.find(b"\n", self._position, self._position + MAX_LINE_SIZE)
        if end < 0:
            self._check_length()
            if not await self._before_wait():
                return None
            end = await self._receive_line()
            if end < 0:
                return None
        line, self._position = self._received[self._position : end], end + 1
        return line[:-1] if line.endswith(b"\r") else line

    def _check_length(self) -> None:
        if len(self._received) - self._position >= MAX_LINE_SIZE:
            raise LineTooLong("the line is too long")

    async def _receive_line(self) -> int:
        """Receive until a line is complete; returns where it ends, -1 at the end of the stream."""
        while True:
            await self.flush()
            try:
                data = await self.connection.read()
            except TransferStalled:
                continue  # the session's idle timeout handles it
            if not data:
                return -1
            if self._is_first and data.startswith(TLS_HANDSHAKE):
                raise LineTooLong("this port has no TLS")
            self._is_first = False
            self._received, self._position = self._received[self._position :] + data, 0
            end = self._received.find(b"\n", 0, MAX_LINE_SIZE)
            if end >= 0:
                return end
            self._check_length()

    async def read(self, most: int) -> bytes:
        """Return the next raw bytes, at least one.

        Raises `TransferAborted` at the end of the stream, `TransferStalled`.
        """
        data = self._received[self._position : self._position + most]
        if data:
            self._position += len(data)
            return data
        await self.flush()
        data = await self.connection.read(most)
        if not data:
            raise TransferAborted("the connection ended before the upload did")
        return data

    def take_buffered(self) -> bool:
        """Take what the connection has buffered; returns whether all of it has been read."""
        self._received = self._received[self._position :] + self.connection.take()
        self._position = 0
        return not self._received

    def has_bytes(self, size: int) -> bool:
        """Return whether this number of raw bytes has been received."""
        return len(self._received) - self._position >= size

    def take_bytes(self, size: int) -> bytes:
        """Return raw bytes that have been received (`has_bytes`)."""
        data = self._received[self._position : self._position + size]
        self._position += size
        return data

    def append(self, data: bytes) -> None:
        """Add to the answers to be sent."""
        self._unsent.append(data)
        self._unsent_bytes += len(data)

    async def send(self, data: bytes) -> None:
        """Send an answer, together with those that follow soon; waits if many are unsent."""
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            await self.flush()

    def flush_soon(self, clock: IReactorTime) -> None:
        """Send the answers in ``SEND_DELAY_SECONDS`` at the latest."""
        if self._unsent and self._sending is None:
            self._sending = clock.callLater(SEND_DELAY_SECONDS, self.try_flush)

    def try_flush(self) -> None:
        """Send the answers, if the connection accepts them without waiting."""
        self.cancel_flush()
        if self._unsent and self.connection.try_send(b"".join(self._unsent)):
            self._unsent.clear()
            self._unsent_bytes = 0

    def cancel_flush(self) -> None:
        """Cancel `flush_soon`."""
        sending, self._sending = self._sending, None
        if sending is not None and sending.active():
            sending.cancel()

    async def flush(self) -> None:
        """Send the answers; raises `TransferAborted`, `TransferStalled`."""
        if self._unsent:
            data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
            self._unsent.clear()
            self._unsent_bytes = 0
            await self.connection.write(data)
