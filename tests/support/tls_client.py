"""The client side of a session with TLS on blocking sockets; a missing close_notify is an error."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tests.support.raw_client import RunningService
from tests.support.tcp_wire import Answer, Wire, receive_all

__all__ = ["BOTH", "TLS12", "TLS13", "TLSWire", "client_context", "implicit"]

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = {"1.2": TLS12, "1.3": TLS13}


def client_context(
    version: ssl.TLSVersion = TLS13, certificate: Path | None = None
) -> ssl.SSLContext:
    """Return a context for one version that verifies no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


class TLSWire(Wire):
    """A control connection with TLS; data connections use TLS if ``private`` is set."""

    end: ssl.SSLSocket
    private = False

    def __init__(
        self,
        served: RunningService,
        end: socket.socket,
        context: ssl.SSLContext,
        greeted: bool = True,
    ) -> None:
        self.context = context
        super().__init__(served, end, greeted)

    def auth(self, mechanism: str = "TLS") -> TLSWire:
        """Send AUTH and do the handshake."""
        assert self.code(f"AUTH {mechanism}") == 234
        return self.handshake()

    def handshake(self) -> TLSWire:
        """Do the handshake."""
        assert self._pending == b""
        self.end = self.wrapped(self.end)
        return self

    def protect(self) -> TLSWire:
        """Send PBSZ and PROT P: data connections use TLS."""
        assert self.codes("PBSZ 0", "PROT P") == [200, 200]
        self.private = True
        return self

    def wrapped(self, plain: socket.socket, again: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """Return a socket with TLS; an end without close_notify is an error."""
        own = self.context.wrap_socket(plain, suppress_ragged_eofs=False, session=again)
        self.served.close_later(own)
        return own

    def data(self, source: str = "") -> socket.socket:
        """Open a passive data connection that resumes the TLS session of the control connection."""
        plain = super().data(source)
        return self.wrapped(plain, self.end.session) if self.private else plain

    def upload(self, command: str | bytes, content: bytes) -> Answer:
        """Upload and end with close_notify; return the last reply."""
        if not self.private:
            return super().upload(command, content)
        data = self.data()
        assert isinstance(data, ssl.SSLSocket)
        first = self.ask(command)
        assert first.code == 150, first
        data.sendall(content)
        data.unwrap().close()
        return self.reply()

    def over(self) -> bool:
        """Return whether the server ends TLS with close_notify and sends nothing more."""
        assert self._pending == b""
        return self.end.recv(1) == b""

    def rest(self) -> bytes:
        """Return everything up to close_notify."""
        return self._pending + receive_all(self.end)


def implicit(served: RunningService, context: ssl.SSLContext | None = None) -> TLSWire:
    """Open a session with implicit TLS."""
    wire = TLSWire(
        served,
        served.connected(("127.0.0.1", served.ports[-1])),
        context or client_context(),
        greeted=False,
    ).handshake()
    assert wire.reply().code == 220
    wire.private = True
    return wire
