"""Graceful close: end a connection so that no sent byte is lost, and find out whether all arrived.

``close()`` alone is not enough. If the peer has sent bytes that we have not read, or sends some
after we closed, the kernel answers with an RST, and an RST makes the peer's kernel drop what its
program has not read yet: the tail of our file. And ``close()`` returns before anything has arrived,
so it does not know whether the transfer is complete. Therefore:

1. Half-close (``loseWriteConnection``): the transport's buffer is sent, then a FIN. Our side has
   ended, the other is still open.
2. Drain: from then on bytes of the peer are read and dropped, up to a limit, so that none of them
   is unread when we close.
3. Wait for the acknowledgement: the transfer is complete when the peer's kernel has acknowledged
   every byte. Ordinary clients close when they see our FIN, and their FIN acknowledges it at once.
   For a client that keeps its side open (to read our reply first) the send queue is checked, after
   5 ms, then at growing intervals. The peer's FIN alone proves nothing: it may have given up while
   our bytes were in flight. An RST means that the transfer was aborted.
   Under TLS our last bytes are close_notify and the FIN. A peer that knows the size of the file may
   close with close_notify unread, which makes an RST: if everything before it was acknowledged, the
   transfer is complete.
4. Lingering close: close when the peer has closed its side too, or after some seconds for a peer
   that never does: by then it has everything.

Callers wait for steps 1 to 3; step 4 runs by itself and is bounded.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone

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
"""Seconds that a peer has to close its side."""
FIRST_RECHECK_SECONDS = 0.005
MAX_RECHECK_SECONDS = 1.0
"""Seconds between two checks of the send queue."""
MAX_UNACKED_CLOSING_BYTES = 64
"""Bytes that close_notify and the FIN take at most."""


class GracefulClose:
    """The end of one connection."""

    _bell: Wakeup | None = None
    _linger_timer: IDelayedCall | None = None
    _is_over = _all_arrived = False

    def __init__(
        self, transport: StreamTransport, receiver: Receiver, sender: Sender, clock: IReactorTime
    ) -> None:
        self._transport = transport
        self._receiver = receiver
        self._sender = sender
        self._clock = clock
        self._tls = transport if isinstance(transport, TLSTransport) else None

    async def flush_and_wait_acked(self, stall_timeout: float) -> None:
        """Do steps 1 to 3; raises `TransferAborted`, `TransferStalled`."""
        # 1. Half-close.
        self._sender.close()
        if self._sender.ended and self._has_all_arrived():
            return
        # 2. Drain.
        self._receiver.drop()
        await self._sender.wait_until_flushed()
        if self._has_all_arrived():
            return
        # 3. Wait for the acknowledgement.
        detector = StallDetector(self._clock, stall_timeout, lambda: bytes_acked(self._transport))
        pause = FIRST_RECHECK_SECONDS
        self._bell = Wakeup(self._clock)
        await self._bell.wait(pause)
        while not self._has_all_arrived():
            detector.check()
            await self._bell.wait(pause)
            pause = min(2 * pause, MAX_RECHECK_SECONDS)

    def _has_all_arrived(self) -> bool:
        self._sender.check()
        if not self._all_arrived and has_socket_error(self._transport) and not self.on_reset():
            raise TransferAborted("the connection broke before everything was acknowledged")
        return self._all_arrived or bytes_unacked(self._transport) <= 1  # the FIN counts as one

    def on_reset(self) -> bool:
        """Handle an RST; returns whether all but close_notify and FIN was acknowledged."""
        if self._tls is not None and self._sender.ended:
            self._all_arrived = bytes_unacked(self._transport) <= MAX_UNACKED_CLOSING_BYTES
        return self._all_arrived

    def linger(self) -> None:
        """Half-close, then do step 4; to be called once."""
        sender = self._sender
        sender.close()
        if sender.ended and self._receiver.ended:
            self._close()
        elif sender.ended and isinstance(self._transport, OnDemandTransport):
            if self._receiver.is_flowing:
                self._receiver.pause()
            BatchedChecks.of(self._clock).add(self._clock, self._check_peer)
        else:
            self._wait_for_peer()

    def _check_peer(self) -> None:
        """Close if the peer has closed meanwhile."""
        if self._is_over:
            return
        if self._tls.peer_has_closed() if self._tls else peer_has_closed(self._transport):
            self._close()
        else:
            self._wait_for_peer()

    def _wait_for_peer(self) -> None:
        self._receiver.drop()
        self._linger_timer = self._clock.callLater(LINGER_SECONDS, self._close)
        BatchedChecks.of(self._clock).waiting.add(self._close_now)

    def on_peer_closed(self) -> None:
        """Handle the peer's FIN."""
        self.proceed()
        if self._bell is not None:
            self._bell.wake_waiter()

    def proceed(self) -> None:
        """Close if nothing else is waited for."""
        if self._linger_timer is not None and self._receiver.ended and self._sender.ended:
            self._close()

    def stop(self) -> None:
        """Stop waiting: the connection is closed or broken."""
        self._is_over = True
        if self._bell is not None:
            self._bell.wake_waiter()
        if self._linger_timer is not None:
            BatchedChecks.of(self._clock).waiting.discard(self._close_now)
            if self._linger_timer.active():
                self._linger_timer.cancel()

    def _close_now(self) -> None:
        """Close without waiting for the peer."""
        if self._sender.ended or (self._tls is not None and self._tls.is_handshaking):
            self._transport.loseConnection()
        else:
            self._transport.abortConnection()

    def _close(self) -> None:
        stream = self._transport
        if self._sender.ended:
            if isinstance(stream, OnDemandTransport):
                stream.connectionLost(connectionDone)
            else:
                stream.loseConnection()
        elif self._tls is not None and self._tls.is_handshaking:
            self._wait_for_peer()  # the handshake is bounded, and our FIN follows it
        else:
            stream.abortConnection()
