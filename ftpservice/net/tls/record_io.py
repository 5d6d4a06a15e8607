"""Reading, writing and ending TLS on a non-blocking socket; distinguishes the kinds of end.

OpenSSL invalidates the session of a connection that ends without close_notify, on either side, and
with it the session that all other data connections of a client would resume. But such ends are
ordinary: ABOR, an aborted upload, clients that just close. So OpenSSL never reads up to a FIN, and
a connection that is dropped is shut down as if close_notify had been sent.

An error of a socket must be forgotten (`forget_error`) before anything else is done in its thread.

The functions use the object inside `ssl.SSLSocket` (``_sslobj``): the public methods add up to four
calls to each read, and two ``ioctl`` to each step of a handshake.
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
from functools import cache
from typing import Any

__all__ = [
    "MAX_RECORD_SIZE",
    "ReadState",
    "close_silently",
    "do_handshake",
    "forget_error",
    "quick_ack",
    "receive",
    "send",
    "send_close_notify",
]

PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
TCP_STATE_CLOSE = 7
"""TCP_CLOSE of linux/tcp_states.h: nothing can be sent or received any more."""
MAX_RECORD_SIZE = 16 * 1024
"""Maximum payload of a record, and of one read."""
MIN_RECORD_OVERHEAD, MAX_RECORD_OVERHEAD = 22, 29
"""Bytes of a record besides its payload, without padding."""


class ReadState(Enum):
    """How a read ended."""

    OPEN = "more may come"
    BLOCKED = "a TLS message must be sent first, and the kernel has no room for it"
    ENDED = "close_notify: the peer has ended its side"
    TRUNCATED = "a FIN without close_notify: from the peer, or from an attacker on the path"
    BROKEN = "an RST, or bytes that are not TLS"


def do_handshake(own: ssl.SSLSocket) -> None:
    """Make the next step of a handshake; raises `OSError`, `ssl.SSLWantReadError` and the like."""
    connection: Any = own._sslobj  # type: ignore[attr-defined]
    if connection is None:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    try:
        connection.do_handshake()
    except ssl.SSLError:
        raise
    except OSError as error:
        forget_error(error)
        raise


def forget_error(error: OSError) -> None:
    """Empty the queue of errors that OpenSSL has for this thread, after an error of a socket.

    Python may leave such an error there (3.13.5 with OpenSSL 3.5 does), and then raises it for
    other connections of the thread that have nothing to read. It empties the queue before it makes
    a connection.
    """
    if not isinstance(error, ssl.SSLError):
        _unused_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


@cache
def _unused_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def receive(own: ssl.SSLSocket, into: memoryview) -> tuple[int, ReadState]:
    """Read all that has arrived, or as much as fits; returns the number of bytes.

    No record is left half read: OpenSSL would buffer the rest, and the socket would not become
    readable for it.
    """
    connection: Any = own._sslobj  # type: ignore[attr-defined]
    count, last = 0, len(into) - MAX_RECORD_SIZE
    try:
        possible = certain = _available(own)
        while size := connection.read(MAX_RECORD_SIZE, into[count:]):
            count += size
            possible -= size + MIN_RECORD_OVERHEAD
            certain -= size + MAX_RECORD_OVERHEAD
            if count > last or (possible <= 0 and count < MAX_RECORD_SIZE):
                return count, ReadState.OPEN
            if certain <= 0:
                possible = certain = _available(own)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
        # What has no room is for example the answer to a KeyUpdate (RFC 8446 §4.6.3).
        is_blocked = isinstance(wanted, ssl.SSLWantWriteError)
        return count, ReadState.BLOCKED if is_blocked else ReadState.OPEN
    except ssl.SSLZeroReturnError:
        return count, ReadState.ENDED
    except ssl.SSLEOFError:
        return count, ReadState.BROKEN if _was_reset(own) else ReadState.TRUNCATED
    except OSError as error:
        forget_error(error)
        return count, ReadState.BROKEN
    return count, ReadState.ENDED


def _available(own: socket.socket) -> int:
    """Return how many bytes the kernel has; raises what OpenSSL would raise for none.

    So OpenSSL does not see a FIN, an RST or an error.
    """
    count = int.from_bytes(fcntl.ioctl(own.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)
    if count:
        return count
    try:
        found = socket.socket.recv(own, 1, PEEK)
    except BlockingIOError:
        raise ssl.SSLWantReadError from None
    except OSError as error:
        if error.errno != errno.EIO:  # an alert, under kernel TLS
            raise
        return MAX_RECORD_SIZE
    if not found:
        raise ssl.SSLEOFError
    return MAX_RECORD_SIZE  # it arrived in between


def _was_reset(own: socket.socket) -> bool:
    """Distinguish RST from FIN: Python raises the same for both; the kernel reports RST once."""
    try:
        return own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_STATE_CLOSE
    except OSError:  # a UNIX socket
        return False


def send(own: ssl.SSLSocket, data: memoryview) -> int:
    """Send; returns the number of bytes, which is 0 or all; raises `OSError`.

    After 0 the same bytes, or these and more, must be sent next: some may be on their way.
    """
    try:
        return own._sslobj.write(data)  # type: ignore[attr-defined, no-any-return]
    except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
        return 0
    except OSError as error:
        forget_error(error)
        raise


def quick_ack(own: socket.socket) -> None:
    """Let the kernel acknowledge received bytes now (TCP_QUICKACK), not after up to 40 ms.

    The peer's kernel (Nagle's algorithm) holds back small segments until earlier ones are
    acknowledged: the second part of a handshake (GnuTLS sends two), the first bytes after the
    handshake, and close_notify. Without TLS the end is a FIN, which is never held back.
    """
    try:  # noqa: SIM105 - this is done for every message; `suppress` is three calls more
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    except OSError:
        pass  # a UNIX socket


def send_close_notify(own: ssl.SSLSocket) -> bool:
    """Send close_notify; returns False if the kernel has no room for it yet. Then nothing is read.

    True also if it cannot be sent: the connection is gone.
    """
    try:  # noqa: SIM105 - this is done for every transfer; `suppress` is three calls more
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # one segment with the FIN
    except OSError:
        pass  # a UNIX socket
    try:
        own.unwrap()
    except ssl.SSLWantWriteError:
        return False
    except (ssl.SSLError, ValueError):
        pass  # sent, and the peer's has not come; or TLS has not begun, or has ended
    except OSError as error:  # the connection is gone
        forget_error(error)
    return True


def close_silently(own: ssl.SSLSocket) -> None:
    """Close without close_notify to the peer: it is sent to a socket that is never read."""
    try:
        unread, other = socket.socketpair()
        other.close()
        with unread:
            os.dup2(unread.fileno(), own.fileno(), inheritable=False)
        own.unwrap()
    except OSError as error:  # the other end of it is closed
        forget_error(error)
    except ValueError:
        pass  # TLS has not begun, or has ended
    finally:
        own.close()
