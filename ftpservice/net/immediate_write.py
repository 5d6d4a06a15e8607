"""Sending without a turn of the reactor, as long as the kernel takes the bytes at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection

__all__ = ["half_close_now", "send_now", "write_now"]


def send_now(transport: Any, data: bytes) -> bytes:
    """Send what the kernel takes now; return the rest, for ``transport.write``.

    All of it is the rest if the transport has buffered bytes, which go first, or is not a plain
    stream of the reactor.
    """
    if (
        isinstance(transport, FileDescriptor)
        and transport.connected
        and not (transport.dataBuffer or transport._tempDataBuffer)
        and not (transport.disconnecting or transport._writeDisconnecting)
    ):
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):
            return data[sent:]
    return data


def write_now(transport: Any, data: bytes) -> None:
    """Write ``data`` in order: what the kernel takes now, the rest by way of the reactor."""
    if rest := send_now(transport, data):
        transport.write(rest)


def half_close_now(transport: Any) -> None:
    """Half-close (``loseWriteConnection``): send a FIN, at once if no bytes are buffered."""
    if (
        isinstance(transport, Connection)
        and transport.connected
        and not (transport.dataBuffer or transport._tempDataBuffer)
        and not (transport.disconnecting or transport._writeDisconnecting)
    ):
        transport._writeDisconnected = True
        transport._closeWriteConnection()
    else:
        transport.loseWriteConnection()
