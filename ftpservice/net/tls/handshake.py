"""The TLS handshake of a connection; until it is over, nothing else is sent or received."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.net.tcp import OnDemandTransport
from ftpservice.net.tls.alpn import (
    NO_APPLICATION_PROTOCOL_ALERT,
    offered_protocols,
    protocol_names_text,
)
from ftpservice.net.tls.peer_certificate import unverified_peer_certificate
from ftpservice.net.tls.record_io import do_handshake, quick_ack
from ftpservice.wire.units import seconds_text

__all__ = ["Handshake", "HandshakeError", "HandshakeGatedTransport", "HandshakeOptions"]


class HandshakeGatedTransport(OnDemandTransport):
    """A transport that reads and writes only after its TLS handshake.

    Until then interest in reading and writing is recorded, and the handshake has the socket.
    """

    is_secured = False
    """Whether the handshake succeeded."""
    client_hello = b""
    """The first bytes of a client (`HandshakeOptions.keeps_hello`)."""
    _reads = _writes = False

    def __init__(
        self, own: ssl.SSLSocket, protocol: IProtocol, reactor: Any, terms: HandshakeOptions
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._on_secured = terms.secured
        self._handshake: Handshake | None = Handshake(self, terms, self._secured)
        self.doRead = self.doWrite = self._handshake.ready  # type: ignore[method-assign]

    def startReading(self) -> None:
        """Read, after the handshake."""
        self._reads = True
        if self._handshake is None:
            self.watch(True, self._writing)

    def stopReading(self) -> None:
        """Stop reading; during the handshake, read only what belongs to it."""
        self._reads = False
        if self._handshake is None and self._reading:
            self.watch(False, self._writing)

    def startWriting(self) -> None:
        """Send the buffer, after the handshake."""
        self._writes = True
        if self._handshake is None:
            self.watch(self._reading, True)

    def stopWriting(self) -> None:
        """Stop sending; during the handshake, send only what belongs to it."""
        self._writes = False
        if self._handshake is None and self._writing:
            self.watch(self._reading, False)

    def loseConnection(self, *_: object) -> None:
        """Close when the buffer is sent; if it is empty, without waiting for the handshake."""
        if self._handshake is None or self.dataBuffer or self._tempDataBuffer:
            super().loseConnection()
            if self._handshake is not None:
                self._handshake.hurry()
        elif not self.disconnecting:
            self.disconnecting = 1
            self.reactor.callLater(0, self.connectionLost, connectionDone)

    def abortConnection(self) -> None:
        """Break the connection (RST), at once."""
        if not self.disconnected:
            self._end_handshake()
            super().abortConnection()

    def readConnectionLost(self, reason: Failure) -> None:
        """Report the peer's FIN to the protocol; during the handshake, that it failed."""
        if self._handshake is None:
            super().readConnectionLost(reason)
        else:
            self.connectionLost(Failure(HandshakeError("the connection ended before")))

    def _secured(self) -> None:
        """Handle a handshake that succeeded; what is watched changes once, after the callback."""
        self.is_secured = True
        self._handshake = None
        del self.doRead, self.doWrite
        self._on_secured()
        if not self.disconnected:
            self.watch(self._reads, self._writes)
            if self._reads:
                quick_ack(self.socket)

    def read_when_writable(self) -> None:
        """Read again when there is room to send: until then the socket would stay readable."""
        self.watch(False, True)
        self.doWrite = self._read_again  # type: ignore[method-assign]

    def _read_again(self) -> Any:
        del self.doWrite
        self.watch(self._reads, True)
        return self.doWrite()

    def _end_handshake(self) -> None:
        """Apply the read and write interest recorded during the handshake."""
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            if not handshake.is_over:
                handshake.stop()
            del self.doRead, self.doWrite
            self.watch(self._reads, self._writes)


LAST_CHANCE_SECONDS = 5.0
"""Seconds for a handshake whose connection is to be closed after it."""
FIRST_BYTES_SECONDS = 2.0
"""Seconds of these in which the peer's first bytes must arrive."""
PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
MAX_PEEK_BYTES = 64 * 1024
"""Bytes to read when a handshake failed: closing with unread bytes would send an RST."""
_peeked = memoryview(bytearray(MAX_PEEK_BYTES))  # used within one call, on the reactor thread
REASON_TEXTS = {
    "HTTP_REQUEST": "that was HTTP",
    "WRONG_VERSION_NUMBER": "that was not TLS",
    "UNEXPECTED_MESSAGE": "that was not the beginning of TLS",
    "UNSUPPORTED_PROTOCOL": "its version of TLS is too old",
    "NO_SHARED_CIPHER": "it has none of the ciphers used here",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not of the authorities known here",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not trust the certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not trust the certificate",
}
"""By OpenSSL's name of the error; others are reported by that name."""


class HandshakeError(Exception):
    """Why a handshake failed; the text is for users."""

    def __init__(self, reason: str, refused: bytes | None = None) -> None:
        super().__init__(reason)
        self.refused = refused
        """The peer's certificate in DER if that is why (empty if not known), else None."""


