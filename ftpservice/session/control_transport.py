"""What the socket of a control connection is set to and asked for."""

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
    """No Nagle, for replies are small and waited for; urgent data in line, for ABOR is sent so.

    Without SO_OOBINLINE the kernel would take the urgent byte out of the stream, and with it
    the end of the line (RFC 959 §4.1.3, ABOR).
    """
    if ITCPTransport.providedBy(transport):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
    own = socket_of(transport)
    if own is not None and own.family != socket.AF_UNIX:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def control_addresses(transport: Any) -> ControlAddresses:
    """Return the hosts of the connection; those of a PROXY header where there is one."""
    peer = getattr(transport.getPeer(), "host", None)
    local = getattr(transport.getHost(), "host", "")
    return ControlAddresses(
        canonical_host(peer) if peer else None, canonical_host(local), is_proxied(transport)
    )
