"""The socket options and the addresses of a control connection."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import ITCPTransport

from ftpservice.data.connector import ControlAddresses
from ftpservice.net.proxy_protocol import is_proxied
from ftpservice.net.socket_state import socket_of
from ftpservice.wire.addresses import canonical_host

__all__ = ["control_addresses", "set_socket_options"]


def set_socket_options(transport: Any) -> None:
    """Set TCP_NODELAY, for small replies, SO_KEEPALIVE, and SO_OOBINLINE, for ABOR.

    ABOR is sent as urgent data (RFC 959 §4.1.3). Without SO_OOBINLINE the kernel would take the
    urgent byte out of the stream, and with it the end of the line.
    """
    if ITCPTransport.providedBy(transport):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
    own = socket_of(transport)
    if own is not None and own.family != socket.AF_UNIX:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def control_addresses(transport: Any) -> ControlAddresses:
    """Return the hosts of the connection; those of the PROXY header if there is one."""
    peer = getattr(transport.getPeer(), "host", None)
    local = getattr(transport.getHost(), "host", "")
    return ControlAddresses(
        canonical_host(peer) if peer else None, canonical_host(local), is_proxied(transport)
    )