@dataclass(slots=True)
class HandshakeOptions:
    """The parameters of one handshake."""

    timeout: float = 0.0
    """Seconds; 0 for no limit."""
    secured: Callable[[], object] = bool
    """Called by the transport when the handshake succeeded."""
    time_budget: TimeBudget | None = None
    """The reactor time that handshakes share; None for no limit."""
    accepts_alpn: Callable[[tuple[bytes, ...]], bool] | None = None
    """Returns whether one of the protocols that a client offers (ALPN) is acceptable."""
    keeps_hello: bool = False
    """Whether the first bytes of a client, with its ClientHello, stay in the transport."""


class Handshake:
    """Drives ``transport.socket`` to the end of its handshake, then calls ``over``.

    A failed handshake is ended by an alert and ``transport.connectionLost`` with a
    `HandshakeError`.
    """

    begun = False
    """Whether the peer has sent anything."""
    is_over = False
    """Whether it succeeded, failed or was stopped."""
    _writes = False
    _deadline: IDelayedCall | None = None

    def __init__(self, transport: Any, terms: HandshakeOptions, over: Callable[[], object]) -> None:
        self._transport = transport
        self._socket: ssl.SSLSocket = transport.socket
        self._reactor = transport.reactor
        self._terms = terms
        self._over = over
        self._accepts_alpn = terms.accepts_alpn
        self._hello = b""
        if terms.timeout:
            self._set_deadline(terms.timeout)
        self._watch(reading=True, writing=not self._socket.server_side)  # clients begin

    def ready(self) -> None:
        """Continue: the socket is ready."""
        self.begun = self.begun or self._socket.server_side or not self._writes
        time_budget = self._terms.time_budget
        if time_budget is None:
            self._step()
        elif not time_budget.take(self._step):
            self._watch(reading=False, writing=False)

    def continue_if_readable(self) -> None:
        """Take the next step if bytes of the peer have arrived, without waiting for the reactor."""
        try:
            arrived = socket.socket.recv(self._socket, 1, PEEK)
        except OSError:
            return
        if arrived:
            self.ready()

    def hurry(self, late: Callable[[], object] | None = None) -> None:
        """Limit the remaining time, because the connection is to be closed.

        Afterwards call ``late``, or fail. A peer that has sent nothing gets less time.
        """
        if late is None or self.begun:
            self._set_deadline(LAST_CHANCE_SECONDS, late)
        else:
            self._set_deadline(FIRST_BYTES_SECONDS, lambda: self._last_chance(late))

    def _last_chance(self, late: Callable[[], object]) -> None:
        if self.begun:
            self._set_deadline(LAST_CHANCE_SECONDS - FIRST_BYTES_SECONDS, late)
        else:
            late()

    def stop(self) -> None:
        """Stop using the transport."""
        self.is_over = True
        if self._deadline is not None:
            self._set_deadline(0)

    def fail(self, reason: str, refused: bytes | None = None) -> None:
        """Close the connection; ``refused`` is the certificate that was not acceptable."""
        self.stop()
        own = self._socket
        with suppress(OSError):
            socket.socket.shutdown(own, socket.SHUT_WR)
            socket.socket.recv_into(own, _peeked, 0, socket.MSG_DONTWAIT)
        self._transport.connectionLost(Failure(HandshakeError(reason, refused)))

    def _step(self) -> None:
        if self.is_over:
            return
        own = self._socket
        if self._accepts_alpn is not None and self._is_for_others(own, self._accepts_alpn):
            return
        try:
            do_handshake(own)
        except ssl.SSLWantReadError:
            quick_ack(own)
            self._watch(reading=True, writing=False)
        except ssl.SSLWantWriteError:
            self._watch(reading=False, writing=True)
        except ssl.SSLCertVerificationError as error:
            text = _reason(error) if own.server_side else error.verify_message
            self.fail(text, unverified_peer_certificate(own))
        except OSError as error:
            self.fail(_reason(error))
        else:
            self.stop()
            self._over()

    def _is_for_others(
        self, own: ssl.SSLSocket, accepts: Callable[[tuple[bytes, ...]], bool]
    ) -> bool:
        """End a handshake whose client offers none of our protocols; returns whether it did.

        OpenSSL then reads exactly the bytes that were peeked at here, as long as the ClientHello is
        incomplete.
        """
        try:
            self._hello += _peeked[: socket.socket.recv_into(own, _peeked, 0, PEEK)]
        except OSError:
            return False
        offered = offered_protocols(self._hello)
        if offered is None:
            return False
        if self._terms.keeps_hello:
            self._transport.client_hello = self._hello
        self._accepts_alpn, self._hello = None, b""
        if not offered or accepts(offered):
            return False
        with suppress(OSError):
            socket.socket.send(own, NO_APPLICATION_PROTOCOL_ALERT)
        self.fail(f"the client offers only other protocols (ALPN: {protocol_names_text(offered)})")
        return True

    def _watch(self, reading: bool, writing: bool) -> None:
        self._transport.watch(reading, writing)
        self._writes = writing

    def _set_deadline(self, seconds: float, late: Callable[[], object] | None = None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if seconds:
            late = late or partial(self._late, seconds)
            self._deadline = self._reactor.callLater(seconds, late)

    def _late(self, seconds: float) -> None:
        self.fail(f"it took longer than {seconds_text(seconds)}")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return "the connection ended before"
    reason: str = getattr(error, "reason", None) or str(error)
    return REASON_TEXTS.get(reason, reason.replace("_", " ").lower())
