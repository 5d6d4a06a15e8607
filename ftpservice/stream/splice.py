"""Receive into a file with ``splice(2)``: the bytes do not pass through this process.

The kernel moves them from the socket through a pipe to the page cache. Writing a file may wait for
the disk, so this runs in a thread, but only while the socket has bytes: a turn ends when nothing
arrived for a moment, or after many bytes, and the reactor then waits for the next. So a slow peer
occupies no thread, and a fast one is not slowed down by changes of thread.

The thread uses a duplicate of the descriptor: the connection may be closed meanwhile, and the
number of its descriptor be reused.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.stall_timeout import StallTimeout

__all__ = [
    "FileReceiver",
    "ReceiveSource",
    "RunWithDescriptor",
    "SpliceSource",
    "TurnResult",
    "splice_turn",
    "thread_pipes",
]

PIPE_SIZE = 1 << 20
"""Size of the pipe of a turn."""
MAX_BYTES_PER_TURN = 16 << 20
"""Bytes of one turn, after which the thread is free for other transfers."""
POLL_MS = 2
"""Milliseconds without a byte after which a turn ends."""


class TurnResult(Enum):
    """Why a turn ended."""

    MORE = "more"
    WAITING = "waiting"
    ENDED = "ended"
    TRUNCATED = "ended, but not in the order of TLS"
    BROKEN = "broken"


Turn = Callable[[int], tuple[int, TurnResult]]
RunWithDescriptor = Callable[[Turn], Awaitable[tuple[int, TurnResult]]]
"""Calls a turn in a thread with the file's descriptor, for its exclusive use."""


class DupedDescriptor:
    """A duplicate of the descriptor of an open file or socket; closed after its last use."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = os.dup(descriptor)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.descriptor)  # the module may be gone when the process ends


class ThreadPipes(threading.local):
    """One pipe for each thread, created at its first use."""

    ends: tuple[DupedDescriptor, DupedDescriptor] | None = None

    def take(self) -> tuple[DupedDescriptor, DupedDescriptor]:
        """Return the reading and the writing end of an empty pipe."""
        if self.ends is None:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            with suppress(OSError):  # more than one may have; a smaller pipe does too
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
            self.ends = (DupedDescriptor(reading), DupedDescriptor(writing))
            os.close(reading)
            os.close(writing)
        return self.ends

    def give_up(self) -> None:
        """Close a pipe that is not empty."""
        self.ends = None


thread_pipes = ThreadPipes()


def splice_turn(
    source: int,
    target: int,
    count_in: Callable[[int], None] = lambda _: None,
    most: int = MAX_BYTES_PER_TURN,
    offset: int | None = None,
) -> tuple[int, TurnResult]:
    """Move what a non-blocking socket has to the position of a file; raises `OSError` of the file.

    ``count_in`` is called, in this thread, with the number of bytes taken from the socket,
    including bytes that the file then refuses. At most ``most`` bytes are taken. With ``offset``
    they are written from there on, and the position of the file stays.
    """
    reading, writing = (end.descriptor for end in thread_pipes.take())
    moved = 0
    while moved < most:
        try:
            count = os.splice(
                source, writing, min(PIPE_SIZE, most - moved), flags=os.SPLICE_F_NONBLOCK
            )
        except BlockingIOError:
            if not _comes(source):
                return moved, TurnResult.WAITING
            continue
        except OSError:
            return moved, TurnResult.BROKEN
        if count == 0:
            return moved, TurnResult.ENDED
        count_in(count)
        _empty(reading, target, count, None if offset is None else offset + moved)
        moved += count
    return moved, TurnResult.MORE


def _comes(source: int) -> bool:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(POLL_MS))


def _empty(reading: int, target: int, count: int, offset: int | None) -> None:
    try:
        while count:
            moved = _move(reading, target, count, offset)
            count -= moved
            if offset is not None:
                offset += moved
    except BaseException:
        thread_pipes.give_up()
        raise


def _move(reading: int, target: int, most: int, offset: int | None) -> int:
    """Move bytes from the pipe into a file.

    Through a buffer if the kernel has no ``splice`` for it.
    """
    try:
        return os.splice(reading, target, most, offset_dst=offset)
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise
    data = os.read(reading, most)
    written = 0
    while written < len(data):
        rest = data[written:]
        if offset is None:
            written += os.write(target, rest)
        else:
            written += os.pwrite(target, rest, offset + written)
    return written


class ReceiveSource(Protocol):
    """The receiving side of a transport, for turns in threads."""

    def turn(
        self, target: int, count_in: Callable[[int], None], most: int
    ) -> tuple[int, TurnResult]:
        """Move available bytes to the position of a file; raises `OSError` of the file."""

    def release(self) -> None:
        """End the turns."""


class SpliceSource:
    """The receiving side of a plaintext socket."""

    def __init__(self, transport: Any) -> None:
        self._source: DupedDescriptor | None = DupedDescriptor(transport.getHandle().fileno())
        transport.has_duplicate = True

    def turn(
        self, target: int, count_in: Callable[[int], None], most: int
    ) -> tuple[int, TurnResult]:
        """Move what the socket has (`splice_turn`)."""
        source = self._source
        if source is None:
            return 0, TurnResult.BROKEN
        return splice_turn(source.descriptor, target, count_in, most)

    def release(self) -> None:
        """Close the descriptor, once no turn uses it."""
        self._source = None


class FileReceiver:
    """Receives into a file; ``transport`` has a socket.

    Receives until the peer's FIN, or the first ``size`` bytes.
    """

    def __init__(self, transport: Any, source: ReceiveSource, size: int | None = None) -> None:
        self._size = size
        self.moved = 0
        """Bytes so far; a turn keeps counting after its caller was cancelled."""
        self._transport = transport
        self._source = source
        self._patience: StallTimeout | None = None
        self._readable = False
        self._lost = False

    async def run(self, patience: StallTimeout, with_descriptor: RunWithDescriptor) -> None:
        """Receive to the end.

        Raises `TransferAborted`, `TransferStalled`, and what ``with_descriptor`` raises.
        """
        self._patience = patience
        self._transport.doRead = self._came

        def turn(target: int, most: int = MAX_BYTES_PER_TURN) -> tuple[int, TurnResult]:
            return self._source.turn(target, self._count_in, min(most, self._most))

        try:
            state = TurnResult.WAITING
            while state in (TurnResult.WAITING, TurnResult.MORE) and self._most:
                if state is TurnResult.WAITING:
                    await self._wait()
                _, state = await with_descriptor(turn)
                if state is TurnResult.BROKEN or self._lost:
                    raise TransferAborted("the peer broke the connection")
        finally:
            self._source.release()
            del self._transport.doRead

    @property
    def _most(self) -> int:
        """Number of bytes of the next turn."""
        return (
            MAX_BYTES_PER_TURN
            if self._size is None
            else min(MAX_BYTES_PER_TURN, self._size - self.moved)
        )

    def _count_in(self, count: int) -> None:
        self.moved += count

    def stop(self) -> None:
        """Handle the loss of the connection."""
        self._lost = True
        if self._patience is not None:
            self._patience.wake_waiter()

    async def _wait(self) -> None:
        self._readable = False
        self._transport.startReading()
        assert self._patience is not None
        while not self._readable and not self._lost:
            await self._patience.wait_for_progress()

    def _came(self) -> None:
        """Wake the waiter; called by the reactor when the socket is readable."""
        self._transport.stopReading()
        self._readable = True
        if self._patience is not None:
            self._patience.wake_waiter()
