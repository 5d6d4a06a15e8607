"""A connection over real sockets: a `StreamConnection` and a blocking socket as its peer."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import deferLater

from ftpservice.stream.connection import StreamConnection

PATIENCE = 30.0
"""Timeout of the peer in seconds: no test hangs."""


def plain_socket(host: str = "127.0.0.1") -> socket.socket:
    """Return a client's socket."""
    peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    peer.settimeout(PATIENCE)
    return peer


def send_rst(peer: socket.socket) -> None:
    """Close a socket with an RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def read_to_end(peer: socket.socket) -> bytes:
    """Read to the FIN; blocks, so call it in a thread."""
    received = bytearray()
    while piece := peer.recv(65536):
        received += piece
    return bytes(received)


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


async def until(reactor, condition, timeout: float = PATIENCE) -> None:
    """Let the reactor run until a condition holds."""
    deadline = reactor.seconds() + timeout
    while not condition():
        assert reactor.seconds() < deadline, "timeout"
        await deferLater(reactor, 0.002)


@contextlib.asynccontextmanager
async def connected_pair(
    reactor, stall_timeout: float = PATIENCE, buffers: int | None = None
) -> AsyncIterator[tuple[StreamConnection, socket.socket]]:
    """Connect the two; at the end both are closed and the loss of the connection is awaited."""
    made: Deferred[StreamConnection] = Deferred()
    factory = ServerFactory()
    factory.noisy = False
    factory.buildProtocol = lambda _: StreamConnection(reactor, stall_timeout, made.callback)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    peer = plain_socket()
    if buffers is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
    peer.connect(("127.0.0.1", port.getHost().port))
    connection = await made
    if buffers is not None:
        own = connection.transport.getHandle()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
    await port.stopListening()
    try:
        yield connection, peer
    finally:
        peer.close()
        connection.abort()
        await until(reactor, lambda: connection.lost)
