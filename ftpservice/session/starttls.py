"""Starts TLS on a control connection, and ends it again (CCC), while the session continues.

A PROXY wrapper may stand between the session and the transport that has the socket; the latter is
replaced. Bytes that arrived before the change never reach the session afterwards (STARTTLS
injection): reading stops when AUTH or CCC is carried out, and the session drops what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IPullProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

from ftpservice.data.data_tls import DataTLSContext
from ftpservice.net.proxy_protocol import is_proxied
from ftpservice.net.tls.peer_certificate import certificate_names
from ftpservice.net.tls.server import ServerTLS
from ftpservice.net.tls.transport import TLSTransport, upgrade_to_tls

__all__ = [
    "PostTLSTransport",
    "call_when_sent",
    "handshake_failed",
    "negotiated_tls",
    "start_server_tls",
    "stop_tls",
]


def call_when_sent(transport: Any, call: Callable[[], object]) -> None:
    """Call ``call`` when everything written has been sent; no producer may be registered."""
    below = _below(transport)
    if below.dataBuffer or below._tempDataBuffer:
        transport.registerProducer(_SentNotifier(transport, call), False)
    else:
        call()


@implementer(IPullProducer)
class _SentNotifier:
    """A producer that is resumed once when it is registered, and again when all is sent."""

    def __init__(self, transport: Any, call: Callable[[], object]) -> None:
        self._transport = transport
        self._call = call
        self._was_resumed = False

    def resumeProducing(self) -> None:
        if self._was_resumed:
            self._transport.unregisterProducer()
            self._call()
        self._was_resumed = True

    def stopProducing(self) -> None:
        """Do nothing: the connection is lost."""


def start_server_tls(
    transport: Any, tls: ServerTLS, timeout: float, secured: Callable[[], object]
) -> Any:
    """Begin TLS and return the session's new transport.

    ``secured`` is called after the handshake.
    """
    below = upgrade_to_tls(_below(transport), tls, handshake_timeout=timeout, secured=secured)
    return transport if is_proxied(transport) else below


def negotiated_tls(transport: Any) -> tuple[str, frozenset[str], DataTLSContext | None]:
    """Return the results of a handshake.

    They are the TLS version and cipher, the accounts that the client certificate names, and what
    the session's data connections are made with.
    """
    below = _below(transport)
    names = certificate_names(below.socket.getpeercert())
    return below.description, names, DataTLSContext.of(below)


def handshake_failed(transport: Any) -> bool:
    """Return whether a TLS handshake was begun on a connection and is not complete."""
    below = _below(transport)
    return isinstance(below, TLSTransport) and not below.is_secured


def stop_tls(transport: Any) -> Deferred[Any]:
    """End TLS (close_notify both ways); fires with the session's new transport."""
    below = _below(transport)

    def cleared(own: Any) -> Any:
        plain = PostTLSTransport(own, below)
        below.protocol.transport = plain
        return transport if is_proxied(transport) else plain

    leaving: Deferred[Any] = below.leave_tls()
    return leaving.addCallback(cleared)


def _below(transport: Any) -> Any:
    return transport.transport if is_proxied(transport) else transport


class PostTLSTransport(Connection):
    """A control connection that has left TLS."""

    logstr = "ftp"

    def __init__(self, own: Any, former: TLSTransport) -> None:
        super().__init__(own, former.protocol, former.reactor)
        self._ends: tuple[IAddress, IAddress] = former.getHost(), former.getPeer()
        self.connected = 1

    def getHost(self) -> IAddress:
        """Return the address of our end."""
        return self._ends[0]

    def getPeer(self) -> IAddress:
        """Return the address of the peer."""
        return self._ends[1]
