"""The check before a transfer resumes: the last bytes already received are compared.

A server may accept REST and begin at the beginning all the same, or have another file by now.
"""

from __future__ import annotations

from ftpservice.stream.splice import RunExclusively
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
    """Drops ``skip`` bytes, compares the next ones with ``expected``, and passes on the others."""

    def __init__(self, target: DownloadTarget, expected: bytes, skip: int) -> None:
        self._target = target
        self._expected = expected
        self._skip = skip

    @property
    def wants_more(self) -> bool:
        """Whether something is still to be dropped or compared."""
        return bool(self._skip or self._expected)

    @property
    def written(self) -> int:  # type: ignore[override]  # it is what the target has
        """Bytes that are there."""
        return self._target.written

    @property
    def exclusively(self) -> RunExclusively | None:
        """Let threads receive once nothing is to be dropped; what is compared comes before."""
        return None if self._skip else self._target.exclusively

    async def write(self, data: bytes) -> None:
        """Take a piece; raises `OverlapMismatch`."""
        skip = min(self._skip, len(data))
        self._skip -= skip
        end = skip + len(self._expected)
        if not self._expected.startswith(data[skip:end]):
            raise OverlapMismatch("what the server sends does not continue what is here")
        self._expected = self._expected[len(data[skip:end]) :]
        if len(data) > end:
            await self._target.write(data[end:])

    async def truncate(self, size: int) -> None:
        """Forget what is there beyond ``size`` bytes."""
        await self._target.truncate(size)


class _TailTarget(DownloadTarget):
    """Keeps the end of a file; reports no progress."""

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
    """Tell whether the ``size`` bytes on the server may be those that a source begins with.

    Their end is compared where the server lets it be read. What it counts of an upload that was
    cut, and keeps apart from the file of that name, cannot be read.
    """
    start = max(0, size - OVERLAP_SIZE)
    try:
        if "MLST" in await session.features() and (await session.stat(name)).size != size:
            return True
        there = _TailTarget()
        await session.retrieve(name, start, there, there)
    except OverlapMismatch:
        return False
    except (ServerRefused, Unsupported):
        return True
    here = b""
    while len(here) < size - start:
        piece = await source.read(start + len(here), size - start - len(here))
        if not piece:
            break
        here += piece
    return there.data == here
