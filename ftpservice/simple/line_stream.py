"""What a client sends, as lines and raw bytes; what it is answered, some answers together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire.foreign_protocols import begins_tls
from ftpservice.wire.simple import MAX_LINE_SIZE

__all__ = ["LineStream", "LineTooLong"]

MAX_UNSENT_BYTES = 64 * 1024
"""Bytes of answers that wait for others to leave with them."""
FLUSH_DELAY_SECONDS = 0.001
"""Seconds that they wait while a command takes its time."""


class LineTooLong(Exception):
    """What comes is no line, or does not end where lines end at the latest."""


class LineStream:
    """One connection; nothing is received while nobody wants it, but for some read-ahead."""

    def __init__(
        self, connection: StreamConnection, waiting: Callable[[], Awaitable[bool]]
    ) -> None:
        """``waiting`` is awaited before a line is waited for, and tells whether to do that."""
        self.connection = connection
        self._waiting = waiting
        self._received = b""
        self._at = 0
        self._has_begun = False
        self._unsent: list[bytes] = []
        self._size_unsent = 0
        self._due: IDelayedCall | None = None

    async def line(self) -> bytes | None:
        """Return the next line without its end; None when no whole one is to come any more.

        Before it waits, it sends the answers. Raises `LineTooLong`, `TransferAborted`.
        """
        end = self._end_of_line()
        if end < 0 and not await self._waiting():
            return None
        while end < 0:
            await self.flush()
            more = await self._more()
            if not more:
                return None
            if not self._has_begun and begins_tls(more):
                raise LineTooLong("this port has no TLS")
            self._has_begun = True
            self._received, self._at = self._received[self._at :] + more, 0
            end = self._end_of_line()
        line, self._at = self._received[self._at : end], end + 1
        return line[:-1] if line.endswith(b"\r") else line

    def _end_of_line(self) -> int:
        """Return where the next line ends; negative if that has not come."""
        end = self._received.find(b"\n", self._at, self._at + MAX_LINE_SIZE)
        if end < 0 and len(self._received) - self._at >= MAX_LINE_SIZE:
            raise LineTooLong("the line is too long")
        return end

    async def _more(self) -> bytes:
        """Receive; that nothing comes for long is for others to notice."""
        while True:
            try:
                return await self.connection.read()
            except TransferStalled:
                continue

    async def read_some(self, most: int) -> bytes:
        """Return the next raw bytes, at least one.

        Raises `TransferAborted` at the end, `TransferStalled`.
        """
        data = self._received[self._at : self._at + most]
        if data:
            self._at += len(data)
            return data
        await self.flush()
        data = await self.connection.read(most)
        if not data:
            raise TransferAborted("the connection ended before the upload did")
        return data

    def hold(self) -> bool:
        """Receive no more for now; tell whether everything that was received was taken."""
        self._received, self._at = self._received[self._at :] + self.connection.take(), 0
        return not self._received

    def has_bytes(self, size: int) -> bool:
        """Tell whether so many raw bytes are here."""
        return len(self._received) - self._at >= size

    def taken(self, size: int) -> bytes:
        """Return raw bytes that are here."""
        data = self._received[self._at : self._at + size]
        self._at += size
        return data

    def put(self, data: bytes) -> None:
        """Keep an answer to be sent."""
        self._unsent.append(data)
        self._size_unsent += len(data)

    async def say(self, data: bytes) -> None:
        """Answer, now or together with what follows soon."""
        self.put(data)
        if self._size_unsent > MAX_UNSENT_BYTES:
            await self.flush()

    def flush_soon(self, clock: IReactorTime) -> None:
        """Send the answers that wait, with those that come within a moment."""
        if self._unsent and self._due is None:
            self._due = clock.callLater(FLUSH_DELAY_SECONDS, self.try_send)

    def try_send(self) -> None:
        """Send the answers that wait, if nobody would have to wait for that."""
        self.stop()
        if self._unsent and self.connection.try_send(b"".join(self._unsent)):
            self._unsent.clear()
            self._size_unsent = 0

    def stop(self) -> None:
        """Send nothing by itself any more."""
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()

    async def flush(self) -> None:
        """Send the answers that wait; raises `TransferAborted`, `TransferStalled`."""
        if self._unsent:
            data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
            self._unsent.clear()
            self._size_unsent = 0
            await self.connection.write(data)
