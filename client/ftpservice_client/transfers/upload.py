"""One upload, and how it goes on when it was cut.

What is on the server under the name may be what we have sent so far, or what was there before:
there are servers that swap a file in when it is whole. Only bytes that are certainly ours are gone
on with; else it begins again.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard

from ftpservice.wire import codes
from ftpservice_client.errors import Busy, Cut, Mismatch, Refused, Unsupported
from ftpservice_client.interfaces import Moved, Place, Session, Source, WrongStart
from ftpservice_client.results import Digest
from ftpservice_client.transfers.overlap_check import is_beginning_of
from ftpservice_client.transfers.progress import Meter
from ftpservice_client.transfers.verify import verified

__all__ = ["Upload"]


class Wished(Protocol):
    """What the caller has wished for."""

    @property
    def append(self) -> bool:
        """Whether it goes behind what is there."""

    @property
    def resume(self) -> bool:
        """Whether what is there is the beginning."""


class Upload:
    """Knows how far it has come."""

    def __init__(
        self, source: Source, name: str, wishes: Wished, meter: Meter, persistent: bool
    ) -> None:
        self.offset = 0
        """Bytes that were on the server before the first attempt, of a resumed one."""
        self._source = source
        self._name = name
        self._wishes = wishes
        self._meter = meter
        self._persistent = persistent
        self._former: int | None = None
        self._modified: float | None = None
        """When a file of the same size that was there was changed."""
        self._counters: list[tuple[Moved, int]] = []
        self._attempts = 0

    @property
    def moved(self) -> int:
        """Bytes that were sent, those that were sent twice too."""
        return sum(counter.moved - zero for counter, zero in self._counters)

    def begin(self, counter: Moved, total: int | None) -> None:
        """Count what is sent from here on."""
        self._counters.append((counter, counter.moved))
        self._meter.begin(counter, total)

    def note(self, _text: str) -> None:
        """Nothing: of uploads there is no more to know."""

    async def verified(self, session: Session) -> Digest | None:
        """Send it and compare digests."""
        await self.attempt(session)
        return await verified(session, self._name, self._source.digest)

    async def attempt(self, session: Session) -> None:
        """Send it, or what is missing of it."""
        place = await self._place(session)
        self._attempts += 1
        whole = place.offset and place.offset == self._source.size
        if whole and await self._is_there(session, place):
            return
        try:
            await self._send(session, place)
        except (Refused, Unsupported, WrongStart) as error:
            if self._attempts > 1 and _is_busy(error):  # with what was cut, perhaps
                raise Busy(str(error), error.reply) from error
            if place.append or not place.offset:
                raise
            self.offset = 0
            await self._send(session, Place())  # then from the beginning

    async def _send(self, session: Session, place: Place) -> None:
        self._meter.base = place.offset
        await session.store(self._name, self._source, place, self)

    async def _is_there(self, session: Session, place: Place) -> bool:
        """Tell whether the server has the whole file, though it did not say so.

        Where SIZE also counts what a cut upload has left, MLST tells of the file itself.
        """
        if "MLST" not in await session.features():
            return True
        try:
            entry = await session.stat(self._name)
        except (Refused, Unsupported):
            return False
        return entry.size == place.offset + (place.former or 0 if place.append else 0)

    async def _place(self, session: Session) -> Place:
        if self._attempts:
            return await self._next_place(session)
        wishes = self._wishes
        if wishes.append or wishes.resume or self._persistent:
            self._former = await session.size(self._name)
        if wishes.append:
            return Place(append=True, former=self._former)
        if wishes.resume:
            offset = self._within(self._former or 0)
            if offset and not await is_beginning_of(self._source, session, self._name, offset):
                return Place()
            self.offset = offset
            return Place(offset)
        if self._former is not None and self._former == self._source.size:
            self._modified = await session.modified(self._name)
        return Place()

    async def _next_place(self, session: Session) -> Place:
        """Return where to go on after a cut."""
        now = await session.size(self._name)
        if self._wishes.append:
            if now is None or self._former is None or now < self._former:
                raise Cut("how much of what was appended has arrived cannot be told")
            return Place(self._within(now - self._former), append=True, former=self._former)
        if now is None or not await self._is_ours(session, now):
            return Place(self.offset) if self._wishes.resume else Place()
        return Place(self._within(now))

    async def _is_ours(self, session: Session, size: int) -> bool:
        """Tell whether so many bytes on the server are those that we have sent."""
        if self._wishes.resume:
            return self.offset <= size <= self.offset + self.moved
        if size > self.moved:
            return False
        if size != self._former:
            return True
        modified = await session.modified(self._name) if self._modified is not None else None
        return size == self._source.size and modified not in (None, self._modified)

    def _within(self, size: int) -> int:
        if self._source.size is not None and size > self._source.size:
            raise Mismatch(f"{self._name}: the server has more bytes than are to be sent")
        if size and not self._source.is_restartable:
            raise Unsupported("what cannot be sought is not sent from the middle")
        return size


def _is_busy(error: Exception) -> TypeGuard[Refused]:
    """Tell whether the server has the file in use for now."""
    reply = error.reply if isinstance(error, Refused) else None
    return reply is not None and reply.code == codes.FILE_BUSY
