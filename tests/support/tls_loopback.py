"""A data connection with TLS over real sockets, and a blocking socket as its peer."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial

from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.threads import deferToThread

from ftpservice.net.tls.server import ServerTLS
from ftpservice.net.tls.transport import HandshakeOptions, TLSTransport, adopt_socket
from ftpservice.stream.connection import StreamConnection
from tests.support.loopback import PATIENCE, plain_socket, until
from tests.support.tls_endpoints import TLS13, client_context


class TLSStarter(Protocol):
    """Puts a data connection on a TLS transport."""

    def __init__(self, connection: StreamConnection, tls: ServerTLS) -> None:
        self.connection = connection
        self.wrap = partial(tls.wrap, data=True)

    def connectionMade(self) -> None:
        transport = adopt_socket(self.transport, self.connection, self.wrap, HandshakeOptions())
        self.connection.makeConnection(transport)


def stream(connection: StreamConnection) -> TLSTransport:
    """Return the transport of a data connection."""
    assert isinstance(connection.transport, TLSTransport)
    return connection.transport


@contextlib.asynccontextmanager
async def connected_tls_pair(
    reactor,
    tls: ServerTLS,
    stall_timeout: float = PATIENCE,
    buffers: int | None = None,
    version: ssl.TLSVersion = TLS13,
) -> AsyncIterator[tuple[StreamConnection, ssl.SSLSocket]]:
    """Connect the two and do the handshake; at the end both are closed."""
    connection = StreamConnection(reactor, stall_timeout)
    factory = ServerFactory()
    factory.noisy = False
    factory.buildProtocol = lambda _: TLSStarter(connection, tls)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    plain = plain_socket()
    if buffers is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
    plain.connect(("127.0.0.1", port.getHost().port))
    wrap = partial(client_context(version).wrap_socket, suppress_ragged_eofs=False)
    peer = await deferToThread(wrap, plain)
    await until(reactor, lambda: connection.transport and stream(connection).is_secured)
    if buffers is not None:
        own = stream(connection).getHandle()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
    await port.stopListening()
    try:
        yield connection, peer
    finally:
        peer.close()
        connection.abort()
        await until(reactor, lambda: connection.lost)


def send_close_notify(peer: ssl.SSLSocket) -> None:
    """Send close_notify without waiting for the peer's."""
    peer.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.unwrap()
    peer.settimeout(PATIENCE)
