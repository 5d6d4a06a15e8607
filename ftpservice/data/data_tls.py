"""TLS of the data connections of one session (PROT P).

Whose data connection it is can be told by its TLS session: one that goes on with the session of
the control connection comes from a client that has that session's secret. The session's number
says it, the peer's address does not: there may be others behind it. So that nobody takes another
session's number for his own, numbers are OpenSSL's, and only connections that it resumed count.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.internet.interfaces import IProtocol

from ftpservice.net.tls.alpn import alpn_fits_data
from ftpservice.net.tls.server import TLSContexts
from ftpservice.net.tls.transport import HandshakeOptions, TLSTransport, adopt_socket

__all__ = ["DataTLSContext", "SessionReuseHabit", "no_tls"]


class SessionReuseHabit:
    """Whether a client resumes the TLS session of its control connection; None: not known yet."""

    resumes: bool | None = None

    def learn(self, is_resumed: bool, is_contested: bool) -> None:
        """Learn from one data connection; ``is_contested``: it may have been somebody else's."""
        if is_resumed or not is_contested:
            self.resumes = is_resumed


@dataclass(frozen=True)
class DataTLSContext:
    """What the data connections of a session are made with, as its control connection was."""

    contexts: TLSContexts
    session_id: bytes
    """Of the TLS session of the control connection."""
    session_reuse: SessionReuseHabit = field(default_factory=SessionReuseHabit, compare=False)
    """What its data connections have shown so far."""

    @classmethod
    def of(cls, control: TLSTransport) -> DataTLSContext | None:
        """Return that of a session; None without a handshake of ours."""
        if control.contexts is None or not control.is_secured:
            return None
        return cls(control.contexts, control.session_id)

    def accept(
        self,
        secured: Callable[[], object],
        own: socket.socket,
        protocol: IProtocol,
        _peer: tuple[Any, ...],
        reactor: Any,
    ) -> TLSTransport:
        """Begin TLS on a connection that was accepted; ``secured`` is called at the end."""
        covered = self.contexts.wrap(own, data=True)
        begun = TLSTransport(covered, protocol, None, reactor, self._terms(reactor, secured))
        begun.has_socket_options = True
        return begun

    def start_tls(
        self, transport: Any, protocol: IProtocol, secured: Callable[[], object]
    ) -> TLSTransport:
        """Begin TLS, as a server, on a connection that we have made."""
        wrap = partial(self.contexts.wrap, data=True)
        return adopt_socket(transport, protocol, wrap, self._terms(transport.reactor, secured))

    def is_of(self, data: TLSTransport) -> bool:
        """Tell whether a data connection goes on with the session of the control connection."""
        return data.session_reused and data.session_id == self.session_id != b""

    def _terms(self, reactor: Any, secured: Callable[[], object]) -> HandshakeOptions:
        turns = self.contexts.turns(reactor)
        return HandshakeOptions(secured=secured, turns=turns, accepts_alpn=alpn_fits_data)


def no_tls() -> None:
    """Return the cover of data connections that have none."""
