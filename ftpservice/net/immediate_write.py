"""Sending without a turn of the reactor, where the socket takes it at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection

__all__ = ["half_close_now", "write_now"]


def write_now(transport: Any, data: bytes) -> None:
    """Write ``data`` to a transport; what the kernel takes now does not wait for the reactor.

    The order of what is written stays as it is. A transport that is not a plain stream of this
    reactor's, or has not yet sent what it was given, is written to as always.
    """
    if (
        isinstance(transport, FileDescriptor)
        and transport.connected
        and not transport.disconnecting
        and not transport._writeDisconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    ):
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):
            data = data[sent:]
    if data:
        transport.write(data)


def half_close_now(transport: Any) -> None:
    """Send a FIN behind what was written (``loseWriteConnection``), now if nothing waits."""
    if _is_idle(transport) and isinstance(transport, Connection):
        transport._writeDisconnected = True
        transport._closeWriteConnection()
    else:
        transport.loseWriteConnection()


def _is_idle(transport: Any) -> bool:
    """Tell whether this is a plain stream that has sent all it was given."""
    return (
        isinstance(transport, FileDescriptor)
        and bool(transport.connected)
        and not transport.disconnecting
        and not transport._writeDisconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    )
