"""Data connections from the request for one to the transfer: TCP connect, TLS handshake, use.

Passive mode (we connect) asks for a port with EPSV first (RFC 2428 §3), then with PASV. The host in
a reply to PASV is ignored: data comes from the host of the control connection, so a server cannot
send the client anywhere else. TCP connect, TLS handshake and the transfer command proceed at the
same time, because servers differ in which of them they wait for.

A passive connection is made with a socket of our own instead of ``connectTCP``, which starts in the
reactor's next turn and takes two of its turns. To a nearby server the connection then exists before
the transfer command is sent, which is a large part of the time of a file of a few KiB.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IReactorFDSet,
    IReadWriteDescriptor,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.net.accepted_tcp import AcceptedTransport
from ftpservice.net.tls.client import ClientTLS
from ftpservice.net.tls.handshake import HandshakeError
from ftpservice.stream.connection import PendingStream, StreamConnection
from ftpservice.stream.stall_timeout import Wakeup
from ftpservice.wire.addresses import is_ipv6, same_host
from ftpservice.wire.units import seconds_text
from ftpservice_client.errors import CannotConnect, ClientError, NetworkError, Timeout
from ftpservice_client.link.tls import certificate_error, verify_pin
from ftpservice_client.settings import Settings

__all__ = ["ActiveConnection", "ClientConnection", "PassiveConnection", "PendingConnection"]


class ClientConnection(StreamConnection):
    """A stream connection of the client; records how it ended."""

    error: BaseException | None = None
    """Why the transport is gone."""
    has_received_eof = False
    """Whether the server has closed its side."""

    def readConnectionLost(self) -> None:
        """Record the server's FIN."""
        self.has_received_eof = True
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record why the transport is gone."""
        self.has_received_eof = True
        self.error = reason.value
        super().connectionLost(reason)


class PendingConnection(PendingStream):
    """A connection that is being made, and its TLS handshake if it has one."""

    stream: ClientConnection

    def __init__(self, reactor: Any, settings: Settings, tls: ClientTLS | None) -> None:
        super().__init__(reactor, ClientConnection(reactor, settings.stall_timeout, self._made))
        self._reactor = reactor
        self._settings = settings
        self._tls = tls
        self._connected = Wakeup(reactor)
        self.stream.when_lost = self._lost

    def build_protocol(self) -> Protocol:
        """Return the protocol for the transport: the connection itself, or what starts TLS."""
        return self.protocol_for(None if self._tls is None else self._start_tls)

    def _made(self, _data: StreamConnection) -> None:
        if self._tls is None:
            self.settle()
        elif self._connected._waiting is not None:
            self._connected.wake_waiter()

    def _start_tls(self, transport: Any) -> None:
        assert self._tls is not None
        timeout = self._settings.timeout
        encrypted = self._tls.start_tls(transport, self.stream, self._handshake_done, timeout)
        self.stream.makeConnection(encrypted)
        encrypted.doWrite()  # send the ClientHello now, not in the reactor's next turn

    def _handshake_done(self) -> None:
        transport: Any = self.stream.transport
        try:
            verify_pin(self._settings.trust, transport.peer_certificate)
        except ClientError as error:
            self.settle(error)
        else:
            self.settle()

    def _lost(self, reason: str) -> None:
        error = self.stream.error
        if isinstance(error, HandshakeError):
            self.settle(certificate_error(error))
        else:
            self.settle(NetworkError(f"the connection was lost: {reason}"))

    async def wait_connected(self, seconds: float) -> bool:
        """Wait for TCP, not for TLS; return whether it is connected within ``seconds``."""
        self.when_settled = self._connected.wake_waiter
        try:
            while self.stream.transport is None and self.error is None:
                if not await self._connected.wait(seconds):
                    return False
        finally:
            self.when_settled = None
        return self.error is None

    async def connection(self) -> ClientConnection:
        """Wait until a transfer can begin.

        Raises `CannotConnect`, `Timeout`, `CertificateNotTrusted`, `NetworkError`.
        """
        seconds = self._settings.timeout
        await self.wait_settled(seconds, Timeout(f"no connection in {seconds_text(seconds)}"))
        return self.stream

    @property
    def has_traffic(self) -> bool:
        """Whether any byte was sent or received."""
        return self.stream.transport is not None and self.stream.moved > 0

    def abort_if_idle(self, seconds: float) -> IDelayedCall:
        """Abort the connection in ``seconds`` if nothing was sent or received by then."""

        def give_up() -> None:
            if not self.has_traffic:
                self.abort()

        delayed: IDelayedCall = self._reactor.callLater(seconds, give_up)
        return delayed

    def abort(self) -> None:
        """Abort the connection (RST), or stop making it."""
        self.stop()
        if self.stream.transport is not None:
            self.stream.abort()
        else:
            self.settle(NetworkError("the data connection was abandoned"))

    def close_gracefully(self) -> None:
        """End the connection (FIN), or stop making it."""
        self.stop()
        if self.stream.transport is not None:
            self.stream.close_gracefully()

    def stop(self) -> None:
        """Stop connecting or listening."""


@implementer(IReadWriteDescriptor)
class PassiveConnection(PendingConnection, ClientFactory):
    """A passive data connection: from us to the server (PASV, EPSV)."""

    noisy = False
    _connector: IConnector | None = None
    _socket: socket.socket | None = None
    """The socket while it is connecting."""
    _address: tuple[Any, ...] = ()

    def connect(self, host: str, port: int) -> PassiveConnection:
        """Start to connect to a numeric address; a name fails, it is not looked up."""
        if not IReactorFDSet.providedBy(self._reactor):
            seconds = self._settings.timeout or None
            self._connector = self._reactor.connectTCP(host, port, self, timeout=seconds)
            return self
        try:
            if is_ipv6(host):
                flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
                family, _, _, _, self._address = found[0]
            else:
                socket.inet_pton(socket.AF_INET, host)
                family, self._address = socket.AF_INET, (host, port)
            self._connect_socket(socket.socket(family, socket.SOCK_STREAM))
        except OSError as error:
            self._failed(error.strerror or str(error))
        return self

    def _connect_socket(self, own: socket.socket) -> None:
        self._socket = own
        own.setblocking(False)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        code = own.connect_ex(self._address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        try:
            own.getpeername()
        except OSError:
            self._reactor.addWriter(self)
        else:
            self._use_socket(own)

    def _use_socket(self, own: socket.socket) -> None:
        self._socket = None
        protocol = self.build_protocol()
        protocol.makeConnection(AcceptedTransport(own, protocol, self._address, self._reactor))

    def fileno(self) -> int:
        """Return the descriptor of the socket while it is connecting, otherwise -1."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """Return the name for the reactor's log."""
        return "data connection"

    def doRead(self) -> None:
        """Do nothing: the reactor never reads from a socket that is connecting."""

    def doWrite(self) -> None:
        """Find out whether the socket is connected; called by the reactor."""
        own = self._socket
        if own is None:
            return
        self._reactor.removeWriter(self)
        code = own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            try:
                own.getpeername()
            except OSError as error:
                code = error.errno or errno.ENOTCONN
        if code:
            self._failed(os.strerror(code))
        else:
            self._use_socket(own)

    def connectionLost(self, _reason: object) -> None:
        """Find out what happened: an error on the socket, or the reactor stops."""
        self.doWrite()

    def buildProtocol(self, _addr: IAddress | None) -> Protocol:
        """Return the protocol for ``connectTCP``."""
        return self.build_protocol()

    def clientConnectionFailed(self, _connector: IConnector, reason: Failure) -> None:
        """Record why ``connectTCP`` failed."""
        self._failed(reason.getErrorMessage())

    def _failed(self, reason: str) -> None:
        self.stop()
        self.settle(CannotConnect(f"no data connection: {reason}"))

    def stop(self) -> None:
        """Stop connecting."""
        connector, self._connector = self._connector, None
        if connector is not None and self.stream.transport is None:
            connector.disconnect()
        own, self._socket = self._socket, None
        if own is not None:
            self._reactor.removeWriter(self)
            own.close()


class ActiveConnection(PendingConnection, Factory):
    """An active data connection: from the server to us (PORT, EPRT); other hosts are refused."""

    noisy = False
    _port: Any = None

    def listen(self, host: str, peer: str) -> int:
        """Listen on the address ``host`` for ``peer``; returns the port.

        Raises `CannotConnect`.
        """
        self._peer = peer
        try:
            self._port = self._reactor.listenTCP(0, self, backlog=4, interface=host)
        except OSError as error:
            raise CannotConnect(f"cannot listen for a data connection: {error}") from error
        return int(self._port.getHost().port)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return the protocol for the first connection from the server."""
        if self._port is None or not same_host(getattr(addr, "host", ""), self._peer):
            return None
        self.stop()
        return self.build_protocol()

    def stop(self) -> None:
        """Stop listening."""
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
