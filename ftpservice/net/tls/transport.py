"""A stream transport of Twisted's that drives TLS on the socket itself.

Twisted's own TLS goes through buffers in memory, which costs half the speed. Here OpenSSL reads
from the socket and writes to it when the reactor finds it ready, in pieces as large as it likes.

The ends of TLS are those of TCP and a message before them (close_notify), which tells an end that
the peer wanted from one that somebody in between has made; ``ended_in_order`` says which it was.
Who ends its own side (``loseWriteConnection``) sends that message and a FIN. What the peer sends
from then on is read and dropped: OpenSSL, as Python has it, cannot say goodbye and read on.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet import main
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IProtocol
from twisted.python.failure import Failure

from ftpservice.net.tcp import twisted_address
from ftpservice.net.tls.alpn import alpn_fits_control
from ftpservice.net.tls.handshake import HandshakeError, HandshakeGatedTransport, HandshakeOptions
from ftpservice.net.tls.record_io import (
    ReadState,
    close_silently,
    quick_ack,
    receive,
    send,
    send_close_notify,
)
from ftpservice.net.tls.shutdown import TLSShutdown
from ftpservice.net.tls.socket_lease import SocketLease

if TYPE_CHECKING:  # what the server's certificates take is slow to import, and no client needs it
    from ftpservice.net.tls.server import ServerTLS, TLSContexts

__all__ = ["HandshakeError", "HandshakeOptions", "TLSTransport", "adopt_socket", "upgrade_to_tls"]

READ_SIZE = 256 * 1024
"""Bytes that are received in one turn of the reactor."""
MAX_DRAINED_BYTES = 1024 * 1024
"""So many bytes behind our end are read, and no more."""

_arrived = memoryview(bytearray(READ_SIZE))  # for the length of a call, in the reactor's thread


class TLSTransport(HandshakeGatedTransport):
    """A connection under TLS; ``own`` is one whose handshake has not begun.

    ``ends`` are host and peer, where they are not what the kernel says.

    What is written before the handshake is over is sent then. The protocol sees of a handshake
    that fails a ``connectionLost`` with a `HandshakeError`; of one that goes well, nothing.
    """

    logstr = "tls"
    SEND_LIMIT = 1024 * 1024

    received_close_notify = False
    """Whether the peer has said that it ended its side."""
    is_broken = False
    """Whether an RST came behind our own end; the protocol is told of an end, as for a FIN."""
    contexts: TLSContexts | None = None
    """What it was made with, if by `upgrade_to_tls`."""

    def __init__(
        self,
        own: ssl.SSLSocket,
        protocol: IProtocol,
        ends: tuple[IAddress, IAddress] | None,
        reactor: Any,
        terms: HandshakeOptions,
    ) -> None:
        super().__init__(own, protocol, reactor, terms)
        self._ends = ends
        self._our_side_ended = False
        self._dropped = 0
        self._leaving: TLSShutdown | None = None
        self._loan: SocketLease | None = None

    def getHost(self) -> IAddress:
        """Return the address of our end."""
        return self._ends[0] if self._ends else twisted_address(self.socket.getsockname())

    def getPeer(self) -> IAddress:
        """Return the address of the far end."""
        return self._ends[1] if self._ends else twisted_address(self.socket.getpeername())

    @property
    def session_reused(self) -> bool:
        """Whether it went on with a session of another connection."""
        return bool(self.socket.session_reused)

    @property
    def description(self) -> str:
        """Version and cipher."""
        own: ssl.SSLSocket = self.socket
        return f"{own.version()} {(own.cipher() or ('',))[0]}"

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's, in DER, checked."""
        found: bytes | None = self.socket.getpeercert(binary_form=True)
        return found

    @property
    def session_id(self) -> bytes:
        """The number of the session that it began or went on with; empty on a client."""
        own: ssl.SSLSocket = self.socket
        session = own.session if own.server_side else None
        return session.id if session is not None else b""

    def writeSomeData(self, data: bytes) -> Any:
        """Send a piece, or nothing yet; returns how much, or how the connection broke."""
        if not data or not self._is_ours:
            return 0
        try:
            return send(self.socket, memoryview(data)[: self.SEND_LIMIT])
        except OSError:
            return main.CONNECTION_LOST

    def lend(self) -> SocketLease:
        """Let threads read from the socket; until the loan is called back nothing is done here."""
        self._loan = SocketLease(self.socket)
        return self._loan

    @property
    def _is_ours(self) -> bool:
        """Whether TLS stands, and no thread uses it."""
        return self.is_secured and (self._loan is None or self._loan.is_free)

    def leave_tls(self) -> Deferred[socket.socket]:
        """End TLS both ways and go on in clear (CCC); fires with the socket, which is the caller's.

        To be called when all that was written is sent. If the connection is lost meanwhile, it
        fails, and the protocol is told too; of the socket's new life it is not.
        """
        self._leaving = TLSShutdown(self)
        return self._leaving.done

    def release_socket(self) -> socket.socket:
        """Return the plain socket, and have nothing to do with it any more."""
        self.stopReading()
        self.stopWriting()
        return socket.socket(fileno=_taken_from(self).detach())

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell whoever waits for something."""
        leaving, self._leaving = self._leaving, None
        super().connectionLost(reason)
        if leaving is not None:
            leaving.stop(reason)

    def _receive(self) -> Any:
        if self._our_side_ended:
            return self._drop()
        if not self._is_ours:
            return None  # a last turn is not over
        count, state = receive(self.socket, _arrived)
        if state is ReadState.OPEN:
            quick_ack(self.socket)
        if count:
            self.protocol.dataReceived(bytes(_arrived[:count]))
        if state is ReadState.OPEN:
            return None
        self.received_close_notify |= state is ReadState.ENDED
        return main.CONNECTION_LOST if state is ReadState.BROKEN else main.CONNECTION_DONE

    def peer_has_closed(self) -> bool:
        """Drop what came behind our end; tell whether the peer has ended its side too."""
        return self._drop() is not None or self._drop() is not None

    def _drop(self) -> Any:
        """Read what comes behind our end, whatever it is, so that closing sends no RST."""
        try:
            size = len(socket.socket.recv(self.socket, READ_SIZE))
        except BlockingIOError:
            return None
        except OSError:
            self.is_broken = True
            return main.CONNECTION_DONE
        self._dropped += size
        if self._dropped >= MAX_DRAINED_BYTES:
            self.stopReading()
        return None if size else main.CONNECTION_DONE

    @property
    def is_handshaking(self) -> bool:
        """Whether the handshake is not over."""
        return self._handshake is not None

    def _closeWriteConnection(self) -> None:
        """Say goodbye, then send a FIN; the peer may end a handshake first, in a bounded time.

        A client in its handshake takes a FIN for a broken connection, and reports that instead of
        the reply to its command.
        """
        if self._handshake is not None:
            self._handshake.hurry(self._end_our_side)
        elif not self._is_ours or send_close_notify(self.socket):
            self._end_our_side()
            return
        self._writeDisconnected, self._writeDisconnecting = False, True
        self.startWriting()

    def _end_our_side(self) -> None:
        """Send a FIN; what still comes is dropped, for unread it would make an RST."""
        self._our_side_ended = self._writeDisconnected = True
        self._writeDisconnecting = False
        self.stopWriting()
        self._end_handshake()
        with suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        half = IHalfCloseableProtocol(self.protocol, None)
        if half is not None:
            half.writeConnectionLost()

    def _postLoseConnection(self) -> Any:
        """Say goodbye, then close."""
        if self._is_ours and not self._our_side_ended and not send_close_notify(self.socket):
            self.startWriting()
            return None
        return main.CONNECTION_DONE

    def _closeSocket(self, orderly: bool) -> None:
        """Close, but not under the hands of a thread."""
        close = partial(_close, self.socket, orderly, self._our_side_ended)
        if self._loan is None:
            close()
        else:
            self._loan.close(close)

    def _secured(self) -> None:
        quick_ack(self.socket)
        super()._secured()


def upgrade_to_tls(
    transport: Any,
    tls: ServerTLS,
    *,
    handshake_timeout: float = 0.0,
    secured: Callable[[], object] | None = None,
) -> TLSTransport:
    """Carry on with TLS on the socket of one of Twisted's stream transports, as a server.

    Its protocol keeps on being the protocol, and is given the new transport; the old one is dead.
    Nothing may wait to be sent; what comes from now on has to be TLS.
    """
    contexts, reactor = tls.contexts, transport.reactor
    turns = contexts.turns(reactor)
    terms = HandshakeOptions(handshake_timeout, secured or bool, turns, alpn_fits_control)
    wrap = partial(contexts.wrap, data=False)
    upgraded = adopt_socket(transport, transport.protocol, wrap, terms)
    upgraded.contexts = contexts
    upgraded.protocol.transport = upgraded  # type: ignore[attr-defined]  # all have it
    return upgraded


def adopt_socket(
    transport: Any,
    protocol: IProtocol,
    wrap: Callable[[socket.socket], ssl.SSLSocket],
    terms: HandshakeOptions,
) -> TLSTransport:
    """Return a transport with the socket of another one, which is dead from now on."""
    ends = transport.getHost(), transport.getPeer()
    transport.stopReading()
    transport.stopWriting()
    own = wrap(_taken_from(transport))
    return TLSTransport(own, protocol, ends, transport.reactor, terms)


def _taken_from(transport: Any) -> socket.socket:
    """Return the socket of a transport, which is dead without it."""
    own: socket.socket = transport.socket
    transport.connected, transport.disconnected = 0, 1
    transport.doRead = transport.doWrite = lambda: None  # the reactor may have found it both
    with suppress(AttributeError):
        del transport.socket, transport.fileno
    return own


def _close(own: ssl.SSLSocket, orderly: bool, parted: bool) -> None:
    """Close with a FIN, or with an RST; ``parted``: any goodbye was said."""
    with suppress(OSError):
        if not orderly:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (own.close if parted else partial(close_silently, own))()
