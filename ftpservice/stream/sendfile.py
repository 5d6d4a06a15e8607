"""Send a range of a file with ``sendfile(2)``: its bytes do not pass through this process.

The kernel moves them from the page cache to the socket whenever the socket takes more, in turns
with other files (`WritePoller`); the transport's buffer is empty meanwhile. For bytes that are not
in the page cache ``sendfile`` would wait for the disk and block the reactor. So the kernel is asked
first (cachestat), and missing ranges are read into the page cache in a thread while nothing is
sent.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from twisted.internet import main
from twisted.internet.error import ConnectionLost

from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.stream.write_poller import WritePoller

__all__ = ["PageCachedFile", "SendfileSender"]

T = TypeVar("T")

BYTES_PER_TURN = 256 << 10
"""Bytes of one turn while other files wait for theirs."""
BYTES_PER_TURN_ALONE = 1 << 20
CACHE_CHECK_BYTES = 4 << 20
"""Bytes of one query of the page cache."""
RECHECK_SECONDS = 0.05
"""Seconds for which the answer is used."""
COPY_SIZE = 64 << 10
"""Bytes per read where a buffer is needed."""
READ_AHEAD_BYTES = 8 << 20
"""Bytes that are read into the page cache at a time."""


class PageCachedFile(Protocol):
    """An open file and which of its ranges are in the page cache."""

    def fileno(self) -> int:
        """Return the descriptor."""

    def is_cached(self, offset: int, size: int) -> bool:
        """Return whether a range can be sent without waiting for the disk."""

    def cache(self, offset: int, size: int) -> Awaitable[None]:
        """Read a range into the page cache."""

    def with_descriptor(self, function: Callable[[int], T]) -> Awaitable[T]:
        """Call a function with the descriptor, in a thread; it stays open meanwhile."""


class SendfileSender:
    """The sending of one range; ``transport`` is a plaintext stream with an empty buffer."""

    def __init__(self, transport: Any, file: PageCachedFile, span: tuple[int, int]) -> None:
        self.offset, self._end = span
        self._transport = transport
        self._reactor = transport.reactor
        self._carousel = WritePoller.of(self._reactor)
        self._cached_to = 0
        self._cached_until = 0.0
        self._descriptor: int = transport.getHandle().fileno()
        self._file = file
        self._patience: StallTimeout | None = None
        self._wants_disk = False
        self._broken: ConnectionLost | None = None

    async def run(self, patience: StallTimeout) -> None:
        """Send the range, or as much of it as the file has.

        Raises `TransferAborted`, `TransferStalled`.
        """
        self._patience = patience
        try:
            while self.offset < self._end:
                if self._broken is not None or not self._transport.connected:
                    raise TransferAborted(
                        "the connection broke"
                    )  # its descriptor may be another one's now
                self._begin_turns()
                while not self._is_resting:
                    await patience.wait_for_progress()
                if self._wants_disk:
                    self._wants_disk = False
                    await self._file.cache(
                        self.offset, min(READ_AHEAD_BYTES, self._end - self.offset)
                    )
                    self._trust(min(BYTES_PER_TURN_ALONE, self._end - self.offset))
        finally:
            self._carousel.leave(self._descriptor)

    def stop(self) -> None:
        """Handle the loss of the connection."""
        if self._patience is not None:
            self._broken = self._broken or main.CONNECTION_LOST
            self._patience.wake_waiter()

    @property
    def _is_resting(self) -> bool:
        return self._wants_disk or self._broken is not None or self.offset >= self._end

    def _begin_turns(self) -> None:
        """Send the first turn now; the rest when the socket is writable."""
        self._carousel.enter(self._descriptor, self._turn)
        self._turn()

    def _turn(self) -> None:
        """Send some; stop watching the socket if the range is complete or must be cached first."""
        turn = BYTES_PER_TURN if self._carousel.is_shared else BYTES_PER_TURN_ALONE
        size = min(turn, self._end - self.offset)
        if self._is_in_memory(size):
            self._send(size)
        else:
            self._wants_disk = True
        if self._is_resting:
            self._carousel.leave(self._descriptor)
            if self._patience is not None:
                self._patience.wake_waiter()

    def _is_in_memory(self, size: int) -> bool:
        """Query the page cache, for a range ahead; an answer is valid for a short time."""
        now, end = self._reactor.seconds(), self.offset + size
        if end > self._cached_to or now >= self._cached_until:
            for ahead in (CACHE_CHECK_BYTES, size):
                self._cached_to = min(self.offset + ahead, self._end)
                if self._file.is_cached(self.offset, self._cached_to - self.offset):
                    self._cached_until = now + RECHECK_SECONDS
                    return True
            self._cached_to = 0
            return False
        return True

    def _trust(self, size: int) -> None:
        """Do not query a range that was just read: under memory pressure it may be gone again."""
        self._cached_to = self.offset + size
        self._cached_until = self._reactor.seconds() + RECHECK_SECONDS

    def _send(self, size: int) -> None:
        try:
            sent = _sendfile(self._descriptor, self._file.fileno(), self.offset, size)
        except BlockingIOError:
            return
        except OSError:
            self._broken = main.CONNECTION_LOST
            return
        self.offset += sent
        if sent == 0:
            self._end = self.offset  # the file has become shorter


def _sendfile(target: int, source: int, offset: int, size: int) -> int:
    """Send some of a file; through a buffer if the kernel has no ``sendfile`` for it."""
    try:
        return os.sendfile(target, source, offset, size)
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise
    return os.write(target, os.pread(source, min(size, COPY_SIZE), offset))
