"""Reading, writing and ending TLS on a non-blocking socket, told in terms of streams.

OpenSSL forgets the session of a connection that ends without close_notify, on either side, and
with it what all other data connections of a client would go on with. But ends like that are
ordinary: ABOR, a cut upload, clients that just close. So it is not shown them: it never reads where
a FIN comes next, and of a connection that is dropped it believes that it has said goodbye.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import ssl
import sys
import termios
from enum import Enum

__all__ = [
    "MAX_RECORD_SIZE",
    "ReadState",
    "close_silently",
    "quick_ack",
    "receive",
    "send",
    "send_close_notify",
]

PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
TCP_STATE_CLOSE = 7
"""A state of TCP: neither side can say anything any more (linux/tcp_states.h)."""
MAX_RECORD_SIZE = 16 * 1024
"""The most bytes of one record, and so of one reading."""
MIN_RECORD_OVERHEAD, MAX_RECORD_OVERHEAD = 22, 29
"""Bytes that a record has besides, at least and at most, unless somebody pads it."""


class ReadState(Enum):
    """How a reading ended."""

    OPEN = "more may come"
    ENDED = "the peer has said that it ended its side (close_notify)"
    TRUNCATED = "a FIN came without that: from the peer, or from whoever cut the connection"
    BROKEN = "an RST, or what is not TLS"


def receive(own: ssl.SSLSocket, into: memoryview) -> tuple[int, ReadState]:
    """Read all that is there, or as much as ``into`` takes; returns how much it was.

    No record is left half read: OpenSSL would have the rest, and the socket nothing to tell of.
    """
    count, last = 0, len(into) - MAX_RECORD_SIZE
    try:
        possible = certain = _waiting(own)
        while size := own.recv_into(into[count:], MAX_RECORD_SIZE):
            count += size
            possible -= size + MIN_RECORD_OVERHEAD
            certain -= size + MAX_RECORD_OVERHEAD
            if count > last or (possible <= 0 and count < MAX_RECORD_SIZE):
                return count, ReadState.OPEN
            if certain <= 0:
                possible = certain = _waiting(own)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return count, ReadState.OPEN
    except ssl.SSLZeroReturnError:
        return count, ReadState.ENDED
    except ssl.SSLEOFError:
        return count, ReadState.BROKEN if _was_reset(own) else ReadState.TRUNCATED
    except OSError:
        return count, ReadState.BROKEN
    return count, ReadState.ENDED


def _waiting(own: socket.socket) -> int:
    """Return how many bytes the kernel has; raises `OSError` as OpenSSL would, and not to it."""
    try:
        found = socket.socket.recv(own, 1, PEEK)
    except BlockingIOError:
        raise ssl.SSLWantReadError from None
    except OSError as error:
        if error.errno != errno.EIO:  # that is an alert, under kernel TLS
            raise
        return MAX_RECORD_SIZE
    if not found:
        raise ssl.SSLEOFError
    return int.from_bytes(fcntl.ioctl(own.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


def _was_reset(own: socket.socket) -> bool:
    """Tell an RST from a FIN: Python has one error for both, and the kernel has told of it."""
    try:
        return own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_STATE_CLOSE
    except OSError:  # a UNIX socket
        return False


def send(own: ssl.SSLSocket, data: memoryview) -> int:
    """Send; returns the number of bytes, which is 0 or all; raises `OSError`.

    After 0 the same bytes have to be sent next, or these and more: some may be on their way.
    """
    try:
        return own.send(data)
    except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
        return 0


def quick_ack(own: socket.socket) -> None:
    """Have what came acknowledged now, not in 40 ms.

    Clients' kernels (Nagle) hold back the rest of a handshake until its beginning is (GnuTLS sends
    two pieces), the first bytes until its end is, and close_notify until all before it is. In clear
    there is a FIN for that, which nothing holds back.
    """
    try:  # noqa: SIM105 - this is done for every message; `suppress` is three calls more
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    except OSError:
        pass  # a UNIX socket


def send_close_notify(own: ssl.SSLSocket) -> bool:
    """Send close_notify; tell whether the kernel has it, or never will. Nothing is read after."""
    try:
        own.unwrap()
    except ssl.SSLWantWriteError:
        return False
    except (OSError, ValueError):
        return True  # sent, and the peer's has not come; or there is nobody to send it to
    return True


def close_silently(own: ssl.SSLSocket) -> None:
    """Close without a word to the peer; a goodbye goes to nobody."""
    try:
        nobody, other = socket.socketpair()
        other.close()
        with nobody:
            os.dup2(nobody.fileno(), own.fileno(), inheritable=False)
        own.unwrap()
    except (OSError, ValueError):
        pass  # nobody has heard it
    finally:
        own.close()
