"""The receiving half of a connection."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.tcp import OnDemandTransport
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.splice import FileReceiver, ReceiveSource, RunWithDescriptor, SpliceSource
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.stream.tls_receive_file import TLSReceiveSource

__all__ = ["Receiver"]

MAX_BUFFERED_BYTES = 192 * 1024
"""Unread bytes at which receiving pauses. With the last piece they are fewer than the system maps
anew for each read (`process_memory`)."""
MAX_DRAINED_BYTES = 1024 * 1024
"""Unwanted bytes that are received and dropped; then receiving stops."""


class Receiver(StallTimeout):
    """Buffers received bytes until they are read; receives nothing before the first read."""

    ended = False
    """Whether the peer has half-closed the connection (FIN)."""
    is_flowing = False
    """Whether the transport is receiving."""
    received_bytes = 0
    """Bytes so far, without a file transfer in progress."""
    moving: FileReceiver | None = None
    _buffered = _dropped = 0
    _max_buffered = MAX_BUFFERED_BYTES
    _dropping = False
    _broken: str | None = None

    def __init__(self, transport: StreamTransport, clock: IReactorTime, timeout: float) -> None:
        super().__init__(clock, timeout)
        self._transport = transport
        self._pieces: list[bytes] = []
        if not isinstance(transport, OnDemandTransport):
            transport.pauseProducing()

    @property
    def received(self) -> int:
        """Bytes so far, including those of a file transfer in progress."""
        return self.received_bytes + (self.moving.moved if self.moving is not None else 0)

    async def read(self, most: int | None = None) -> bytes:
        """Return the buffered bytes, at most ``most``; empty at the peer's FIN.

        ``most`` also bounds the buffer until the next call. Raises `TransferAborted` if the
        connection broke and the buffer is empty, `TransferStalled`.
        """
        self._max_buffered = MAX_BUFFERED_BYTES if most is None else min(most, MAX_BUFFERED_BYTES)
        stream = self._transport
        idle = not (self._pieces or self.is_flowing or self.ended or self._broken)
        if idle and isinstance(stream, OnDemandTransport):
            stream.read_available()  # a small file is often complete when its command arrives
        while not (self._pieces or self.ended or self._broken):
            self._resume()
            await self.wait_for_progress()
        if self._broken is not None and not self._pieces:
            raise TransferAborted(self._broken)
        whole = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        data = whole[:most]
        self._buffered = len(whole) - len(data)
        self._pieces = [whole[most:]] if self._buffered else []
        if not self.is_flowing and not self.ended:
            self._resume()
        return data

    def take_buffered(self) -> bytes:
        """Stop receiving; return the buffered bytes."""
        self.pause()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._buffered = 0
        return data

    async def receive_file(
        self, with_descriptor: RunWithDescriptor, size: int | None = None
    ) -> int:
        """Write what arrives to a file, in a thread: until the peer's FIN, or ``size`` bytes.

        The buffer must be empty; ``size`` is for plaintext connections. Returns the number of
        bytes. Raises `TransferAborted`, `TransferStalled`, and what writing the file raises.
        """
        if self._broken is not None:
            raise TransferAborted(self._broken)
        if self.ended:
            return 0  # after close_notify nothing else may arrive
        stream = self._transport
        source: ReceiveSource = (
            TLSReceiveSource(stream) if isinstance(stream, TLSTransport) else SpliceSource(stream)
        )
        self.moving = moving = FileReceiver(stream, source, size)
        try:
            await moving.run(self, with_descriptor)
        finally:
            if size is not None:
                self.moving = None
                self.received_bytes += moving.moved
        return moving.moved

    def take(self, data: bytes) -> None:
        """Buffer received bytes and wake the reader."""
        self.take_last(data)
        if self._waiting is not None:
            self.wake_waiter()

    def take_last(self, data: bytes) -> None:
        """Buffer the last received bytes; a call of `end` or `fail` follows."""
        if self._dropping:
            self._dropped += len(data)
        else:
            self.received_bytes += len(data)
            self._buffered += len(data)
            self._pieces.append(data)
        if self._buffered >= self._max_buffered or self._dropped >= MAX_DRAINED_BYTES:
            self.pause()

    def pause(self) -> None:
        """Stop receiving for now."""
        self.is_flowing = False
        self._transport.pauseProducing()

    def drop(self) -> None:
        """From now on drop what is received."""
        self._pieces.clear()
        self._buffered = 0
        if not self._dropping:
            self._dropping = True
            self._resume()

    def end(self) -> None:
        """Record the peer's FIN; the reader gets it after the buffered bytes."""
        self.ended = True
        if self._waiting is not None:
            self.wake_waiter()

    def fail(self, reason: str) -> None:
        """Record that the connection broke; the reader gets it after the buffered bytes."""
        self._broken = self._broken or reason
        if self.moving is not None:
            self.moving.stop()
        if self._waiting is not None:
            self.wake_waiter()

    def _resume(self) -> None:
        if self.is_flowing or self.ended or self._broken is not None:
            return
        if self._buffered < self._max_buffered:
            self.is_flowing = True
            self._transport.resumeProducing()
