"""Ending a connection so that nothing we sent is lost, and nothing of it is left behind.

A plain ``close()`` will not do. If the peer sent bytes that we have not read, or sends some when we
are gone, the kernel answers with an RST, and an RST makes the peer's kernel forget what its program
has not read yet: the tail of our file. And a ``close()`` returns before anybody has anything, so it
cannot tell whether the transfer became whole. Therefore:

1. What the transport keeps is flushed, then comes a FIN (``loseWriteConnection``): our side has
   ended, the other is still open.
2. From then on what the peer sends is read and thrown away, up to a limit, so that none of it is
   unread when we close.
3. The transfer is whole when the peer's kernel has acknowledged every byte. Ordinary clients close
   when they see our FIN, and their FIN says it at once. For one that keeps its side open (to read
   our reply first) we look into the send queue, soon and then ever more seldom. The peer's FIN
   alone proves nothing: it may have given up while our bytes are in flight. An RST is a cut.
   Under TLS our last words are a message and the FIN. Who knows how much is to come may close with
   that message unread, which makes an RST: if all before it was acknowledged it is none of our own.
4. When the peer has ended its side too we close; or after some seconds, for a peer that never does:
   by then it has all that is ours.

Whoever waits, waits for steps 1 to 3; step 4 goes on by itself and is bounded.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice.net.interfaces import StreamTransport
from ftpservice.net.socket_state import (
    bytes_acked,
    bytes_unacked,
    has_socket_error,
    peer_has_closed,
)
from ftpservice.net.tcp import OnDemandTransport
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.receiver import Receiver
from ftpservice.stream.sender import Sender
from ftpservice.stream.stall_timeout import StallDetector, Wakeup

__all__ = ["GracefulClose"]

LINGER_SECONDS = 3.0
"""Seconds that a peer has to end its side."""
FIRST_RECHECK_SECONDS = 0.005
MAX_RECHECK_SECONDS = 1.0
"""Seconds between two looks into the send queue."""
MAX_UNACKED_CLOSING_BYTES = 64
"""Bytes, and more, of close_notify and FIN."""


class GracefulClose:
    """The end of one connection."""

    def __init__(
        self, transport: StreamTransport, inlet: Receiver, outlet: Sender, clock: IReactorTime
    ) -> None:
        self._transport = transport
        self._inlet = inlet
        self._outlet = outlet
        self._clock = clock
        self._bell = Wakeup(clock)
        self._lingering: IDelayedCall | None = None
        self._is_over = self._had_everything = False

    async def flush_and_wait_acked(self, stall_timeout: float) -> None:
        """End our side and wait until the peer has everything; raises `TransferAborted`."""
        self._outlet.close()
        if self._outlet.ended and self._has_everything():
            return
        self._inlet.drop()
        await self._outlet.wait_until_flushed()
        if self._has_everything():
            return
        standstill = StallDetector(self._clock, stall_timeout, lambda: bytes_acked(self._transport))
        pause = FIRST_RECHECK_SECONDS
        await self._bell.wait(pause)
        while not self._has_everything():
            standstill.check()
            await self._bell.wait(pause)
            pause = min(2 * pause, MAX_RECHECK_SECONDS)

    def _has_everything(self) -> bool:
        self._outlet.check()
        if not self._had_everything and has_socket_error(self._transport) and not self.on_reset():
            raise TransferAborted("the connection broke before the peer had everything")
        return self._had_everything or bytes_unacked(self._transport) <= 1  # the FIN is one

    def on_reset(self) -> bool:
        """Learn of an RST; tell whether the peer had everything but our last words."""
        if isinstance(self._transport, TLSTransport) and self._outlet.ended:
            self._had_everything = bytes_unacked(self._transport) <= MAX_UNACKED_CLOSING_BYTES
        return self._had_everything

    def linger(self) -> None:
        """End our side, then close as soon as the peer does, or when it had time enough.

        To be called once.
        """
        self._outlet.close()
        if self._outlet.ended and self._inlet.ended:
            self._close()
        elif self._outlet.ended and isinstance(self._transport, OnDemandTransport):
            self._inlet.hold()
            BatchedChecks.of(self._clock).add(self._clock, self._look)
        else:
            self._wait_for_the_peer()

    def _look(self) -> None:
        """Close if the peer has ended by now."""
        if self._is_over:
            return
        stream = self._transport
        if (
            stream.peer_has_closed()
            if isinstance(stream, TLSTransport)
            else peer_has_closed(stream)
        ):
            self._close()
        else:
            self._wait_for_the_peer()

    def _wait_for_the_peer(self) -> None:
        self._inlet.drop()
        self._lingering = self._clock.callLater(LINGER_SECONDS, self._close)
        BatchedChecks.of(self._clock).waiting.add(self._close_now)

    def on_peer_closed(self) -> None:
        """Learn that the peer has ended its side."""
        self.proceed()
        self._bell.wake_waiter()

    def proceed(self) -> None:
        """Close, if that was all we waited for."""
        if self._lingering is not None and self._inlet.ended and self._outlet.ended:
            self._close()

    def stop(self) -> None:
        """Learn that the connection is closed."""
        self._is_over = True
        self._bell.wake_waiter()
        if self._lingering is not None:
            BatchedChecks.of(self._clock).waiting.discard(self._close_now)
            if self._lingering.active():
                self._lingering.cancel()

    def _close_now(self) -> None:
        """Close, whatever the peer still has to do."""
        stream = self._transport
        if self._outlet.ended or (isinstance(stream, TLSTransport) and stream.is_handshaking):
            stream.loseConnection()
        else:
            stream.abortConnection()

    def _close(self) -> None:
        if self._outlet.ended:
            self._transport.loseConnection()
        elif isinstance(self._transport, TLSTransport) and self._transport.is_handshaking:
            self._wait_for_the_peer()  # our end follows the handshake, whose time is bounded
        else:
            self._transport.abortConnection()
