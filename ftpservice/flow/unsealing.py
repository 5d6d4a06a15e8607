"""Receiving into an operating-system file under TLS: decrypted and written by one thread.

As in `splice` a thread has the connection as long as something comes, so bytes are neither handed
from one thread to another nor kept on the way, and other uploads have other processors. The bytes
pass through a buffer that a thread uses again and again.
"""

from __future__ import annotations

import os
import select
import ssl
import threading
from collections.abc import Callable

from ftpservice.flow.splice import MOMENT, State
from ftpservice.tls import records
from ftpservice.tls.loan import Over
from ftpservice.tls.records import RECORD
from ftpservice.tls.transport import TLSTransport

__all__ = ["Unsealing"]

PIECE = 256 * 1024
"""Bytes that are written at a time."""


class Buffers(threading.local):
    """A buffer for each thread."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(PIECE))


_buffers = Buffers()


class Unsealing:
    """What a transport under TLS receives, for turns of `FileReceiving`."""

    def __init__(self, transport: TLSTransport) -> None:
        self._transport = transport
        self._loan = transport.lend()

    def turn(self, target: int, count_in: Callable[[int], None], most: int) -> tuple[int, State]:
        """Move what the connection has to where a file stands; raises `OSError` of the file.

        ``most`` is kept to by records.
        """
        try:
            return self._loan.turn(lambda own: self._move(own, target, count_in, most))
        except Over:
            return 0, State.BROKEN

    def release(self) -> None:
        """Have no more turns."""
        self._loan.call_back()

    def _move(
        self, own: ssl.SSLSocket, target: int, count_in: Callable[[int], None], most: int
    ) -> tuple[int, State]:
        moved = 0
        while moved < most:
            count, state = _fill(own, _buffers.view)
            _write(target, _buffers.view[:count])
            count_in(count)
            moved += count
            if state is not State.MORE:
                if state is State.ENDED:
                    self._transport.ended_in_order = True
                return moved, state
        return moved, State.MORE


def _fill(own: ssl.SSLSocket, view: memoryview) -> tuple[int, State]:
    """Receive until the buffer is full, nothing comes for a moment, or the peer ends."""
    filled = 0
    while filled <= len(view) - RECORD:
        count, state = records.receive(own, view[filled:])
        filled += count
        if state is records.State.OPEN:
            if filled <= len(view) - RECORD and not _comes(own):
                return filled, State.WAITING
        elif state is records.State.ENDED:
            return filled, State.ENDED
        else:
            truncated = state is records.State.TRUNCATED
            return filled, State.TRUNCATED if truncated else State.BROKEN
    return filled, State.MORE


def _comes(own: ssl.SSLSocket) -> bool:
    records.acknowledge(own)
    poll = select.poll()
    poll.register(own.fileno(), select.POLLIN)
    return bool(poll.poll(MOMENT))


def _write(target: int, data: memoryview) -> None:
    while data:
        data = data[os.write(target, data) :]
