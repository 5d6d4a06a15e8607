"""One HTTP connection, with limits of time and size; under TLS if its factory says so."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from ftpservice.concurrency.timers import Deadline
from ftpservice.net.socket_state import bytes_acked
from ftpservice.net.tls.server import ServerTLS
from ftpservice.net.tls.transport import upgrade_to_tls
from ftpservice.web.http.web_request import WebRequest

__all__ = ["IDLE_CHECKS", "IDLE_SECONDS", "REQUEST_SECONDS", "WebChannel"]

REQUEST_SECONDS = 30.0
"""Time for a request to arrive, from the connection or from its first byte to its last."""
IDLE_SECONDS = 60.0
"""Time after an answer in which no request begins, and the client takes no byte of the answer."""
IDLE_CHECKS = 4
"""Looks in that time whether the client has taken some."""
HANDSHAKE_SECONDS = 20.0
HTTP_1_1 = b"http/1.1"


def _is_http(offered: tuple[bytes, ...]) -> bool:
    return HTTP_1_1 in offered


class WebChannel(HTTPChannel):
    """A connection; ``registry`` counts it, and ``tls`` (None: plaintext) encrypts it."""

    requestFactory = WebRequest
    timeOut = None  # Twisted's starts again with each byte
    maxHeaders = 100
    totalHeadersSize = 16 * 1024
    may_finish = False
    """Whether its request transfers a file, and may finish when the service stops."""

    def __init__(self, registry: Any, tls: ServerTLS | None) -> None:
        super().__init__()
        self.factory = self.site = registry
        self._tls = tls
        self._deadline = Deadline(registry.reactor, self._expired)
        self._is_idle = False
        """Whether an answer was written, and the next request has not begun."""
        self._quiet_checks = self._acked = 0
        self._is_draining = False

    def connectionMade(self) -> None:
        """Start TLS and the timer."""
        if self._tls is not None:
            encrypted = upgrade_to_tls(
                self.transport,
                self._tls,
                handshake_timeout=HANDSHAKE_SECONDS,
                accepts_alpn=_is_http,
            )
            encrypted.resumeProducing()
        super().connectionMade()
        self.factory.add(self)
        self._deadline.set(REQUEST_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the timer."""
        self._deadline.clear()
        self.factory.remove(self)
        super().connectionLost(reason)

    def isSecure(self) -> bool:
        """Return whether the connection is encrypted."""
        return self._tls is not None

    def drain_and_close(self, seconds: float) -> None:
        """Close our side after what was written, and drop what still arrives for that time.

        Closing with unread bytes would send an RST, which can overtake the answer.
        """
        self._is_draining = True
        self._is_idle = False
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.resumeProducing()
        transport.loseWriteConnection()
        self._deadline.set(seconds)

    def hold(self) -> None:
        """Read no more of a body until `proceed`; it has time until then."""
        self._deadline.clear()
        transport: Any = self.transport
        transport.pauseProducing()

    def proceed(self, seconds: float) -> None:
        """Read on after `hold`; see `expect`."""
        transport: Any = self.transport
        transport.resumeProducing()
        self.expect(seconds)

    def expect(self, seconds: float) -> None:
        """End the connection if nothing more of the body arrives for that time; 0: never."""
        if seconds:
            self._deadline.set(seconds)
        else:
            self._deadline.clear()

    def dataReceived(self, data: bytes) -> None:
        """Receive; the first byte after an answer begins the time of the next request."""
        if self._is_draining:
            return
        if self._is_idle:
            self._end_idle()
            self._deadline.set(REQUEST_SECONDS)
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        """Handle a request that is complete: the answer may take its time.

        It may have waited in a buffer while another one was answered.
        """
        if not self._is_draining:
            self._end_idle()
            self._deadline.clear()
            super().allContentReceived()

    def _end_idle(self) -> None:
        if self._is_idle:
            self._is_idle = False
            self.factory.set_idle(self, False)

    def _send100Continue(self) -> None:
        """Ask for the body, unless the request was refused."""
        if not self._is_draining:
            super()._send100Continue()

    def requestDone(self, request: Any) -> None:
        """Wait for the next request."""
        self._is_idle = True
        self.factory.set_idle(self, True)
        self._quiet_checks, self._acked = 0, bytes_acked(self.transport)
        self._deadline.set(IDLE_SECONDS / IDLE_CHECKS)
        self.may_finish = False
        super().requestDone(request)
        if self.factory.is_closing:
            self.loseConnection()

    def _expired(self) -> None:
        """End the connection, unless its client still reads the last answer."""
        if self._is_idle:
            acked = bytes_acked(self.transport)
            self._quiet_checks = self._quiet_checks + 1 if acked == self._acked else 0
            self._acked = acked
            if self._quiet_checks < IDLE_CHECKS:
                self._deadline.set(IDLE_SECONDS / IDLE_CHECKS)
                return
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()
