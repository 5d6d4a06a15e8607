"""Sending without a turn of the reactor, where the socket takes it at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor

__all__ = ["send_directly"]


def send_directly(transport: Any, data: bytes) -> None:
    """Write ``data`` to a transport; what the kernel takes now does not wait for the reactor.

    The order of what is written stays as it is. A transport that is not a plain stream of this
    reactor's, or has not yet sent what it was given, is written to as always.
    """
    idle = (
        isinstance(transport, FileDescriptor)
        and transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    )
    if idle:
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):
            data = data[sent:]
    if data:
        transport.write(data)
