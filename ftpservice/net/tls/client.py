"""The TLS of a client: the context and session of its connections to one server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IProtocol

from ftpservice.net.tls.transport import HandshakeOptions, TLSTransport, adopt_socket

__all__ = ["ClientTLS"]


class ClientTLS:
    """Starts TLS as a client of the server ``host`` on existing connections.

    All resume one TLS session, that of the first connection: servers may require it as a proof that
    a data connection belongs to the same client.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._context = context
        self._host = host
        self._first: TLSTransport | None = None
        self._kept: ssl.SSLSession | None = None

    def start_tls(
        self, transport: Any, protocol: IProtocol, secured: Callable[[], object], timeout: float = 0
    ) -> TLSTransport:
        """Return a transport with the socket of another one, which must not be used any more.

        ``secured`` is called after a successful handshake; a failed one is reported to the protocol
        by ``connectionLost`` with a `HandshakeError`. The caller gives the transport to the
        protocol. The buffer must be empty.
        """
        wrap = partial(self._wrap, session=self._session)

        def over() -> None:
            if covered is not self._first and not covered.session_reused:
                self._kept = None  # it was refused; there may be a later one
            secured()

        covered = adopt_socket(transport, protocol, wrap, HandshakeOptions(timeout, over))
        self._first = self._first or covered
        return covered

    @property
    def _session(self) -> ssl.SSLSession | None:
        first = self._first
        if first is None or not first.connected:
            return None
        if self._kept is None:  # Python makes a copy of it each time, which takes long
            session: ssl.SSLSession = first.socket.session
            if first.socket.version() == "TLSv1.3" and not session.has_ticket:
                return session
            self._kept = session
        return self._kept

    def _wrap(self, own: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        wrap = partial(
            self._context.wrap_socket,
            server_hostname=self._host,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            session=session,
        )
        try:
            own.getpeername()  # ssl would lose a socket that fails in its hands
            return wrap(own)
        except OSError:
            own.close()
            return wrap(socket.socket(own.family))
