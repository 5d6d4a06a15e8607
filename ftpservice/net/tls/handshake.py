"""A connection that carries nothing before its handshake is over.

The beginning of a connection under TLS; until it is over, nothing else is sent or received.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet import main
from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.python.failure import Failure

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.net.tcp import OnDemandTransport
from ftpservice.net.tls.alpn import (
    NO_APPLICATION_PROTOCOL_ALERT,
    ClientHelloParser,
    protocol_names_text,
)
from ftpservice.net.tls.peer_certificate import unverified_peer_certificate
from ftpservice.net.tls.record_io import quick_ack

__all__ = ["Handshake", "HandshakeError", "HandshakeGatedTransport", "HandshakeOptions"]


class HandshakeGatedTransport(OnDemandTransport):
    """A stream whose wishes to read and write have to wait for a handshake."""

    is_secured = False
    """Whether there was a handshake, to its end."""

    def __init__(
        self, own: ssl.SSLSocket, protocol: IProtocol, reactor: Any, terms: HandshakeOptions
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._reads = self._writes = False
        self._handshake: Handshake | None = Handshake(self, terms, self._secured)

    def startReading(self) -> None:
        """Read, when the handshake is over."""
        self._reads = True
        if self._handshake is None:
            super().startReading()

    def stopReading(self) -> None:
        """Read nothing for now, but what belongs to the handshake."""
        self._reads = False
        if self._handshake is None:
            super().stopReading()

    def startWriting(self) -> None:
        """Write what is kept, when the handshake is over."""
        self._writes = True
        if self._handshake is None:
            super().startWriting()

    def stopWriting(self) -> None:
        """Write nothing for now, but what belongs to the handshake."""
        self._writes = False
        if self._handshake is None:
            super().stopWriting()

    def doRead(self) -> Any:
        """Go on with the handshake, or receive; called by the reactor."""
        if self._handshake is None:
            return self._receive()
        self._handshake.ready()
        return None

    def doWrite(self) -> Any:
        """Go on with the handshake, or send; called by the reactor."""
        if self._handshake is None:
            return super().doWrite()
        self._handshake.ready()
        return None

    def loseConnection(self, *_: object) -> None:
        """Close when all is sent; with nothing to send no handshake is waited for."""
        if self._handshake is None or self.dataBuffer or self._tempDataBuffer:
            super().loseConnection()
            if self._handshake is not None:
                self._handshake.hurry()
        elif not self.disconnecting:
            self.disconnecting = 1
            done = Failure(main.CONNECTION_DONE)
            self.reactor.callLater(0, self.connectionLost, done)

    def abortConnection(self) -> None:
        """Break the connection (RST), at once."""
        if not self.disconnected:
            self._end_handshake()
            super().abortConnection()

    def readConnectionLost(self, reason: Failure) -> None:
        """Tell the protocol of the peer's end."""
        if self._handshake is None:
            super().readConnectionLost(reason)
        else:
            self.connectionLost(Failure(HandshakeError("the connection ended before")))

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell the protocol."""
        self._end_handshake()
        super().connectionLost(reason)

    def _receive(self) -> Any:
        raise NotImplementedError

    def _secured(self) -> None:
        """Let in what waits; the handshake is over, and went well."""
        self.is_secured = True
        self._end_handshake()

    def _end_handshake(self) -> None:
        """Have the reactor do from now on what was wished for till now."""
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.stop()
            self.watch(self._reads, self._writes)


LAST_CHANCE_SECONDS = 5.0
"""Seconds for a handshake whose connection is to be closed when it is over."""
FIRST_BYTES_SECONDS = 2.0
"""Seconds of these in which the peer has to begin."""
PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
MAX_PEEK_BYTES = 64 * 1024
"""Bytes that are read of what was no handshake: to close with some unread sends an RST."""
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
"""By what OpenSSL calls them; others are told in its words."""


class HandshakeError(Exception):
    """Why a connection did not get under TLS, for a person."""

    def __init__(self, reason: str, refused: bytes | None = None) -> None:
        super().__init__(reason)
        self.refused = refused
        """The peer's certificate in DER, empty if not known, if that is what was wrong."""


@dataclass(slots=True)
class HandshakeOptions:
    """What is agreed on a handshake."""

    timeout: float = 0.0
    """Seconds; 0 for ever."""
    secured: Callable[[], object] = bool
    """Called when it is over, if it went well."""
    turns: TimeBudget | None = None
    """What it has to share the reactor's time with; None for no limits."""
    accepts_alpn: Callable[[tuple[bytes, ...]], bool] | None = None
    """Tells a server whether one of the protocols that a client offers (ALPN) will do."""


class Handshake:
    """Drives ``transport.socket`` to the end of its handshake.

    Who fails is closed, after an alert, by ``transport.connectionLost`` with a `HandshakeError`.
    """

    def __init__(self, transport: Any, terms: HandshakeOptions, over: Callable[[], object]) -> None:
        self.begun = False
        """Whether the peer has sent anything."""
        self._transport = transport
        self._reactor = transport.reactor
        self._terms = terms
        self._over = over
        self._stopped = self._writes = False
        self._hello = ClientHelloParser() if terms.accepts_alpn is not None else None
        self._deadline: IDelayedCall | None = None
        self._set_deadline(terms.timeout)
        self._watch(reading=True, writing=not transport.socket.server_side)  # clients begin

    def ready(self) -> None:
        """Go on: the socket has what was waited for."""
        self.begun = self.begun or self._transport.socket.server_side or not self._writes
        turns = self._terms.turns
        if turns is None:
            self._step()
        elif not turns.take(self._step):
            self._watch(reading=False, writing=False)

    def hurry(self, late: Callable[[], object] | None = None) -> None:
        """Wait no longer than for a last chance, then call ``late``, or fail."""
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
        """Leave the transport alone."""
        self._stopped = True
        self._set_deadline(0)

    def fail(self, reason: str, refused: bytes | None = None) -> None:
        """Close the connection; ``refused`` is a certificate that will not do."""
        self.stop()
        own = self._transport.socket
        with suppress(OSError):
            socket.socket.shutdown(own, socket.SHUT_WR)
            socket.socket.recv(own, MAX_PEEK_BYTES, socket.MSG_DONTWAIT)
        self._transport.connectionLost(Failure(HandshakeError(reason, refused)))

    def _step(self) -> None:
        if self._stopped:
            return
        own: ssl.SSLSocket = self._transport.socket
        if self._hello is not None and self._is_for_others(own, self._hello):
            return
        try:
            own.do_handshake()
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
            self._terms.secured()

    def _is_for_others(self, own: ssl.SSLSocket, hello: ClientHelloParser) -> bool:
        """End a handshake whose client offers none of our protocols; tell whether it was ended.

        What is looked at here OpenSSL reads next: all of it, as long as the message is not whole.
        """
        with suppress(OSError):
            hello.feed(socket.socket.recv(own, MAX_PEEK_BYTES, PEEK))
        if not hello.is_complete:
            return False
        self._hello = None
        serves, offered = self._terms.accepts_alpn, hello.offered
        if serves is None or not offered or serves(offered):
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
            late = late or partial(self.fail, f"it took longer than {seconds:g} seconds")
            self._deadline = self._reactor.callLater(seconds, late)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return "the connection ended before"
    reason: str = getattr(error, "reason", None) or str(error)
    return REASON_TEXTS.get(reason, reason.replace("_", " ").lower())
