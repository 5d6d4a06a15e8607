"""Receive into a file under TLS: one thread decrypts and writes.

As in `splice`, a thread has the connection while bytes arrive, so they are neither passed to the
reactor nor buffered on the way, and several uploads use several processors. The bytes pass through
reused buffers. While a thread is the only one, a second thread writes one buffer as it fills the
other.
"""

from __future__ import annotations

import os
import select
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ftpservice.concurrency.worker_thread import WorkerThread
from ftpservice.net.tls import record_io
from ftpservice.net.tls.record_io import MAX_RECORD_SIZE
from ftpservice.net.tls.socket_lease import LeaseEnded
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.splice import POLL_MS, TurnResult

__all__ = ["TLSReceiveSource"]

READ_SIZE = 256 * 1024
"""Bytes per write."""


class ThreadBuffers(threading.local):
    """The state of each thread: two buffers, and a thread that writes one of them."""

    worker: WorkerThread | None = None

    def __init__(self) -> None:
        self.views = [memoryview(bytearray(READ_SIZE)) for _ in range(2)]

    def writer(self) -> WorkerThread | None:
        """Return the writer; None if its thread cannot be started."""
        if self.worker is None:
            with suppress(RuntimeError):
                self.worker = WorkerThread()
        return self.worker


_buffers = ThreadBuffers()
_turns: set[int] = set()  # of threads; which has one at the moment


class TLSReceiveSource:
    """The receiving side of a TLS transport, for turns of `FileReceiver`."""

    def __init__(self, transport: TLSTransport) -> None:
        self._transport = transport
        self._loan = transport.lend()

    def turn(
        self, target: int, count_in: Callable[[int], None], most: int
    ) -> tuple[int, TurnResult]:
        """Move what the connection has to the position of a file; raises `OSError` of the file.

        ``most`` is rounded up to whole records.
        """
        thread = threading.get_ident()
        _turns.add(thread)
        try:
            return self._loan.turn(lambda own: self._move(own, target, count_in, most))
        except LeaseEnded:
            return 0, TurnResult.BROKEN
        finally:
            _turns.discard(thread)

    def release(self) -> None:
        """End the turns."""
        self._loan.revoke()

    def _move(
        self, own: ssl.SSLSocket, target: int, count_in: Callable[[int], None], most: int
    ) -> tuple[int, TurnResult]:
        moved, state = 0, TurnResult.MORE
        this, other = _buffers.views
        writing = BufferWriter(target)
        try:
            while moved < most and state is TurnResult.MORE:
                count, state = _fill(own, this)
                count_in(count)
                moved += count
                writing.put(this[:count], state is TurnResult.MORE)
                this, other = other, this
        finally:
            writing.end()
        if state is TurnResult.ENDED:
            self._transport.received_close_notify = True
        return moved, state


class BufferWriter:
    """Writes buffers to the position of a file, in order; raises `OSError` of the file."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writer: WorkerThread | None = None

    def put(self, data: memoryview, more: bool) -> None:
        """Write a buffer after the one before.

        With ``more`` to come, return before it is written.
        """
        self.end()
        if more and len(_turns) == 1:
            self._writer = _buffers.writer()
        if self._writer is not None:
            self._writer.begin(partial(_write, self._target, data))
        else:
            _write(self._target, data)

    def end(self) -> None:
        """Wait until everything is written."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.end()


def _fill(own: ssl.SSLSocket, view: memoryview) -> tuple[int, TurnResult]:
    """Receive until the buffer is full, nothing arrives for a moment, or the peer ends."""
    filled = 0
    while filled <= len(view) - MAX_RECORD_SIZE:
        count, state = record_io.receive(own, view[filled:])
        filled += count
        if state is record_io.ReadState.OPEN:
            if filled <= len(view) - MAX_RECORD_SIZE and not _comes(own):
                return filled, TurnResult.WAITING
        elif state is record_io.ReadState.BLOCKED:
            return filled, TurnResult.BROKEN  # it demands answers without end, and reads none
        elif state is record_io.ReadState.ENDED:
            return filled, TurnResult.ENDED
        else:
            truncated = state is record_io.ReadState.TRUNCATED
            return filled, TurnResult.TRUNCATED if truncated else TurnResult.BROKEN
    return filled, TurnResult.MORE


def _comes(own: ssl.SSLSocket) -> bool:
    record_io.quick_ack(own)
    poll = select.poll()
    poll.register(own.fileno(), select.POLLIN)
    return bool(poll.poll(POLL_MS))


def _write(target: int, data: memoryview) -> None:
    while data:
        data = data[os.write(target, data) :]
