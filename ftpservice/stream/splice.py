"""Receiving into an operating-system file without the bytes passing through here.

The kernel moves them from the socket through a pipe to the page cache (``splice(2)``). Writing a
file may wait for the disk, so it is done in a thread, but only as long as the socket has
something: a turn ends when nothing came for a moment, or after many bytes, and the reactor waits
for the next. So a slow peer holds no thread, and a fast one is not held up by the way to and fro.

The thread works on a descriptor of its own: the connection may be closed meanwhile, and the
number of its socket belong to another connection.
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
]

PIPE_SIZE = 1 << 20
"""Bytes that are on their way in a turn's pipe."""
MAX_BYTES_PER_TURN = 16 << 20
"""Bytes of one turn; then the thread is free for others."""
POLL_MS = 2
"""Milliseconds without a byte that end a turn."""


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
    """A second descriptor of an open file or socket; closed after its last use."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = os.dup(descriptor)

    def __del__(self) -> None:
        os.close(self.descriptor)


class ThreadPipes(threading.local):
    """One pipe for each thread, made at its first use."""

    ends: tuple[DupedDescriptor, DupedDescriptor] | None = None

    def take(self) -> tuple[DupedDescriptor, DupedDescriptor]:
        """Return the reading and the writing end; empty, or it was given up."""
        if self.ends is None:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            with suppress(OSError):  # more than one may have; a smaller pipe does too
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
            self.ends = (DupedDescriptor(reading), DupedDescriptor(writing))
            os.close(reading)
            os.close(writing)
        return self.ends

    def give_up(self) -> None:
        """Forget a pipe that something is left in."""
        self.ends = None


_pipes = ThreadPipes()


def splice_turn(
    source: int,
    target: int,
    count_in: Callable[[int], None] = lambda _: None,
    most: int = MAX_BYTES_PER_TURN,
) -> tuple[int, TurnResult]:
    """Move what a non-blocking socket has to where a file stands; raises `OSError` of the file.

    ``count_in`` is called, in this thread, with the bytes taken from the socket, also with
    those that the file then refuses; none beyond ``most`` are taken.
    """
    reading, writing = (end.descriptor for end in _pipes.take())
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
        _empty(reading, target, count)
        moved += count
    return moved, TurnResult.MORE


def _comes(source: int) -> bool:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(POLL_MS))


def _empty(reading: int, target: int, count: int) -> None:
    try:
        while count:
            count -= _move(reading, target, count)
    except BaseException:
        _pipes.give_up()
        raise


def _move(reading: int, target: int, most: int) -> int:
    """Move bytes out of the pipe into a file, through a buffer where the kernel cannot."""
    try:
        return os.splice(reading, target, most)
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise
    data = os.read(reading, most)
    written = 0
    while written < len(data):
        written += os.write(target, data[written:])
    return written


class ReceiveSource(Protocol):
    """What a transport receives, for turns in threads."""

    def turn(
        self, target: int, count_in: Callable[[int], None], most: int
    ) -> tuple[int, TurnResult]:
        """Move what there is to where a file stands; raises `OSError` of the file."""

    def release(self) -> None:
        """Have no more turns."""


class SpliceSource:
    """What a plain socket receives."""

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
    """What comes, into a file; ``transport`` is a socket's.

    That is everything until the peer's end, or the first ``size`` bytes of it.
    """

    def __init__(self, transport: Any, source: ReceiveSource, size: int | None = None) -> None:
        self._size = size
        self.moved = 0
        """Bytes so far; a turn keeps counting when its caller no longer waits."""
        self._transport = transport
        self._source = source
        self._patience: StallTimeout | None = None
        self._readable = False
        self._lost = False

    async def run(self, patience: StallTimeout, with_descriptor: RunWithDescriptor) -> None:
        """Return at the end of it.

        Raises `TransferAborted`, `TransferStalled`, and what ``with_descriptor`` raises.
        """
        self._patience = patience
        self._transport.doRead = self._came

        def turn(target: int) -> tuple[int, TurnResult]:
            return self._source.turn(target, self._count_in, self._most)

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
        """Bytes of the next turn."""
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
        """Wake who waits; called by the reactor when there is something to read."""
        self._transport.stopReading()
        self._readable = True
        if self._patience is not None:
            self._patience.wake_waiter()
