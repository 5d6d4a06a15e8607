"""The sending half of a connection."""

from __future__ import annotations

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from ftpservice.net.immediate_write import half_close_now, send_now
from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.socket_state import bytes_acked
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.forward import ForwardSender, ForwardSource
from ftpservice.stream.sendfile import PageCachedFile, SendfileSender
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.stream.tls_send_file import TLSFileSender

__all__ = ["Sender"]


@implementer(IPushProducer)
class Sender(StallTimeout):
    """Sends; `write` waits while the transport's buffer is full."""

    ended = False
    """Whether everything, the FIN included, was given to the kernel."""
    sent_bytes = 0
    """Bytes so far, without a file transfer in progress."""
    moving: SendfileSender | TLSFileSender | ForwardSender | None = None
    _file_start = 0
    _closing = _paused = _is_registered = False
    _broken: str | None = None

    def __init__(self, transport: StreamTransport, clock: IReactorTime, timeout: float) -> None:
        super().__init__(clock, timeout, lambda: bytes_acked(transport))
        self._transport = transport
        if not isinstance(transport, FileDescriptor):
            self._register()

    async def write(self, data: bytes) -> None:
        """Send, and wait while the transport's buffer is full.

        Raises `TransferAborted` if the connection broke, `TransferStalled` if the peer accepted
        nothing for the stall timeout.
        """
        if self._broken is None:
            self._send(data)
        while self._paused and self._broken is None:
            await self.wait_for_progress()
        if self._broken is not None:
            raise TransferAborted(self._broken)

    def try_send(self, data: bytes) -> bool:
        """Send if that takes no waiting; returns whether it was sent."""
        if self._paused or self._closing or self.moving is not None or self._broken is not None:
            return False
        self._send(data)
        return True

    def _send(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        if rest := send_now(self._transport, data):
            if not self._is_registered:
                self._register()
            self._transport.write(rest)

    def _register(self) -> None:
        self._is_registered = True
        self._transport.registerProducer(self, True)

    async def send_file(self, file: PageCachedFile | ForwardSource, span: tuple[int, int]) -> int:
        """Send the bytes ``span[0]`` to ``span[1]`` of a file; returns how many there were.

        Of what another socket receives, so many bytes; that takes a plaintext socket. Nothing else
        may be sent meanwhile. Raises `TransferAborted`, `TransferStalled`, and what reading raises.
        """
        self.check()
        while self._paused:
            await self.wait_for_progress()
            self.check()
        moving: SendfileSender | TLSFileSender | ForwardSender
        if isinstance(file, ForwardSource):
            moving = ForwardSender(self._transport, file, span)
        elif isinstance(self._transport, TLSTransport):
            moving = TLSFileSender(self._transport, file, span)
        else:
            moving = SendfileSender(self._transport, file, span)
        self.moving = moving
        self._file_start = span[0]
        try:
            await moving.run(self)
        finally:
            self.moving = None
            self.sent_bytes += moving.offset - span[0]
        return moving.offset - span[0]

    @property
    def sent(self) -> int:
        """Bytes so far, including those of a file transfer in progress."""
        return self.sent_bytes + (
            0 if self.moving is None else self.moving.offset - self._file_start
        )

    def close(self) -> None:
        """Half-close: send the buffer, then a FIN."""
        if not self._closing and self._broken is None:
            self._closing = True
            if self._is_registered:
                self._transport.unregisterProducer()
            half_close_now(self._transport)

    async def wait_until_flushed(self) -> None:
        """Wait until the kernel has the FIN; raises `TransferAborted`, `TransferStalled`."""
        while not self.ended and self._broken is None:
            await self.wait_for_progress()
        self.check()

    def end(self) -> None:
        """Record that the FIN was given to the kernel."""
        self.ended = True
        if self._waiting is not None:
            self.wake_waiter()

    def fail(self, reason: str) -> None:
        """Record that the connection broke."""
        self._broken = self._broken or reason
        if self.moving is not None:
            self.moving.stop()
        if self._waiting is not None:
            self.wake_waiter()

    def check(self) -> None:
        """Raise `TransferAborted` if the connection broke."""
        if self._broken is not None:
            raise TransferAborted(self._broken)

    def pauseProducing(self) -> None:
        """Hold `write` back: the transport's buffer is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Let `write` continue."""
        self._paused = False
        self.wake_waiter()

    def stopProducing(self) -> None:
        """Do nothing: the connection handles the loss of its transport."""
