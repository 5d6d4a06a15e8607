"""A TCP or TLS connection that carries one transfer: coroutines over a Twisted transport.

Both directions have back-pressure. How a connection ends decides whether a transfer is complete, so
the kinds of end are kept apart. A FIN is an orderly end, after which our side stays open
(`IHalfCloseableProtocol`); everything else is a `TransferAborted`. Under TLS an orderly end takes
the peer's close_notify: an attacker on the path can forge a FIN.

Until the transfer can begin the connection is a `PendingStream`.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.socket_state import has_socket_error, silent_seconds, socket_of
from ftpservice.net.tcp import OnDemandTransport
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.stream.forward import ForwardSource
from ftpservice.stream.graceful_close import GracefulClose
from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.stream.receiver import Receiver
from ftpservice.stream.sender import Sender
from ftpservice.stream.sendfile import PageCachedFile
from ftpservice.stream.splice import RunWithDescriptor

__all__ = [
    "SMALL_FILE_SIZE",
    "PendingStream",
    "StreamConnection",
    "TransferAborted",
    "TransferStalled",
    "read_then_splice",
]

SMALL_FILE_SIZE = 64 * 1024
"""Bytes up to which a file is moved by reading and writing, which takes the fewest calls."""


@implementer(IHalfCloseableProtocol)
class StreamConnection(Protocol):
    """One connection for one transfer; its user ends it: `finish`, `close_gracefully` or `abort`.

    One reader and one writer may wait at the same time.
    """

    lost = False
    """Whether the transport is gone."""
    chunk = CHUNK_SIZE
    """Bytes per write that suit the connection."""
    accepts_truncated_tls = False
    """Whether a FIN without close_notify is an orderly end: the reader knows the size."""
    supports_file_transfer = False
    """Whether `send_file` and `receive_file` work: the transport has a socket."""
    has_plaintext_socket = False
    """Whether `send_file` takes a `ForwardSource`, and `receive_file` a size."""
    when_lost: Callable[[str], object] | None = None
    """Called once, with the reason, when the transport is gone."""
    _over = False
    _closing: GracefulClose | None = None
    _tls: TLSTransport | None = None

    def __init__(
        self,
        clock: IReactorTime,
        stall_timeout: float,
        made: Callable[[StreamConnection], object] | None = None,
    ) -> None:
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._made = made

    def connectionMade(self) -> None:
        """Set the connection up; nothing is received before the first read."""
        transport = self.transport
        if not getattr(transport, "has_socket_options", False) and ITCPTransport.providedBy(
            transport
        ):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        self._stream: StreamTransport = transport  # type: ignore[assignment]  # all have it
        if isinstance(transport, TLSTransport):
            self._tls = transport
        self.supports_file_transfer = isinstance(transport, Connection)
        self.has_plaintext_socket = self.supports_file_transfer and self._tls is None
        clock, timeout = self._clock, self._stall_timeout
        self._receiver = receiver = Receiver(self._stream, clock, timeout)
        self._sender = sender = Sender(self._stream, clock, timeout)
        # Forwarding would cost a call for each chunk.
        self.dataReceived = receiver.take  # type: ignore[method-assign]
        self.last_data_received = receiver.take_last
        self.write = sender.write  # type: ignore[method-assign]
        if self._tls is None:
            self.read = receiver.read  # type: ignore[method-assign]
        made, self._made = self._made, None  # no reference cycle with the owner
        if made is not None:
            made(self)

    @property
    def moved(self) -> int:
        """Bytes so far, both ways."""
        receiver, sender = self._receiver, self._sender
        if receiver.moving is None and sender.moving is None:
            return receiver.received_bytes + sender.sent_bytes
        return receiver.received + sender.sent

    def silent_seconds(self) -> float:
        """Return the time since the peer last sent something, as far as the kernel knows it."""
        return silent_seconds(self._stream)

    async def read(self, most: int | None = None) -> bytes:
        """Return received bytes, at least one and at most ``most``; empty at the peer's end.

        Raises `TransferAborted` when the connection broke, after the bytes that came before, and
        `TransferStalled` when nothing arrived for the stall timeout.
        """
        data = await self._receiver.read(most)
        if not data and not self.accepts_truncated_tls and self.is_truncated:
            raise TransferAborted(
                "TCP ended without TLS's close_notify; the transfer counts as aborted"
            )
        return data

    @property
    def is_truncated(self) -> bool:
        """Whether the TLS stream has not ended with close_notify (so far)."""
        return self._tls is not None and not self._tls.received_close_notify

    def take(self) -> bytes:
        """Stop receiving; return the bytes that were received and not read."""
        return self._receiver.take_buffered()

    async def write(self, data: bytes) -> None:
        """Send ``data``, and wait while the transport's buffer is full.

        Raises `TransferAborted` once the connection broke, `TransferStalled` when the peer accepted
        nothing for the stall timeout (noticed up to a quarter of it late).
        """
        await self._sender.write(data)

    def gather(self) -> None:
        """Hold sent bytes back (``TCP_CORK``) until the FIN goes with them: for one small file."""
        own = socket_of(self._stream)
        if own is not None:
            try:  # noqa: SIM105 - this is done for every small file; `suppress` is three calls more
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            except OSError:
                pass  # a UNIX socket

    def try_send(self, data: bytes) -> bool:
        """Send ``data`` if that takes no waiting; returns whether it was sent."""
        return not self._over and self._sender.try_send(data)

    async def send_file(self, file: PageCachedFile | ForwardSource, span: tuple[int, int]) -> int:
        """Send the bytes ``span[0]`` to ``span[1]`` of a file; without TLS they are not read here.

        Of what another socket receives, so many bytes; that takes a plaintext socket.
        Returns how many there were. Raises `TransferAborted`, `TransferStalled`.
        """
        return await self._sender.send_file(file, span)

    async def receive_file(
        self, with_descriptor: RunWithDescriptor, size: int | None = None
    ) -> int:
        """Write received bytes to a file, in a thread: until the peer's end, or ``size`` of them.

        Nothing may be left to `read`; ``size`` takes `has_plaintext_socket`. Returns the number
        of bytes, with ``size`` fewer if the peer ended before. Raises `TransferAborted`,
        `TransferStalled`, and what writing the file raises.
        """
        moved = await self._receiver.receive_file(with_descriptor, size)
        if size is None:
            self.readConnectionLost()
            await self.read()  # raises if that was no orderly end
        elif moved < size:
            self.readConnectionLost()
        return moved

    async def finish(self) -> None:
        """Half-close and wait until the peer has acknowledged everything.

        Afterwards the connection closes by itself, within a few seconds. Raises `TransferAborted`
        if it breaks or stalls before that.
        """
        self._closing = closing = self._closing or GracefulClose(
            self._stream, self._receiver, self._sender, self._clock
        )
        await closing.flush_and_wait_acked(self._stall_timeout)
        self._over = True
        closing.linger()

    def abort(self) -> None:
        """Break the connection (RST), unless it was finished or closed gracefully before."""
        if not self._over:
            self._over = True
            self._stream.abortConnection()

    def close_gracefully(self) -> None:
        """End a connection that is no longer needed (FIN, no RST); it closes within seconds."""
        if self._over or self.lost:
            return
        self._over = True
        stream = self._stream
        ended = self._tls is None and self._receiver.ended
        if ended and isinstance(stream, OnDemandTransport) and stream.close_after_peer():
            return
        self._closing = closing = self._closing or GracefulClose(
            stream, self._receiver, self._sender, self._clock
        )
        closing.linger()

    def readConnectionLost(self) -> None:
        """Handle the peer's FIN, or an RST that the reactor took for one."""
        closing, tls = self._closing, self._tls
        if tls is not None:
            broken = not tls.received_close_notify and (tls.is_broken or has_socket_error(tls))
        else:
            stream = self._stream
            has_read_fin = isinstance(stream, OnDemandTransport) and stream.has_read_fin
            broken = not has_read_fin and has_socket_error(stream)
        if broken and (closing is None or not closing.on_reset()):
            self._break("the peer broke the connection")
            self._stream.abortConnection()
        else:
            self._receiver.end()
            if closing is not None:
                closing.on_peer_closed()

    def writeConnectionLost(self) -> None:
        """Record that our FIN was given to the kernel."""
        self._sender.end()
        if self._closing is not None:
            self._closing.proceed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail the pending read and write; after an orderly end there are none."""
        self.lost = True
        aborted = isinstance(reason.value, ConnectionAborted)
        self._break("aborted" if aborted else "the connection broke")
        when_lost, self.when_lost = self.when_lost, None
        if when_lost is not None:
            when_lost(reason.getErrorMessage())

    def _break(self, reason: str) -> None:
        self._receiver.fail(reason)
        self._sender.fail(reason)
        if self._closing is not None:
            self._closing.stop()


class PreTLSProtocol(Protocol):
    """The protocol of a transport until TLS starts on it: as soon as TCP is connected."""

    def __init__(self, start_tls: Callable[[Any], object]) -> None:
        self._start_tls = start_tls

    def connectionMade(self) -> None:
        """Start TLS."""
        self._start_tls(self.transport)


class PendingStream:
    """A connection that is being made, with its TLS handshake if it has one; settles once.

    Both ends of a data connection are of this kind, whichever side connects. ``when_settled`` is
    called after the outcome is recorded: ready, or an error.
    """

    is_ready = False
    """Whether a transfer can begin."""
    error: Exception | None = None
    """Why the connection cannot be used."""
    when_settled: Callable[[], object] | None = None
    _waiting: Deferred[None] | None = None

    def __init__(self, clock: IReactorTime, stream: StreamConnection) -> None:
        self.stream = stream
        self._clock = clock

    def protocol_for(self, start_tls: Callable[[Any], object] | None) -> Protocol:
        """Return the protocol for the transport; ``start_tls`` is called with it before TLS."""
        return self.stream if start_tls is None else PreTLSProtocol(start_tls)

    def settle(self, error: Exception | None = None) -> None:
        """Record the outcome; only the first one counts."""
        if self.is_ready or self.error is not None:
            return
        self.is_ready, self.error = error is None, error
        self.stream.when_lost = None
        when_settled, self.when_settled = self.when_settled, None
        if when_settled is not None:
            when_settled()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def wait_settled(self, seconds: float, late: Exception) -> None:
        """Wait for the outcome; raises its error: ``late`` after ``seconds`` (0: no limit)."""
        if not self.is_ready and self.error is None:
            waiting: Deferred[None] = Deferred()
            self._waiting = waiting
            call = self._clock.callLater(seconds, self.settle, late) if seconds else None
            try:
                await waiting
            finally:
                self._waiting = None
                if call is not None and call.active():
                    call.cancel()
        if self.error is not None:
            raise self.error


async def read_then_splice(
    connection: StreamConnection,
    write: Callable[[bytes], Awaitable[None]],
    with_descriptor: RunWithDescriptor | None,
) -> int:
    """Write what arrives until the peer's FIN, small files by reading; returns the number of bytes.

    Beyond `SMALL_FILE_SIZE` a thread splices into the file (``with_descriptor``); with None, or on
    a transport without a socket, everything goes through ``write``. Raises `TransferAborted`,
    `TransferStalled`, and what writing raises.
    """
    by_thread = with_descriptor is not None and connection.supports_file_transfer
    moved = 0
    while moved <= SMALL_FILE_SIZE or not by_thread:
        data = await connection.read()
        if not data:
            return moved
        moved += len(data)
        await write(data)
    if rest := connection.take():
        moved += len(rest)
        await write(rest)
    assert with_descriptor is not None
    return moved + await connection.receive_file(with_descriptor)
