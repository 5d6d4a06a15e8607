"""Sending a stretch of an operating-system file without its bytes passing through here.

The kernel moves them from the page cache to the socket (``sendfile(2)``) whenever the reactor
finds the socket writable: for the time of one file we stand in for the transport's own writing,
which has nothing to send meanwhile. Bounded turns leave the reactor to others. What is not in
memory would make ``sendfile`` wait for the disk, and the reactor with it; so the kernel is asked
first, and what it lacks is brought by whoever has the file, while the socket rests.

``TCP_CORK`` keeps the kernel from sending half-filled segments between turns: fewer, larger
segments wake the peer less often, which is worth a factor of two and more for one client.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable
from typing import Any, Protocol

from twisted.internet import main
from twisted.internet.error import ConnectionLost

from ftpservice.flow.cuts import Cut
from ftpservice.flow.patience import Patience

__all__ = ["CachedFile", "FileSending"]

PIECE = 1 << 20
"""Bytes of one call of the kernel."""
TURN = 4
"""Calls until the other descriptors of the reactor get theirs."""
AHEAD = 8 << 20
"""Bytes that are brought from the disk at a time."""


class CachedFile(Protocol):
    """A file of the operating system that knows what of it is in memory."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def is_cached(self, offset: int, size: int) -> bool:
        """Tell whether a stretch can be sent without waiting for the disk."""

    def cache(self, offset: int, size: int) -> Awaitable[None]:
        """Bring a stretch into memory."""


class FileSending:
    """One stretch of a file on its way; ``transport`` is a plain stream with nothing to send."""

    def __init__(self, transport: Any, file: CachedFile, span: tuple[int, int]) -> None:
        self.offset, self._end = span
        self._transport = transport
        self._socket: socket.socket = transport.getHandle()
        self._file = file
        self._patience: Patience | None = None
        self._wants_disk = False
        self._broken: ConnectionLost | None = None

    async def run(self, patience: Patience) -> None:
        """Send it all, or as much as the file turns out to have; raises `Cut`, `Stalled`."""
        self._patience = patience
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self._transport.doWrite = self._turn
        try:
            while self.offset < self._end:
                self._begin_turns()
                while not self._is_resting:
                    await patience.wait()
                if self._broken is not None or not self._transport.connected:
                    raise Cut("the connection broke")
                if self._wants_disk:
                    self._wants_disk = False
                    await self._file.cache(self.offset, min(AHEAD, self._end - self.offset))
        finally:
            self._give_back()

    def stop(self) -> None:
        """Learn that the connection is lost."""
        if self._patience is not None:
            self._broken = self._broken or main.CONNECTION_LOST
            self._patience.wake()

    @property
    def _is_resting(self) -> bool:
        return self._wants_disk or self._broken is not None or self.offset >= self._end

    def _begin_turns(self) -> None:
        """Send the first turn now; the rest as the reactor finds the socket writable."""
        self._transport.startWriting()
        failure = self._turn()
        if failure is not None:
            self._broken = failure

    def _turn(self) -> ConnectionLost | None:
        """Send some; called by the reactor when the socket takes more."""
        for _ in range(TURN):
            size = min(PIECE, self._end - self.offset)
            if size <= 0:
                break
            if not self._file.is_cached(self.offset, size):
                self._wants_disk = True
                break
            try:
                sent = os.sendfile(self._socket.fileno(), self._file.fileno(), self.offset, size)
            except BlockingIOError:
                return None
            except OSError:
                self._broken = main.CONNECTION_LOST
                return self._broken
            self.offset += sent
            if sent == 0:
                self._end = self.offset
            elif sent < size:
                return None
        self._rest()
        return None

    def _rest(self) -> None:
        """Stop writing when there is nothing to send now, and wake who waits for that."""
        if self._is_resting:
            self._transport.stopWriting()
            if self._patience is not None:
                self._patience.wake()

    def _give_back(self) -> None:
        """Leave the transport's writing to itself again."""
        del self._transport.doWrite
        if self._socket.fileno() >= 0:
            self._transport.stopWriting()
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
