"""Both sides of TLS: certificates, contexts, a server transport and its peer."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, ServerFactory
from zope.interface import implementer

from ftpservice.net.tls.server import ServerTLS, TLSFiles
from ftpservice.net.tls.transport import TLSTransport, upgrade_to_tls
from tests.support.certificates import Authority
from tests.support.loopback import PATIENCE, until

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = {"1.2": TLS12, "1.3": TLS13}
WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


def server_tls(directory: Path) -> ServerTLS:
    """Return TLS with a certificate for 127.0.0.1."""
    return ServerTLS.load(TLSFiles(((Authority(directory).certificate("server"), None),)))


def client_context(version: ssl.TLSVersion = TLS13) -> ssl.SSLContext:
    """Return a client context that verifies no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected non-blocking sockets."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


def shake(*ends: ssl.SSLSocket) -> None:
    """Complete the handshake on both sides; raises the error of either."""
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            with contextlib.suppress(*WAITS):
                end.do_handshake()
                waiting.remove(end)


@implementer(IHalfCloseableProtocol)
class Recorder(Protocol):
    """Starts TLS when connected and records what happens."""

    timeout = PATIENCE
    answer = b""

    def __init__(self, tls: ServerTLS) -> None:
        self.tls = tls
        self.happened: list[str] = []
        self.received = b""
        self.reason: BaseException | None = None

    def connectionMade(self) -> None:
        self.old = self.transport
        upgraded = upgrade_to_tls(
            self.transport, self.tls, handshake_timeout=self.timeout, secured=self.secured
        )
        assert upgraded is self.transport
        upgraded.write(self.answer)
        upgraded.resumeProducing()

    def secured(self) -> None:
        self.happened.append("secured")

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.happened.append("read lost")

    def writeConnectionLost(self) -> None:
        self.happened.append("write lost")

    def connectionLost(self, reason) -> None:
        self.happened.append("lost")
        self.reason = reason.value

    @property
    def stream(self) -> TLSTransport:
        assert isinstance(self.transport, TLSTransport)
        return self.transport


@contextlib.asynccontextmanager
async def accepted(
    reactor, make: Callable[[], Recorder]
) -> AsyncIterator[tuple[Recorder, socket.socket]]:
    """Connect a plaintext client socket to a recorder with TLS; close both at the end."""
    made: list[Recorder] = []
    factory = ServerFactory()
    factory.noisy = False

    def build(_address: object) -> Recorder:
        made.append(make())
        return made[0]

    factory.buildProtocol = build
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    peer = socket.create_connection(("127.0.0.1", port.getHost().port), timeout=PATIENCE)
    await until(reactor, lambda: made and made[0].transport is not None)
    await port.stopListening()
    try:
        yield made[0], peer
    finally:
        peer.close()
        if "lost" not in made[0].happened:
            made[0].transport.abortConnection()
        await until(reactor, lambda: "lost" in made[0].happened)
