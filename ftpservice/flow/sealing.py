"""Sending a stretch of an operating-system file under TLS.

Its bytes have to pass through here, for OpenSSL to encrypt them: read from the page cache into a
buffer that is used again and again, and written from there, without the reactor, its buffers or a
thread in between. What is not in memory is brought by whoever has the file, as in `sendfile`.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import main
from twisted.internet.error import ConnectionLost

from ftpservice.flow.cuts import Cut
from ftpservice.flow.patience import Patience
from ftpservice.flow.sendfile import CachedFile
from ftpservice.tls.records import send

__all__ = ["FileSealing"]

PIECE = 64 * 1024
"""Bytes that are read and sent at a time; few enough to stay in the processor's memory."""
TURN = 8
"""Pieces until the other descriptors of the reactor get theirs."""
LOOK_AHEAD = 1 << 20
"""Bytes of which the kernel is asked, at a time, whether they are in memory."""
AHEAD = 8 << 20
"""Bytes that are brought from the disk at a time."""


class FileSealing:
    """One stretch of a file on its way; ``transport`` is under TLS, with nothing to send."""

    def __init__(self, transport: Any, file: CachedFile, span: tuple[int, int]) -> None:
        self.offset, self._end = span
        self._transport = transport
        self._file = file
        self._buffer = memoryview(bytearray(min(PIECE, max(0, span[1] - span[0]))))
        self._unsent = self._buffer[:0]
        self._cached_to = self.offset
        self._patience: Patience | None = None
        self._wants_disk = False
        self._broken: ConnectionLost | None = None

    async def run(self, patience: Patience) -> None:
        """Send it all, or as much as the file turns out to have; raises `Cut`, `Stalled`."""
        self._patience = patience
        self._transport.doWrite = self._turn
        try:
            while self.offset < self._end:
                if self._broken is not None or not self._transport.connected:
                    raise Cut("the connection broke")
                self._begin_turns()
                while not self._is_resting:
                    await patience.wait()
                if self._wants_disk:
                    self._wants_disk = False
                    await self._file.cache(self.offset, min(AHEAD, self._end - self.offset))
                    # Asked again, a file that has become shorter would never be there.
                    self._cached_to = self.offset + min(PIECE, self._end - self.offset)
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
        self._turn()

    def _turn(self) -> ConnectionLost | None:
        """Send some; called by the reactor when the socket takes more."""
        try:
            for _ in range(TURN):
                if not self._unsent and not self._read():
                    break
                sent = send(self._transport.socket, self._unsent)
                if not sent:
                    return None  # and the same bytes go next
                self.offset += sent
                self._unsent = self._buffer[:0]
        except OSError:
            self._broken = main.CONNECTION_LOST
        if self._is_resting:
            self._transport.stopWriting()
            if self._patience is not None:
                self._patience.wake()
        return self._broken

    def _read(self) -> bool:
        """Read the next piece, if it is there."""
        size = min(PIECE, self._end - self.offset)
        if self.offset + size > self._cached_to:
            ahead = min(LOOK_AHEAD, self._end - self.offset)
            if not self._file.is_cached(self.offset, ahead):
                ahead = size
                self._wants_disk = not self._file.is_cached(self.offset, ahead)
            self._cached_to = self.offset if self._wants_disk else self.offset + ahead
        if size <= 0 or self._wants_disk:
            return False
        count = os.preadv(self._file.fileno(), [self._buffer[:size]], self.offset)
        if count == 0:
            self._end = self.offset  # the file has become shorter
        self._unsent = self._buffer[:count]
        return count > 0

    def _give_back(self) -> None:
        """Leave the transport's writing to itself again."""
        del self._transport.doWrite
        if self._transport.connected:
            self._transport.stopWriting()
