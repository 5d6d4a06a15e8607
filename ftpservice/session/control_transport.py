"""The socket options and the addresses of a control connection."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import ITCPTransport

from ftpservice.data.connector import ControlAddresses
from ftpservice.net.accepted_tcp import AcceptedControlTransport
from ftpservice.net.proxy_protocol import is_proxied
from ftpservice.net.socket_state import socket_of
from ftpservice.wire.addresses import canonical_host

__all__ = ["control_addresses", "set_socket_options"]


def set_socket_options(transport: Any) -> None:
    """Set what `set_accepted_transport` sets, on a transport of another kind."""
    if getattr(transport, "has_socket_options", False):
        return
    if ITCPTransport.providedBy(transport):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
    own = socket_of(transport)
    if own is not None and own.family != socket.AF_UNIX:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def control_addresses(transport: Any) -> ControlAddresses:
    """Return the hosts of the connection; those of the PROXY header if there is one."""
    if isinstance(transport, AcceptedControlTransport):
        host, local = transport.hosts()
        return ControlAddresses(canonical_host(host), canonical_host(local))
    peer = getattr(transport.getPeer(), "host", None)
    local = getattr(transport.getHost(), "host", "")
    sender = getattr(transport.transport.getPeer(), "host", "") if is_proxied(transport) else ""
    return ControlAddresses(
        canonical_host(peer) if peer else None,
        canonical_host(local),
        is_proxied(transport),
        canonical_host(sender),
    )
