"""The receiving half of a connection."""

from __future__ import annotations

from ftpservice.net.accepted_tcp import AcceptedTransport
from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.splice import FileReceiver, ReceiveSource, RunExclusively, SpliceSource
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.stream.tls_receive_file import TLSReceiveSource

__all__ = ["Receiver"]

MAX_BUFFERED_BYTES = 512 * 1024
"""With so many bytes waiting to be read, nothing more is received."""
MAX_DRAINED_BYTES = 1024 * 1024
"""So many unwanted bytes are received and thrown away, and no more."""


class Receiver:
    """Keeps what came until it is read; receives nothing before the first read."""

    def __init__(self, transport: StreamTransport, patience: StallTimeout) -> None:
        self.ended = False
        """Whether the peer has ended its side in order (FIN)."""
        self._transport = transport
        self._patience = patience
        self._pieces: list[bytes] = []
        self._kept = self._dropped = 0
        self._most_kept = MAX_BUFFERED_BYTES
        self._dropping = False
        self._broken: str | None = None
        self._received = 0
        self._flowing = False
        self._receiving: FileReceiver | None = None
        transport.pauseProducing()

    @property
    def received(self) -> int:
        """Bytes so far, those of a file that is being received too."""
        return self._received + (self._receiving.moved if self._receiving is not None else 0)

    async def read(self, most: int | None = None) -> bytes:
        """Return all that waits, or the first ``most`` bytes; empty at the end.

        From then on nothing more is received while so many wait. Raises `TransferAborted` once the
        connection broke and nothing waits any more.
        """
        self._most_kept = MAX_BUFFERED_BYTES if most is None else min(most, MAX_BUFFERED_BYTES)
        if self._is_dry and not self._flowing and isinstance(self._transport, AcceptedTransport):
            self._transport.look()  # what is little is there with the command, and the end with it
        while self._is_dry:
            self._let_flow()
            await self._patience.wait()
        if self._broken is not None and not self._pieces:
            raise TransferAborted(self._broken)
        whole = b"".join(self._pieces)
        data = whole[:most]
        self._kept = len(whole) - len(data)
        self._pieces = [whole[most:]] if self._kept else []
        self._let_flow()
        return data

    @property
    def _is_dry(self) -> bool:
        """Whether nothing waits and something may come."""
        return not self._pieces and not self.ended and self._broken is None

    def take_buffered(self) -> bytes:
        """Receive no more for now; return what waits."""
        self.hold()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._kept = 0
        return data

    async def receive_file(self, exclusively: RunExclusively) -> int:
        """Have all that comes written to a file, to the peer's FIN; raises `TransferAborted`."""
        if self._broken is not None:
            raise TransferAborted(self._broken)
        if self.ended:
            return 0  # under TLS that was said, and nothing else may ever come
        stream = self._transport
        source: ReceiveSource = (
            TLSReceiveSource(stream) if isinstance(stream, TLSTransport) else SpliceSource(stream)
        )
        self._receiving = receiving = FileReceiver(stream, source)
        await receiving.run(self._patience, exclusively)
        return receiving.moved

    async def receive_part(self, exclusively: RunExclusively, size: int) -> int:
        """Write the next ``size`` bytes of a plain connection to a file; raises `TransferAborted`.

        Nothing may wait to be read. Returns their number, which is smaller at the peer's FIN.
        """
        if self._broken is not None:
            raise TransferAborted(self._broken)
        if self.ended:
            return 0
        stream = self._transport
        self._receiving = receiving = FileReceiver(stream, SpliceSource(stream), size)
        try:
            await receiving.run(self._patience, exclusively)
        finally:
            self._receiving = None
            self._received += receiving.moved
        return receiving.moved

    def take(self, data: bytes) -> None:
        """Keep what came."""
        if self._dropping:
            self._dropped += len(data)
        else:
            self._received += len(data)
            self._kept += len(data)
            self._pieces.append(data)
        if self._kept >= self._most_kept or self._dropped >= MAX_DRAINED_BYTES:
            self._flowing = False
            self._transport.pauseProducing()
        self._patience.wake()

    def hold(self) -> None:
        """Receive no more for now."""
        self._flowing = False
        self._transport.pauseProducing()

    def drop(self) -> None:
        """From now on receive only to throw away."""
        self._pieces.clear()
        self._kept = 0
        if not self._dropping:
            self._dropping = True
            self._let_flow()

    def end(self) -> None:
        """Let the reader know, when it has read the rest, that there is no more."""
        self.ended = True
        self._patience.wake()

    def fail(self, reason: str) -> None:
        """Let the reader know, when it has read the rest, that the connection broke."""
        self._broken = self._broken or reason
        if self._receiving is not None:
            self._receiving.stop()
        self._patience.wake()

    def _let_flow(self) -> None:
        full = self._kept >= self._most_kept
        if not self._flowing and not full and not self.ended and self._broken is None:
            self._flowing = True
            self._transport.resumeProducing()
