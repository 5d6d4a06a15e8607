"""What the kernel knows about the far end of a connection (Linux).

For a transport without a socket of the kernel, the state is unknown.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios

from twisted.internet.interfaces import ISystemHandle
from twisted.internet.tcp import Connection

__all__ = [
    "bytes_acked",
    "bytes_unacked",
    "has_socket_error",
    "is_established",
    "peer_has_closed",
    "silent_seconds",
    "socket_of",
]

PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
TCP_ESTABLISHED = 1
"""Of linux/tcp_states.h; ``tcpi_state`` is the first byte of ``struct tcp_info``."""
TCP_INFO_BYTES_ACKED = 120
"""Where ``struct tcp_info`` (linux/tcp.h) has ``tcpi_bytes_acked``, 64 bits."""

TCP_INFO_LAST_DATA_RECV = 52
"""Where it has ``tcpi_last_data_recv``: milliseconds since data came, 32 bits."""


def silent_seconds(transport: object) -> float:
    """Return the time since the peer last sent something; 0 if not known, or if some waits here."""
    own = socket_of(transport)
    if own is None:
        return 0.0
    try:
        waiting = fcntl.ioctl(own.fileno(), termios.FIONREAD, bytes(4))
        facts = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_LAST_DATA_RECV + 4)
    except OSError:
        return 0.0
    if int.from_bytes(waiting, sys.byteorder) > 0:
        return 0.0
    return float(struct.unpack_from("=I", facts, TCP_INFO_LAST_DATA_RECV)[0]) / 1000


def bytes_acked(transport: object) -> int:
    """Return the bytes that the peer's kernel has taken so far; 0 if not known."""
    own = socket_of(transport)
    if own is None:
        return 0
    try:
        facts = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES_ACKED + 8)
    except OSError:
        return 0
    return int(struct.unpack_from("=Q", facts, TCP_INFO_BYTES_ACKED)[0])


def bytes_unacked(transport: object) -> int:
    """Return the bytes that are in the kernel, and not yet the peer's; a FIN counts as one."""
    own = socket_of(transport)
    if own is None:
        return 0
    try:
        answer = fcntl.ioctl(own.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder, signed=True)


def peer_has_closed(transport: object) -> bool:
    """Return whether the peer has ended its side, and nothing else is to come, or it is lost.

    Also under TLS this checks the kernel's buffer: `ssl.SSLSocket` cannot peek.
    """
    own = socket_of(transport)
    if own is None:
        return False
    try:
        return socket.socket.recv(own, 1, PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def is_established(transport: object) -> bool:
    """Return whether neither side has ended the connection (FIN, RST); True if not known.

    Bytes that arrived before that may still be unread.
    """
    own = socket_of(transport)
    if own is None:
        return True
    try:
        state = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except OSError:
        return True
    return state[0] == TCP_ESTABLISHED


def has_socket_error(transport: object) -> bool:
    """Return whether the connection broke (RST, unreachable).

    The kernel reports it once: afterwards a broken connection looks like one that ended in order.
    """
    own = socket_of(transport)
    return own is not None and own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def socket_of(transport: object) -> socket.socket | None:
    """Return the socket below a transport, if it has one and it is open."""
    own: object
    try:
        if isinstance(transport, Connection):
            own = transport.socket
        else:
            handle = ISystemHandle(transport, None)
            own = handle.getHandle() if handle is not None else None
    except AttributeError:  # so Twisted's transports are when they are closed
        return None
    return own if isinstance(own, socket.socket) and own.fileno() >= 0 else None
