"""Takes a control connection under TLS and out of it again, the session left as it is.

Below a session may lie a PROXY wrapper; what changes is the transport that has the socket. What
is read from that socket before a change is never given to the session behind it: nobody reads it
from the moment in which AUTH or CCC is carried out, and the session drops what it has.
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
    """Call back once the kernel has everything that was written; no producer may be registered."""
    below = _below(transport)
    if below.dataBuffer or below._tempDataBuffer:
        transport.registerProducer(_SentNotifier(transport, call), False)
    else:
        call()


@implementer(IPullProducer)
class _SentNotifier:
    """Is asked for more once when it is registered, and again when all is sent."""

    def __init__(self, transport: Any, call: Callable[[], object]) -> None:
        self._transport = transport
        self._call = call
        self._asked = False

    def resumeProducing(self) -> None:
        if self._asked:
            self._transport.unregisterProducer()
            self._call()
        self._asked = True

    def stopProducing(self) -> None:
        """Learn that the connection is lost; its protocol is told so too."""


def start_server_tls(
    transport: Any, tls: ServerTLS, timeout: float, secured: Callable[[], object]
) -> Any:
    """Begin TLS and return the session's transport from now on; ``secured`` tells of its end."""
    below = upgrade_to_tls(_below(transport), tls, handshake_timeout=timeout, secured=secured)
    return transport if is_proxied(transport) else below


def negotiated_tls(transport: Any) -> tuple[str, frozenset[str], DataTLSContext | None]:
    """Return version and cipher of a connection under TLS, whom its certificate names, its cover.

    That is for the data connections of its session.
    """
    below = _below(transport)
    names = certificate_names(below.socket.getpeercert())
    return below.description, names, DataTLSContext.of(below)


def handshake_failed(transport: Any) -> bool:
    """Tell whether a handshake was begun on a connection and did not come to its end."""
    below = _below(transport)
    return isinstance(below, TLSTransport) and not below.is_secured


def stop_tls(transport: Any) -> Deferred[Any]:
    """End TLS (close_notify both ways); fires with the session's transport from now on."""
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
        """Return the address of the far end."""
        return self._ends[1]
