"""The client's end of a session under TLS, over blocking sockets, strict about how TLS ends."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tests.support.raw_client import Served
from tests.support.tcp_wire import Answer, Wire, everything

__all__ = ["BOTH", "TLS12", "TLS13", "TLSWire", "client_context", "implicit"]

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = {"1.2": TLS12, "1.3": TLS13}


def client_context(
    version: ssl.TLSVersion = TLS13, certificate: Path | None = None
) -> ssl.SSLContext:
    """Return a context that speaks one version and believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


class TLSWire(Wire):
    """A control connection that can go under TLS; data follows as ``private`` says."""

    end: ssl.SSLSocket
    private = False

    def __init__(
        self, served: Served, end: socket.socket, context: ssl.SSLContext, greeted: bool = True
    ) -> None:
        self.context = context
        super().__init__(served, end, greeted)

    def auth(self, mechanism: str = "TLS") -> TLSWire:
        """Say AUTH, and shake hands."""
        assert self.code(f"AUTH {mechanism}") == 234
        return self.shake()

    def shake(self) -> TLSWire:
        """Shake hands."""
        assert self._pending == b""
        self.end = self.wrapped(self.end)
        return self

    def protect(self) -> TLSWire:
        """Have data under TLS."""
        assert self.codes("PBSZ 0", "PROT P") == [200, 200]
        self.private = True
        return self

    def wrapped(self, plain: socket.socket, again: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """Return a socket under TLS; an end without close_notify is an error."""
        own = self.context.wrap_socket(plain, suppress_ragged_eofs=False, session=again)
        self.served.adopt(own)
        return own

    def data(self, source: str = "") -> socket.socket:
        """Make a passive data connection, with the session of this one."""
        plain = super().data(source)
        return self.wrapped(plain, self.end.session) if self.private else plain

    def upload(self, command: str | bytes, content: bytes) -> Answer:
        """Carry out an upload in order, TLS's own end included."""
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
        """Tell whether the server has ended TLS in order, with nothing more said."""
        assert self._pending == b""
        return self.end.recv(1) == b""

    def rest(self) -> bytes:
        """Return all that comes, to the end in order."""
        return self._pending + everything(self.end)


def implicit(served: Served, context: ssl.SSLContext | None = None) -> TLSWire:
    """Open a session where TLS comes first."""
    wire = TLSWire(
        served,
        served.connected(("127.0.0.1", served.ports[-1])),
        context or client_context(),
        greeted=False,
    ).shake()
    assert wire.reply().code == 220
    wire.private = True
    return wire
