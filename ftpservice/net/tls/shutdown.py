"""The end of TLS on a connection that continues as plaintext (CCC, RFC 4217 §12.3)."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ftpservice.net.tls.record_io import forget_error

__all__ = ["TLSShutdown"]

CLOSE_NOTIFY_TIMEOUT_SECONDS = 10.0
"""Seconds for the peer's close_notify."""
READ_SIZE = 16 * 1024


class TLSShutdown:
    """Sends close_notify and waits for the peer's; data before it is dropped.

    ``done`` fires with the plaintext socket, or fails if the connection is lost; nothing after the
    peer's close_notify was read.
    """

    def __init__(self, transport: Any) -> None:
        self.done: Deferred[socket.socket] = Deferred()
        self._transport = transport
        self._deadline: IDelayedCall = transport.reactor.callLater(
            CLOSE_NOTIFY_TIMEOUT_SECONDS, transport.abortConnection
        )
        transport.doRead = transport.doWrite = self._step
        transport.startReading()
        self._step()

    def stop(self, reason: Failure) -> None:
        """Handle the loss of the connection."""
        if self._deadline.active():
            self._deadline.cancel()
        if not self.done.called:
            self.done.errback(reason)

    def _step(self) -> None:
        own: ssl.SSLSocket = self._transport.socket
        try:
            self._drop(own)
            own.unwrap()
        except ssl.SSLWantReadError:
            self._transport.stopWriting()
        except ssl.SSLWantWriteError:
            self._transport.startWriting()
        except OSError as error:
            forget_error(error)
            self._transport.connectionLost(Failure(ConnectionLost("not in the order of TLS")))
        else:
            self._deadline.cancel()
            del self._transport.doRead, self._transport.doWrite
            self.done.callback(self._transport.release_socket())

    def _drop(self, own: ssl.SSLSocket) -> None:
        """Read up to the peer's close_notify, as far as it has arrived."""
        try:
            while own.recv(READ_SIZE):
                pass
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            return
