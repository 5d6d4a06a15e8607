"""Checks before a transfer resumes: the last bytes that are there have to be those of the file.

A server may accept REST and start at the beginning nevertheless, or have another file by now.
"""

from __future__ import annotations

from ftpservice.stream.splice import RunWithDescriptor
from ftpservice_client.errors import ServerRefused, Unsupported
from ftpservice_client.interfaces import (
    OVERLAP_SIZE,
    ByteCounter,
    ClientSession,
    DownloadTarget,
    OverlapMismatch,
    UploadSource,
)

__all__ = ["OverlapCheck", "is_beginning_of"]


class OverlapCheck(DownloadTarget):
    """Drops ``skip`` bytes, compares the next ones with ``expected``, passes on the others."""

    def __init__(self, target: DownloadTarget, expected: bytes, skip: int) -> None:
        self._target = target
        self._expected = expected
        self._skip = skip

    @property
    def needs_more(self) -> bool:
        """Whether bytes to drop or to compare are still missing."""
        return bool(self._skip or self._expected)

    @property
    def written(self) -> int:  # type: ignore[override]  # that of the target
        """Bytes that were written."""
        return self._target.written

    @property
    def with_descriptor(self) -> RunWithDescriptor | None:
        """That of the target, when no bytes are to be dropped; comparing takes the first ones."""
        return None if self._skip else self._target.with_descriptor

    async def write(self, data: bytes) -> None:
        """Handle a piece; raises `OverlapMismatch`."""
        skip = min(self._skip, len(data))
        self._skip -= skip
        end = skip + len(self._expected)
        if not self._expected.startswith(data[skip:end]):
            raise OverlapMismatch("the server's file does not continue the local one")
        self._expected = self._expected[len(data[skip:end]) :]
        if len(data) > end:
            await self._target.write(data[end:])

    async def truncate(self, size: int) -> None:
        """Shorten the target to ``size`` bytes."""
        await self._target.truncate(size)


class _TailTarget(DownloadTarget):
    """Keeps the end of a file in memory; observes nothing."""

    def __init__(self) -> None:
        self.data = b""

    async def write(self, data: bytes) -> None:
        self.data += data
        self.written = len(self.data)

    def begin(self, _counter: ByteCounter, _total: int | None) -> None:
        pass

    def note(self, _text: str) -> None:
        pass


async def is_beginning_of(
    source: UploadSource, session: ClientSession, name: str, size: int
) -> bool:
    """Return whether the ``size`` bytes on the server may be the beginning of a source.

    Their last bytes are compared, if the server lets them be read. A partial upload that the server
    keeps apart from the file of that name, but counts in SIZE, cannot be read.
    """
    start = max(0, size - OVERLAP_SIZE)
    try:
        if "MLST" in await session.features() and (await session.stat(name)).size != size:
            return True
        theirs = _TailTarget()
        await session.retrieve(name, start, theirs, theirs)
    except OverlapMismatch:
        return False
    except (ServerRefused, Unsupported):
        return True
    ours = b""
    while len(ours) < size - start:
        piece = await source.read(start + len(ours), size - start - len(ours))
        if not piece:
            break
        ours += piece
    return theirs.data == ours
