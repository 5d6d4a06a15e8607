"""One download, and how it resumes after an interruption."""

from __future__ import annotations

from typing import Protocol

from ftpservice_client.errors import ServerRefused, Unsupported, VerificationFailed
from ftpservice_client.interfaces import ByteCounter, ClientSession, DownloadTarget, OverlapMismatch
from ftpservice_client.results import Digest
from ftpservice_client.transfers.overlap_check import OverlapCheck
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.verify import compare_digests

__all__ = ["ResumableDownload"]

CLOCK_SKEW_SECONDS = 60.0
"""Seconds that two clocks may differ."""


class DownloadOptions(Protocol):
    """The options of the caller."""

    @property
    def offset(self) -> int:
        """Bytes that are left out."""


class ResumableDownload:
    """Knows how far it has come: as far as its target has."""

    def __init__(
        self,
        target: DownloadTarget,
        name: str,
        wishes: DownloadOptions,
        meter: ProgressReporter,
        *,
        persistent: bool,
    ) -> None:
        self.first = 0
        """Bytes that were there before."""
        self.remark = ""
        """What else there is to know."""
        self._may_retry = persistent
        self._target = target
        self._name = name
        self._offset = wishes.offset
        self._meter = meter
        self._size: int | None = None
        self._modified: float | None = None
        self._attempts = 0

    @property
    def moved(self) -> int:
        """Bytes that were received."""
        return self._target.written - self.first

    async def attempt_and_verify(self, session: ClientSession) -> Digest | None:
        """Receive it and compare digests."""
        await self.attempt(session)
        return await compare_digests(session, self._name, self._target.digest)

    async def attempt(self, session: ClientSession) -> None:
        """Receive it, or what is missing of it."""
        if self._target.written or self._attempts:
            await self._require_unchanged(session)
        elif self._may_retry:
            self._modified = await session.modified(self._name)
        self._attempts += 1
        offset = self._offset + self._target.written
        if not self._target.written:
            self._meter.base = offset
            try:
                await session.retrieve(self._name, offset, self._target, self)
            except OverlapMismatch:
                if self._target.written and not self._target.is_restartable:
                    raise  # wrong bytes were passed on
                await self._receive_from_start(session, b"")
        elif offset != self._size or self.first:  # whose end is compared at least
            await self._receive_rest(session, offset)
        if self.first and self._target.is_restartable:
            await self._verify_resumed_part(session)

    async def _receive_rest(self, session: ClientSession, offset: int) -> None:
        """Receive what follows the bytes that the target has, compared with the last of them."""
        before = self._target.written
        tail = await self._target.tail()
        try:
            await self._receive(session, offset - len(tail), tail, 0)
        except Unsupported:
            await self._receive_from_start(session, tail)
        except OverlapMismatch:
            if self._target.written != before and not self._target.is_restartable:
                raise  # wrong bytes were passed on
            await self._receive_from_start(session, tail)

    async def _verify_resumed_part(self, session: ClientSession) -> None:
        """Receive it all again if what an earlier download left does not belong to this file.

        Servers that make no digests are believed: sizes, times and the overlap have fitted.
        """
        try:
            await compare_digests(session, self._name, self._target.digest)
        except (Unsupported, ServerRefused):
            return
        except VerificationFailed:
            await self._restart()
            await self._receive(session, 0, b"", 0)

    async def _receive_from_start(self, session: ClientSession, tail: bytes) -> None:
        """Receive the file from its beginning.

        What was passed on already, and cannot be taken back, is dropped when it comes again.
        """
        if self._target.is_restartable:
            await self._restart()
            tail = b""
        skip = self._offset + self._target.written - len(tail)
        await self._receive(session, 0, tail, skip)

    async def _receive(self, session: ClientSession, offset: int, tail: bytes, skip: int) -> None:
        self._meter.base = offset
        if not tail and not skip:
            await session.retrieve(self._name, offset, self._target, self)
            return
        target = OverlapCheck(self._target, tail, skip)
        await session.retrieve(self._name, offset, target, self)
        if target.wants_more:
            raise VerificationFailed(f"{self._name}: the server has less of it than is here")

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Learn how many bytes there are."""
        self._size = total if total is not None else self._size
        self._meter.begin(counter, total)

    def note(self, text: str) -> None:
        """Keep what the caller should know."""
        self.remark = text

    async def _require_unchanged(self, session: ClientSession) -> None:
        """Begin again if the file on the server is not the one that was begun with."""
        size = await session.size(self._name)
        modified = await session.modified(self._name)
        since = None if self._attempts else self._target.modified
        newer = modified is not None and since is not None and modified > since + CLOCK_SKEW_SECONDS
        changed = self._modified not in (None, modified)
        grown = self._size not in (None, size)
        longer = size is not None and self._offset + self._target.written > size
        self._size, self._modified = size, modified
        if newer or changed or grown or longer:
            await self._restart()

    async def _restart(self) -> None:
        try:
            await self._target.restart()
        except Unsupported as error:
            raise VerificationFailed(
                f"{self._name}: the file changed while it was received"
            ) from error
        self.first = 0
