"""A Twisted transport that runs TLS on the socket itself.

Twisted's own TLS goes through memory buffers, which halves the speed. Here OpenSSL reads from the
socket and writes to it whenever the reactor finds it ready.

A TLS stream ends with a message (close_notify) before TCP's FIN. It distinguishes the end that the
peer intended from one made by an attacker on the path (`TLSTransport.received_close_notify`). A
half-close (``loseWriteConnection``) sends close_notify and a FIN. From then on received bytes are
dropped: OpenSSL, as Python offers it, cannot send close_notify and still read.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
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
"""Bytes that are received per call of the reactor."""
MAX_DRAINED_BYTES = 1024 * 1024
"""Bytes read and dropped after our half-close, at most."""

_arrived = memoryview(bytearray(READ_SIZE))  # used within one call, on the reactor thread
_unread = memoryview(bytearray(READ_SIZE))  # for bytes that nobody wants


class TLSTransport(HandshakeGatedTransport):
    """A TLS connection over ``own``, whose handshake has not begun.

    ``ends`` are our address and the peer's if they differ from the socket's (PROXY protocol).

    Bytes written before the handshake is over are sent after it. A handshake that fails ends in
    ``connectionLost`` with a `HandshakeError`; a handshake that succeeds is not reported to the
    protocol.
    """

    logstr = "tls"
    SEND_LIMIT = 1024 * 1024

    received_close_notify = False
    """Whether the peer has ended its side with close_notify."""
    is_broken = False
    """Whether an RST came after our half-close; the protocol sees an end, as for a FIN."""
    contexts: TLSContexts | None = None
    """The contexts of the handshake, if it was made by `upgrade_to_tls`."""
    _our_side_ended = _has_sent = False
    _dropped = 0
    _leaving: TLSShutdown | None = None
    _loan: SocketLease | None = None

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

    def getHost(self) -> IAddress:
        """Return the address of our end."""
        return self._ends[0] if self._ends else twisted_address(self.socket.getsockname())

    def getPeer(self) -> IAddress:
        """Return the address of the far end."""
        return self._ends[1] if self._ends else twisted_address(self.socket.getpeername())

    @property
    def session_reused(self) -> bool:
        """Whether the session of another connection was resumed."""
        return bool(self.socket.session_reused)

    @property
    def description(self) -> str:
        """Version and cipher, as text."""
        own: ssl.SSLSocket = self.socket
        return f"{own.version()} {(own.cipher() or ('',))[0]}"

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's verified certificate in DER, if it sent one."""
        found: bytes | None = self.socket.getpeercert(binary_form=True)
        return found

    @cached_property
    def session_id(self) -> bytes:
        """The id of the TLS session, new or resumed; empty on a client and after the connection.

        Python before 3.12.8, and 3.13.0, never frees the copy that it makes of the session (1 KiB):
        ask for the id only where it is needed.
        """
        own: ssl.SSLSocket | None = getattr(self, "socket", None)
        session = own.session if own is not None and own.server_side else None
        return session.id if session is not None else b""

    def writeSomeData(self, data: bytes) -> Any:
        """Send some; returns the number of bytes (0: not now), or how the connection broke."""
        if not data or not self.is_secured or (self._loan is not None and not self._loan.is_free):
            return 0
        self._has_sent = True
        try:
            return send(self.socket, memoryview(data)[: self.SEND_LIMIT])
        except OSError:
            return main.CONNECTION_LOST

    def lend(self) -> SocketLease:
        """Let threads use the socket; until the lease is revoked nothing is read or sent here."""
        self._loan = SocketLease(self.socket)
        return self._loan

    @property
    def _is_ours(self) -> bool:
        """Whether the handshake succeeded and no thread uses the socket."""
        return self.is_secured and (self._loan is None or self._loan.is_free)

    def leave_tls(self) -> Deferred[socket.socket]:
        """End TLS both ways (CCC, RFC 4217 §12.3); fires with the socket, now the caller's.

        The buffer must be empty. If the connection is lost meanwhile it fails, and the protocol's
        ``connectionLost`` is called; not once it has fired.
        """
        _ = self.session_id  # data connections may still resume the session
        self._leaving = TLSShutdown(self)
        return self._leaving.done

    def release_socket(self) -> socket.socket:
        """Return the plain socket; this transport is dead without it."""
        self.stopReading()
        self.stopWriting()
        return socket.socket(fileno=_taken_from(self).detach())

    def connectionLost(self, reason: Failure) -> None:
        """Close, and report ``reason`` to the protocol and to a `leave_tls` in progress."""
        if self._handshake is not None:
            self._end_handshake()
        leaving, self._leaving = self._leaving, None
        super().connectionLost(reason)
        if leaving is not None:
            leaving.stop(reason)

    def doRead(self) -> Any:
        """Receive; called by the reactor after the handshake."""
        if self._our_side_ended:
            return self._drop()
        if self._loan is not None and not self._loan.is_free:
            return None  # a thread's last turn is not over
        own = self.socket
        count, state = receive(own, _arrived)
        if state is ReadState.BLOCKED:
            self.read_when_writable()
            state = ReadState.OPEN
        if state is ReadState.OPEN:
            self._has_sent = False
            if count:
                self.protocol.dataReceived(bytes(_arrived[:count]))
            if not self._has_sent:  # what is sent acknowledges too
                quick_ack(own)
            return None
        self.received_close_notify |= state is ReadState.ENDED
        if count:
            protocol: Any = self.protocol
            last = getattr(protocol, "last_data_received", protocol.dataReceived)
            last(bytes(_arrived[:count]))
        return main.CONNECTION_LOST if state is ReadState.BROKEN else main.CONNECTION_DONE

    def peer_has_closed(self) -> bool:
        """Drop received bytes after our half-close; returns whether the peer has closed too."""
        return self._drop() is not None or self._drop() is not None

    def _drop(self) -> Any:
        """Read and drop after our half-close, so that closing sends no RST."""
        try:
            size = socket.socket.recv_into(self.socket, _unread)
        except BlockingIOError:
            return None
        except OSError:
            self.is_broken = True
            return main.CONNECTION_DONE
        self._dropped += size
        if self._dropped >= MAX_DRAINED_BYTES:
            self.stopReading()
        return None if size else main.CONNECTION_DONE

    def continue_handshake(self) -> None:
        """Take the next step of the handshake if bytes of the peer have arrived."""
        if self._handshake is not None:
            self._handshake.continue_if_readable()

    @property
    def is_handshaking(self) -> bool:
        """Whether the handshake is in progress."""
        return self._handshake is not None

    def _closeWriteConnection(self) -> None:
        """Send close_notify and a FIN; a handshake in progress may end first, in bounded time.

        A client takes a FIN in its handshake for a broken connection, and reports that instead of
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
        """Send a FIN; later input is dropped, since unread it would make an RST."""
        self._our_side_ended = self._writeDisconnected = True
        self._writeDisconnecting = False
        self.stopWriting()
        if self._handshake is not None:
            self._end_handshake()
        try:  # noqa: SIM105 - this is done for every transfer; `suppress` is three calls more
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        except OSError:
            pass
        half = IHalfCloseableProtocol(self.protocol, None)
        if half is not None:
            half.writeConnectionLost()

    def _postLoseConnection(self) -> Any:
        """Send close_notify, then close."""
        if self._is_ours and not self._our_side_ended and not send_close_notify(self.socket):
            self.startWriting()
            return None
        return main.CONNECTION_DONE

    def _closeSocket(self, orderly: bool) -> None:
        """Close; while a thread uses the socket, after its turn."""
        if self._loan is None:
            _close(self.socket, orderly, self._our_side_ended)
        else:
            self._loan.close(partial(_close, self.socket, orderly, self._our_side_ended))


def upgrade_to_tls(
    transport: Any,
    tls: ServerTLS,
    *,
    handshake_timeout: float = 0.0,
    secured: Callable[[], object] | None = None,
    accepts_alpn: Callable[[tuple[bytes, ...]], bool] = alpn_fits_control,
) -> TLSTransport:
    """Start TLS as a server (RFC 4217 §4) on the socket of a Twisted stream transport.

    The protocol stays and is given the new transport; the old one is dead. Its buffer must be
    empty; everything that arrives from now on must be TLS.
    """
    contexts, reactor = tls.next_contexts(), transport.reactor
    time_budget = contexts.time_budget(reactor)
    terms = HandshakeOptions(handshake_timeout, secured or bool, time_budget, accepts_alpn)
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
    """Return a TLS transport with the socket of another transport, which is dead from now on."""
    ends = transport.getHost(), transport.getPeer()
    transport.stopReading()
    transport.stopWriting()
    own = wrap(_taken_from(transport))
    return TLSTransport(own, protocol, ends, transport.reactor, terms)


def _taken_from(transport: Any) -> socket.socket:
    """Return the socket of a transport, which is dead without it."""
    own: socket.socket = transport.socket
    transport.connected, transport.disconnected = 0, 1
    transport.doRead = transport.doWrite = lambda: None  # both events may be pending in the reactor
    with suppress(AttributeError):
        del transport.socket, transport.fileno
    return own


def _close(own: ssl.SSLSocket, orderly: bool, parted: bool) -> None:
    """Close with a FIN, or with an RST; ``parted``: close_notify was sent."""
    try:
        if not orderly:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if parted:
            own.close()
        else:
            close_silently(own)
    except OSError:
        pass
