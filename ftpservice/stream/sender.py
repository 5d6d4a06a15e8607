"""The sending half of a connection."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ftpservice.net.immediate_write import half_close_now, write_now
from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.sendfile import PageCachedFile, SendfileSender
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.stream.tls_send_file import TLSFileSender

__all__ = ["Sender"]


@implementer(IPushProducer)
class Sender:
    """Sends, and holds the sender back while the transport has enough."""

    def __init__(self, transport: StreamTransport, patience: StallTimeout) -> None:
        self._sent = self._sent_of_files = 0
        self._sending: SendfileSender | TLSFileSender | None = None
        self._sending_from = 0
        self.ended = False
        """Whether all was handed to the kernel, the FIN too."""
        self._transport = transport
        self._patience = patience
        self._closing = False
        self._paused = False
        self._broken: str | None = None
        transport.registerProducer(self, True)

    async def write(self, data: bytes) -> None:
        """Send, and wait until more would be welcome; raises `TransferAborted`."""
        self.check()
        self._sent += len(data)
        write_now(self._transport, data)
        while self._paused and self._broken is None:
            await self._patience.wait()
        self.check()

    def try_send(self, data: bytes) -> bool:
        """Send if that needs no waiting; tell whether it was so."""
        if self._paused or self._closing or self._sending is not None or self._broken is not None:
            return False
        self._sent += len(data)
        write_now(self._transport, data)
        return True

    async def send_file(self, file: PageCachedFile, span: tuple[int, int]) -> int:
        """Send a stretch of a file; raises `TransferAborted`. Nothing else may be on its way."""
        self.check()
        while self._paused:
            await self._patience.wait()
            self.check()
        covered = isinstance(self._transport, TLSTransport)
        kind = TLSFileSender if covered else SendfileSender
        self._sending = sending = kind(self._transport, file, span)
        self._sending_from = span[0]
        try:
            await sending.run(self._patience)
        finally:
            self._sending = None
            self._sent_of_files += sending.offset - span[0]
        return sending.offset - span[0]

    @property
    def sent(self) -> int:
        """Bytes so far, those of a file that is being sent too."""
        sending = self._sending
        under_way = 0 if sending is None else sending.offset - self._sending_from
        return self._sent_of_files + self._sent + under_way

    def close(self) -> None:
        """Send what is kept, then a FIN."""
        if not self._closing and self._broken is None:
            self._closing = True
            self._transport.unregisterProducer()
            half_close_now(self._transport)

    async def wait_until_flushed(self) -> None:
        """Wait until the FIN is on its way; raises `TransferAborted`."""
        while not self.ended and self._broken is None:
            await self._patience.wait()
        self.check()

    def end(self) -> None:
        """Learn that the FIN is on its way."""
        self.ended = True
        self._patience.wake()

    def fail(self, reason: str) -> None:
        """Learn that the connection broke."""
        self._broken = self._broken or reason
        if self._sending is not None:
            self._sending.stop()
        self._patience.wake()

    def check(self) -> None:
        """Raise `TransferAborted` if the connection broke."""
        if self._broken is not None:
            raise TransferAborted(self._broken)

    def pauseProducing(self) -> None:
        """Hold back."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._patience.wake()

    def stopProducing(self) -> None:
        """Nothing to do: the connection is told that it is lost, and why."""
