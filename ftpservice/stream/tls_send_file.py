"""Send a range of a file under TLS: one thread reads and encrypts.

OpenSSL has to encrypt the bytes, so they pass through this process. A thread reads them into a
reused buffer and writes them from there while the socket takes more; meanwhile the reactor is free,
and other transfers use other processors. A turn ends when the socket took nothing for a moment, or
after many bytes, so a slow peer occupies no thread.

``TCP_CORK`` is set because a TLS record is a quarter of what the kernel sends at a time.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from contextlib import suppress
from typing import Any

from ftpservice.net.tls.record_io import send
from ftpservice.net.tls.socket_lease import LeaseEnded, SocketLease
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.sendfile import PageCachedFile
from ftpservice.stream.splice import MAX_BYTES_PER_TURN, POLL_MS, TurnResult
from ftpservice.stream.stall_timeout import StallTimeout

__all__ = ["TLSFileSender"]

READ_SIZE = 64 * 1024
"""Bytes that are read and sent at a time; few enough for the processor's cache."""


class TLSFileSender:
    """The sending of one range; ``transport`` is a TLS transport with an empty buffer."""

    def __init__(self, transport: Any, file: PageCachedFile, span: tuple[int, int]) -> None:
        self.offset, self._end = span
        """Position in the file; a turn keeps counting after its caller was cancelled."""
        self._transport = transport
        self._file = file
        self._buffer = memoryview(bytearray(min(READ_SIZE, max(0, span[1] - span[0]))))
        self._unsent = self._buffer[:0]
        self._patience: StallTimeout | None = None
        self._writable = self._lost = False
        self._reads = False

    async def run(self, patience: StallTimeout) -> None:
        """Send the range, or as much of it as the file has.

        Raises `TransferAborted`, `TransferStalled`, and what reading the file raises.
        """
        self._patience = patience
        transport = self._transport
        self._loan: SocketLease = transport.lend()
        transport.doRead, transport.doWrite = self._may_read, self._may_write
        self._cork(True)
        try:
            while self.offset < self._end:
                state = await self._file.with_descriptor(self._turn)
                if state is TurnResult.BROKEN or self._lost:
                    raise TransferAborted("the connection broke")
                if state is TurnResult.WAITING:
                    await self._wait()
        finally:
            self._give_back()

    def stop(self) -> None:
        """Handle the loss of the connection."""
        self._lost = True
        if self._patience is not None:
            self._patience.wake_waiter()

    async def _wait(self) -> None:
        self._writable = False
        self._transport.startWriting()
        assert self._patience is not None
        while not self._writable and not self._lost:
            await self._patience.wait_for_progress()

    def _may_write(self) -> None:
        """Wake the waiter; called by the reactor when the socket is writable."""
        self._transport.stopWriting()
        self._writable = True
        if self._patience is not None:
            self._patience.wake_waiter()

    def _may_read(self) -> None:
        """Read later: a thread may be using the connection."""
        self._transport.stopReading()
        self._reads = True

    def _turn(self, file: int) -> TurnResult:
        """Send some of a file, in a thread; raises `OSError` of the file."""
        try:
            return self._loan.turn(lambda own: self._move(file, own))
        except LeaseEnded:
            return TurnResult.BROKEN

    def _move(self, file: int, own: ssl.SSLSocket) -> TurnResult:
        last = min(self._end, self.offset + MAX_BYTES_PER_TURN)
        while self.offset < last:
            if not self._unsent and not self._read(file):
                self._end = self.offset  # the file has become shorter
                break
            try:
                sent = send(own, self._unsent)
            except OSError:
                return TurnResult.BROKEN
            if sent:
                self.offset += sent
                self._unsent = self._buffer[:0]
            elif not _has_room(own):
                return TurnResult.WAITING
        return TurnResult.MORE

    def _read(self, file: int) -> bool:
        """Read the next piece; return whether there is one."""
        wanted = self._buffer[: self._end - self.offset]
        self._unsent = self._buffer[: os.preadv(file, [wanted], self.offset)]
        return len(self._unsent) > 0

    def _cork(self, corked: bool) -> None:
        with suppress(OSError):  # a UNIX socket
            self._transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, corked)

    def _give_back(self) -> None:
        """Return the socket to the transport."""
        self._loan.revoke()
        transport = self._transport
        del transport.doRead, transport.doWrite
        if transport.connected:
            transport.stopWriting()
            self._cork(False)
            if self._reads:
                transport.startReading()


def _has_room(own: ssl.SSLSocket) -> bool:
    poll = select.poll()
    poll.register(own.fileno(), select.POLLOUT)
    return bool(poll.poll(POLL_MS))
