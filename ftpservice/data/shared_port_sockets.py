"""The listening sockets of the shared passive port."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.data.passive_ports import listening_socket
from ftpservice.net.accepted_tcp import OF_ONE_CONNECTION

__all__ = ["SharedPortSocket", "listening_sockets"]

log = Logger("ftpservice")

BACKLOG = 4096
"""Connections that wait in the kernel, of all sessions."""
MAX_ACCEPTS = 100
"""Connections that are accepted before the reactor turns to other events."""
PAUSE_SECONDS = 0.1
"""Seconds until connections are accepted again, after there was no descriptor."""
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def listening_sockets(port: int, *, keeps_alive: bool) -> list[socket.socket]:
    """Listen on a port of all addresses, IPv4 and IPv6; raises `OSError`.

    Accepted sockets inherit TCP_NODELAY and, with ``keeps_alive``, SO_KEEPALIVE.
    """
    found: list[socket.socket] = []
    try:
        found.append(listening_socket("0.0.0.0", port, keeps_alive, BACKLOG))
        try:
            found.append(listening_socket("::", port, keeps_alive, BACKLOG))
        except OSError as error:
            if error.errno not in NO_IPV6:
                raise
    except BaseException:
        for own in found:
            own.close()
        raise
    return found


@implementer(IReadDescriptor)
class SharedPortSocket:
    """One listening socket of the port; connections wait in the kernel until `start`."""

    def __init__(
        self,
        reactor: Any,
        own: socket.socket,
        accepted: Callable[[socket.socket, tuple[Any, ...]], object],
    ) -> None:
        self._reactor = reactor
        self._own = own
        self._family = own.family
        self._accepted = accepted
        self._resuming: IDelayedCall | None = None

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "data port"

    def start(self) -> None:
        """Accept connections from now on."""
        self._reactor.addReader(self)

    def doRead(self) -> None:
        """Accept the connections that wait."""
        self.accept_pending()

    def accept_pending(self) -> None:
        """Accept the connections that wait in the kernel."""
        own = self._own
        for _ in range(MAX_ACCEPTS):
            if own.fileno() < 0:
                return
            try:
                descriptor, peer = own._accept()  # type: ignore[attr-defined]  # of `accept`, only this is needed
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in OF_ONE_CONNECTION:
                    continue
                self._pause(error)
                return
            accepted = socket.socket(self._family, socket.SOCK_STREAM, 0, descriptor)
            try:
                self._accepted(accepted, peer)
            except Exception:  # noqa: BLE001 - the port continues whatever fails
                log.failure("a data connection could not be begun")
                accepted.close()

    def connectionLost(self, _reason: Failure) -> None:
        """Stop listening: the reactor stops."""
        self.close()

    def stop(self) -> None:
        """Let connections wait in the kernel."""
        resuming, self._resuming = self._resuming, None
        if resuming is not None:
            resuming.cancel()
        if self._own.fileno() >= 0:
            self._reactor.removeReader(self)

    def close(self) -> None:
        """Stop listening; may be repeated."""
        self.stop()
        self._own.close()

    def _pause(self, error: OSError) -> None:
        """Do not watch the port for a while: there is no descriptor for what waits there."""
        if self._resuming is None:
            log.warn("the passive port cannot accept: {reason}", reason=error.strerror)
            self._reactor.removeReader(self)
            self._resuming = self._reactor.callLater(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self._reactor.addReader(self)
