"""What accepts one passive data connection: usually a listening socket of its own.

Twisted's `Port` is made for services that listen for long and writes log lines about it. Keeping a
socket open from one transfer to the next was measured: it saves nothing, and a port that is used
again can be predicted (RFC 2577 §8).
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.data.passive_ports import BACKLOG
from ftpservice.data.proxied_connection import MAX_PROXIED, ProxiedConnection
from ftpservice.net.accepted_tcp import AcceptedTransport

__all__ = ["DataListener", "PassiveListener"]

AcceptPeer = Callable[[str], IProtocol | None]
"""Returns the protocol for a connection from a host; ``None`` closes the connection."""
MakeTransport = Callable[[socket.socket, IProtocol, tuple[Any, ...], Any], Any]
"""Makes the transport of a socket, for a protocol, a peer and a reactor."""


class PassiveListener(ABC):
    """Accepts the connections for which ``accept_peer`` returns a protocol, closes the others."""

    expects_resumption = False
    """Whether the connection most likely resumes the TLS session of the control connection."""

    def __init__(self, port: int) -> None:
        self.accept_peer: AcceptPeer | None = None
        self.when_failed: Callable[[str], object] = bool
        """Called with the reason if it is closed because no connection can be accepted."""
        self.make_transport: MakeTransport = AcceptedTransport
        self.port = port
        """What PASV and EPSV announce."""

    @abstractmethod
    def watch(self) -> None:
        """Let the reactor accept connections from now on."""

    @abstractmethod
    def stop_watching(self) -> None:
        """Accept no more connections by the reactor; may be repeated."""

    @abstractmethod
    def accept_pending(self) -> None:
        """Accept the connections that wait in the kernel, until one closes the listener."""

    @abstractmethod
    def close(self) -> None:
        """Accept all waiting connections, then accept no more; may be repeated."""

    @abstractmethod
    def close_now(self) -> None:
        """Accept no more connections; may be repeated."""


@implementer(IReadDescriptor)
class DataListener(PassiveListener):
    """A listening socket for one data connection.

    Connections are accepted when `accept_pending` is called, or by the reactor between `watch` and
    `stop_watching`. A fast client connects and sends its command before the port would be watched;
    then the reactor never sees the socket.

    A connection from a host for which ``is_balancer`` is true has to begin with a PROXY header, and
    is from the client that this names.
    """

    def __init__(
        self,
        reactor: Any,
        own: socket.socket,
        port: int = 0,
        is_balancer: Callable[[str], bool] | None = None,
    ) -> None:
        """``port``: that of ``own``, if the caller knows it."""
        super().__init__(port or own.getsockname()[1])
        self._reactor = reactor
        self._is_balancer = is_balancer
        self._proxied: list[ProxiedConnection] = []
        """The connections of balancers whose header is incomplete."""
        self._own = own
        self._family = super(socket.socket, own).family  # without the enumeration of `socket`
        self._is_watched = False

    @property
    def is_open(self) -> bool:
        """Whether it still listens."""
        return self._own.fileno() >= 0

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "data port"

    def watch(self) -> None:
        """Let the reactor accept connections from now on."""
        if not self._is_watched and self.is_open:
            self._is_watched = True
            self._reactor.addReader(self)

    def stop_watching(self) -> None:
        """Accept no more connections by the reactor; may be repeated."""
        if self._is_watched:
            self._is_watched = False
            self._reactor.removeReader(self)

    def doRead(self) -> None:
        """Accept one connection; the reactor calls again while more wait."""
        self.accept_pending(1)

    def accept_pending(self, most: int = BACKLOG) -> None:
        """Accept the connections that wait in the kernel, until one closes the listener."""
        own = self._own
        if self._proxied:
            self._read_headers()
        while most and own.fileno() >= 0:
            most -= 1
            try:
                descriptor, peer = own._accept()  # type: ignore[attr-defined]  # of `accept`, only this is needed
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self.close_now()  # no descriptor left: a port that is never accepted on would spin
                self.when_failed(f"cannot accept: {error.strerror}")
                return
            accepted = socket.socket(self._family, socket.SOCK_STREAM, 0, descriptor)
            if self._is_balancer is not None and self._is_balancer(peer[0]):
                self._await_header(accepted, peer)
                continue
            protocol = self.accept_peer(peer[0]) if self.accept_peer is not None else None
            if protocol is None:
                accepted.close()
                continue
            protocol.makeConnection(self.make_transport(accepted, protocol, peer, self._reactor))

    def _read_headers(self) -> None:
        for connection in tuple(self._proxied):
            connection.doRead()

    def _await_header(self, accepted: socket.socket, peer: tuple[Any, ...]) -> None:
        if len(self._proxied) >= MAX_PROXIED:
            accepted.close()
            return
        connection = ProxiedConnection(self._reactor, accepted, peer, self._header_ended)
        self._proxied.append(connection)
        connection.start()

    def _header_ended(self, connection: ProxiedConnection) -> None:
        """Begin a connection whose header names a client; close any other."""
        self._proxied.remove(connection)
        host, accepted = connection.client, connection.release()
        protocol = self.accept_peer(host) if host and self.accept_peer is not None else None
        if protocol is None:
            accepted.close()
            return
        transport = self.make_transport(accepted, protocol, connection.peer, self._reactor)
        protocol.makeConnection(transport)

    def connectionLost(self, _reason: Failure) -> None:
        """Stop listening: the reactor stops."""
        self.close_now()

    def close(self) -> None:
        """Accept all waiting connections, then stop listening; may be repeated.

        The kernel would send an RST to the connections that are not accepted.
        """
        self.accept_pending(BACKLOG + 1)
        self.close_now()

    def close_now(self) -> None:
        """Stop listening; may be repeated."""
        if self._is_watched:
            self.stop_watching()
        self._own.close()
        if self._proxied:
            for connection in self._proxied:
                connection.release().close()
            self._proxied = []
