"""One upload, and how it resumes after an interruption.

What is on the server under the name may be what we have sent so far, or what was there before:
there are servers that swap a file in when it is whole. Only bytes that are certainly ours are gone
on with; else it begins again.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard

from ftpservice.wire import codes
from ftpservice_client.errors import (
    NetworkError,
    ServerBusy,
    ServerRefused,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.interfaces import (
    ByteCounter,
    ClientSession,
    OverlapMismatch,
    UploadPosition,
    UploadSource,
)
from ftpservice_client.results import Digest
from ftpservice_client.transfers.overlap_check import is_beginning_of
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.verify import compare_digests

__all__ = ["ResumableUpload"]


class UploadOptions(Protocol):
    """The options of the caller."""

    @property
    def append(self) -> bool:
        """Whether it is appended to the existing file."""

    @property
    def resume(self) -> bool:
        """Whether what is there is the beginning."""


class ResumableUpload:
    """Knows how far it has come."""

    def __init__(
        self,
        source: UploadSource,
        name: str,
        wishes: UploadOptions,
        meter: ProgressReporter,
        persistent: bool,
    ) -> None:
        self.offset = 0
        """Bytes that were on the server before the first attempt, of a resumed one."""
        self._source = source
        self._name = name
        self._options = wishes
        self._meter = meter
        self._may_retry = persistent
        self._former: int | None = None
        self._modified: float | None = None
        """When a file of the same size that was there was changed."""
        self._counters: list[tuple[ByteCounter, int]] = []
        self._attempts = 0

    @property
    def moved(self) -> int:
        """Bytes that were sent, those that were sent twice too."""
        return sum(counter.moved - zero for counter, zero in self._counters)

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Count what is sent from here on."""
        self._counters.append((counter, counter.moved))
        self._meter.begin(counter, total)

    def note(self, _text: str) -> None:
        """Nothing: of uploads there is no more to know."""

    async def attempt_and_verify(self, session: ClientSession) -> Digest | None:
        """Send it and compare digests."""
        await self.attempt(session)
        return await compare_digests(session, self._name, self._source.digest)

    async def attempt(self, session: ClientSession) -> None:
        """Send it, or what is missing of it."""
        place = await self._place(session)
        self._attempts += 1
        whole = place.offset and place.offset == self._source.size
        if whole and await self._is_there(session, place):
            return
        try:
            await self._send(session, place)
        except (ServerRefused, Unsupported, OverlapMismatch) as error:
            if self._attempts > 1 and _is_busy(error):  # with what was cut, perhaps
                raise ServerBusy(str(error), error.reply) from error
            if place.append or not place.offset:
                raise
            self.offset = 0
            await self._send(session, UploadPosition())  # then from the beginning

    async def _send(self, session: ClientSession, place: UploadPosition) -> None:
        self._meter.base = place.offset
        await session.store(self._name, self._source, place, self)

    async def _is_there(self, session: ClientSession, place: UploadPosition) -> bool:
        """Tell whether the server has the complete file, although it did not confirm it.

        If SIZE also counts an interrupted upload, MLST reports the file itself.
        """
        if "MLST" not in await session.features():
            return True
        try:
            entry = await session.stat(self._name)
        except (ServerRefused, Unsupported):
            return False
        return entry.size == place.offset + (place.former or 0 if place.append else 0)

    async def _place(self, session: ClientSession) -> UploadPosition:
        if self._attempts:
            return await self._next_position(session)
        wishes = self._options
        if wishes.append or wishes.resume or self._may_retry:
            self._former = await session.size(self._name)
        if wishes.append:
            return UploadPosition(append=True, former=self._former)
        if wishes.resume:
            offset = self._checked_offset(self._former or 0)
            if offset and not await is_beginning_of(self._source, session, self._name, offset):
                return UploadPosition()
            self.offset = offset
            return UploadPosition(offset)
        if self._former is not None and self._former == self._source.size:
            self._modified = await session.modified(self._name)
        return UploadPosition()

    async def _next_position(self, session: ClientSession) -> UploadPosition:
        """Return where to resume after an interruption."""
        now = await session.size(self._name)
        if self._options.append:
            if now is None or self._former is None or now < self._former:
                raise NetworkError("how much of what was appended has arrived cannot be told")
            return UploadPosition(
                self._checked_offset(now - self._former), append=True, former=self._former
            )
        if now is None or not await self._is_ours(session, now):
            return UploadPosition(self.offset) if self._options.resume else UploadPosition()
        return UploadPosition(self._checked_offset(now))

    async def _is_ours(self, session: ClientSession, size: int) -> bool:
        """Tell whether so many bytes on the server are those that we have sent."""
        if self._options.resume:
            return self.offset <= size <= self.offset + self.moved
        if size > self.moved:
            return False
        if size != self._former:
            return True
        modified = await session.modified(self._name) if self._modified is not None else None
        return size == self._source.size and modified not in (None, self._modified)

    def _checked_offset(self, size: int) -> int:
        if self._source.size is not None and size > self._source.size:
            raise VerificationFailed(f"{self._name}: the server has more bytes than are to be sent")
        if size and not self._source.is_restartable:
            raise Unsupported("what cannot be sought is not sent from the middle")
        return size


def _is_busy(error: Exception) -> TypeGuard[ServerRefused]:
    """Tell whether the server has the file in use for now."""
    reply = error.reply if isinstance(error, ServerRefused) else None
    return reply is not None and reply.code == codes.FILE_BUSY
