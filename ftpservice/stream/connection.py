"""A data connection: plain coroutines over Twisted's TCP transport, back-pressured both ways.

How a connection ends decides whether a transfer is whole, so each end is kept apart: a FIN is an
end in order (we keep our side open, as `IHalfCloseableProtocol`), everything else is a
`TransferAborted`. Under TLS an end in order is one that the peer has said (close_notify): anybody
can send a FIN.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.socket_state import bytes_acked, has_socket_error, silent_seconds, socket_of
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.stream.graceful_close import GracefulClose
from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.stream.receiver import Receiver
from ftpservice.stream.sender import Sender
from ftpservice.stream.sendfile import PageCachedFile
from ftpservice.stream.splice import RunExclusively
from ftpservice.stream.stall_timeout import StallTimeout

__all__ = ["StreamConnection", "TransferAborted", "TransferStalled"]


@implementer(IHalfCloseableProtocol)
class StreamConnection(Protocol):
    """One connection for one transfer; whoever has it ends it: ``finish``, ``dismiss``, ``abort``.

    One may read while another writes, but there is one reader and one writer.
    """

    lost = False
    """Whether the transport is gone."""
    chunk = CHUNK_SIZE
    """Bytes that are best written at a time."""
    accepts_truncated_tls = False
    """Whether a FIN is an end in order under TLS, too: who reads knows how much is to come."""
    when_lost: Callable[[str], object] | None = None
    """Told, once, that the transport is gone, and why."""

    def __init__(
        self,
        clock: IReactorTime,
        stall_timeout: float,
        made: Callable[[StreamConnection], object] | None = None,
    ) -> None:
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._made = made
        self._over = False

    def connectionMade(self) -> None:
        """Begin; nothing is received until somebody reads."""
        transport = self.transport
        if not getattr(transport, "has_socket_options", False) and ITCPTransport.providedBy(
            transport
        ):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        self._stream = stream = cast(StreamTransport, transport)
        clock, timeout = self._clock, self._stall_timeout
        self._inlet = Receiver(stream, StallTimeout(clock, timeout))
        self._outlet = Sender(stream, StallTimeout(clock, timeout, lambda: bytes_acked(stream)))
        self._farewell = GracefulClose(stream, self._inlet, self._outlet, clock)
        made, self._made = self._made, None  # who made us is known to us no longer: no ring
        if made is not None:
            made(self)

    @property
    def supports_file_transfer(self) -> bool:
        """Whether `send_file` and `receive_file` work: the transport is a socket's."""
        return isinstance(self._stream, Connection)

    @property
    def moved(self) -> int:
        """Bytes so far, both ways."""
        return self._inlet.received + self._outlet.sent

    def silent_seconds(self) -> float:
        """Return the time since the peer last sent something, as far as the kernel knows it."""
        return silent_seconds(self._stream)

    async def read(self, most: int | None = None) -> bytes:
        """Return what came, at least one byte and at most ``most``; empty at the peer's end.

        Raises `TransferAborted` when the connection broke, behind what came before;
        `TransferStalled` when nothing came for the stall timeout.
        """
        data = await self._inlet.read(most)
        if not data and not self.accepts_truncated_tls and self.is_truncated:
            raise TransferAborted(
                "TCP ended without TLS's close_notify; the transfer counts as cut"
            )
        return data

    @property
    def is_truncated(self) -> bool:
        """Whether TLS has not ended in order (so far)."""
        return isinstance(self._stream, TLSTransport) and not self._stream.received_close_notify

    @property
    def _is_broken(self) -> bool:
        stream = self._stream
        if isinstance(stream, TLSTransport):
            return not stream.received_close_notify and (
                stream.is_broken or has_socket_error(stream)
            )
        return has_socket_error(stream)

    def take(self) -> bytes:
        """Stop receiving, and return what came and was not read yet."""
        return self._inlet.take_buffered()

    async def write(self, data: bytes) -> None:
        """Send ``data`` and wait until more would be welcome.

        Raises `TransferAborted` once the connection broke; `TransferStalled` when the peer took
        nothing for the stall timeout (to a quarter of it).
        """
        await self._outlet.write(data)

    def gather(self) -> None:
        """Have what is sent from now on leave together with our end: one small file, no stream."""
        own = socket_of(self._stream)
        if own is not None:
            with suppress(OSError):  # a UNIX socket
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    def try_send(self, data: bytes) -> bool:
        """Send ``data`` if nobody would have to wait for that; tell whether it was so."""
        return not self._over and self._outlet.try_send(data)

    async def send_file(self, file: PageCachedFile, span: tuple[int, int]) -> int:
        """Send bytes ``span[0]`` up to ``span[1]`` of a file, in clear without reading them.

        Returns how many there were; raises `TransferAborted`, `TransferStalled`.
        """
        return await self._outlet.send_file(file, span)

    async def receive_file(self, exclusively: RunExclusively) -> int:
        """Have all that comes, to the peer's end, written to a file by a thread.

        Returns how many bytes there were; raises `TransferAborted`, `TransferStalled`, and what the
        file raises.
        """
        moved = await self._inlet.receive_file(exclusively)
        self.readConnectionLost()
        await self.read()  # raises what is wrong with that end
        return moved

    @property
    def supports_partial_receive(self) -> bool:
        """Whether `receive_part` works: the transport is a plain socket's."""
        return self.supports_file_transfer and not isinstance(self._stream, TLSTransport)

    async def receive_part(self, exclusively: RunExclusively, size: int) -> int:
        """Have the next ``size`` bytes written to a file by a thread; nothing may wait to be read.

        Returns how many bytes there were before the peer's FIN; raises `TransferAborted`,
        `TransferStalled`, and what the file raises.
        """
        moved = await self._inlet.receive_part(exclusively, size)
        if moved < size:
            self.readConnectionLost()
        return moved

    async def finish(self) -> None:
        """End our side and wait until the peer has everything.

        Raises `TransferAborted` when the connection breaks or stalls before. Afterwards the
        connection closes by itself, within a few seconds at most.
        """
        await self._farewell.flush_and_wait_acked(self._stall_timeout)
        self._over = True
        self._farewell.linger()

    def abort(self) -> None:
        """Break the connection (RST); does nothing once it was finished or dismissed."""
        if not self._over:
            self._over = True
            self._stream.abortConnection()

    def close_gracefully(self) -> None:
        """End a connection of no more use (FIN, no RST); it closes within a few seconds."""
        if not self._over and not self.lost:
            self._over = True
            self._farewell.linger()

    def dataReceived(self, data: bytes) -> None:
        """Keep what came."""
        self._inlet.take(data)

    def readConnectionLost(self) -> None:
        """Learn of the peer's end, or of an RST that the reactor took for one."""
        if self._is_broken and not self._farewell.on_reset():
            self._break("the peer broke the connection")
            self._stream.abortConnection()
        else:
            self._inlet.end()
            self._farewell.on_peer_closed()

    def writeConnectionLost(self) -> None:
        """Learn that our FIN is on its way."""
        self._outlet.end()
        self._farewell.proceed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever reads or writes; after an orderly end nobody does."""
        self.lost = True
        aborted = isinstance(reason.value, ConnectionAborted)
        self._break("aborted" if aborted else "the connection broke")
        told, self.when_lost = self.when_lost, None
        if told is not None:
            told(reason.getErrorMessage())

    def _break(self, reason: str) -> None:
        self._inlet.fail(reason)
        self._outlet.fail(reason)
        self._farewell.stop()
