"""TLS of the data connections of one session (PROT P, RFC 4217 §9).

Session resumption shows whose data connection it is: one that resumes the TLS session of the
control connection comes from a client that has that session's secret. The session id identifies
the session; the peer's address does not, several clients may share it. Session ids are OpenSSL's
and only a resumed connection counts, so that a client cannot claim the id of another session.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from twisted.internet.interfaces import IProtocol

from ftpservice.net.tls.alpn import alpn_fits_data
from ftpservice.net.tls.client_hello import offers_only
from ftpservice.net.tls.server import TLSContexts
from ftpservice.net.tls.transport import HandshakeOptions, TLSTransport, adopt_socket

__all__ = ["PLAINTEXT_DATA", "DataProtection", "DataTLSContext", "SessionReuseHabit"]

RELIABLE_RESUMPTIONS = 2
"""Data connections in a row that have to resume before that is expected of the next one."""


class SessionReuseHabit:
    """Whether a client resumes the TLS session of its control connection; None: not known yet."""

    resumes: bool | None = None
    resumed_in_a_row = 0
    """How many of the last data connections did. Some clients use each ticket once only."""

    @property
    def is_reliable(self) -> bool:
        """Whether the next data connection most likely resumes it too."""
        return self.resumed_in_a_row >= RELIABLE_RESUMPTIONS

    def observe(self, is_resumed: bool, is_contested: bool) -> None:
        """Record one data connection; ``is_contested``: it may have been another client's."""
        self.resumed_in_a_row = self.resumed_in_a_row + 1 if is_resumed else 0
        if is_resumed or not is_contested:
            self.resumes = is_resumed


@dataclass(frozen=True)
class DataTLSContext:
    """What data connections under TLS are made with: that of the control connection."""

    contexts: TLSContexts
    control_session_id: Callable[[], bytes]
    """Returns the id of the TLS session of the control connection."""
    session_reuse: SessionReuseHabit = field(default_factory=SessionReuseHabit, compare=False)

    @classmethod
    def of(cls, control: TLSTransport) -> DataTLSContext | None:
        """Return that of a control connection; None unless its handshake is complete."""
        if control.contexts is None or not control.is_secured:
            return None
        return cls(control.contexts, lambda: control.session_id)

    def accept(
        self,
        secured: Callable[[], object],
        own: socket.socket,
        protocol: IProtocol,
        _peer: tuple[Any, ...],
        reactor: Any,
    ) -> TLSTransport:
        """Begin TLS on an accepted connection; ``secured`` is called after the handshake."""
        wrapped = self.contexts.wrap(own, data=True)
        transport = TLSTransport(
            wrapped, protocol, None, reactor, self._handshake_options(reactor, secured)
        )
        transport.has_socket_options = True
        return transport

    def start_tls(
        self, transport: Any, protocol: IProtocol, secured: Callable[[], object]
    ) -> TLSTransport:
        """Begin TLS, as the TLS server, on a connection that this side has made."""
        wrap = partial(self.contexts.wrap, data=True)
        options = self._handshake_options(transport.reactor, secured)
        return adopt_socket(transport, protocol, wrap, options)

    def is_of(self, data: TLSTransport, *, proven: bool) -> bool:
        """Return whether a data connection resumed the TLS session of the control connection.

        Unless it is to be ``proven``, its ClientHello is believed, which takes no memory (see
        `TLSTransport.session_id`). A client with another session of this server can deceive that
        (`offers_only`), but then it has only preferred one of several connections to another.
        """
        hello, data.client_hello = data.client_hello, b""
        if not data.session_reused:
            return False
        own = self.control_session_id()
        if own and not proven and offers_only(hello, own, data.socket.version()):
            return True
        return data.session_id == own != b""

    def _handshake_options(self, reactor: Any, secured: Callable[[], object]) -> HandshakeOptions:
        time_budget = self.contexts.time_budget(reactor)
        return HandshakeOptions(
            secured=secured,
            time_budget=time_budget,
            accepts_alpn=alpn_fits_data,
            keeps_hello=True,
        )


class DataProtection(Protocol):
    """Whether the next data connection of a session is under TLS."""

    data: bool
    """Whether it is (PROT P)."""

    def next_data_tls(self) -> DataTLSContext | None:
        """Return what the next data connection is made with; None for plaintext."""


class PlaintextData:
    """No data connection is under TLS."""

    data = False

    def next_data_tls(self) -> None:
        """Return None."""


PLAINTEXT_DATA: DataProtection = PlaintextData()
