"""One download, and how it goes on when it was cut."""

from __future__ import annotations

from typing import Protocol

from ftpservice_client.errors import Mismatch, Unsupported
from ftpservice_client.meter import Meter
from ftpservice_client.results import Digest
from ftpservice_client.session import Moved, Session
from ftpservice_client.target import Target
from ftpservice_client.verifying import verified

__all__ = ["Download"]

SKEW = 60.0
"""Seconds that two clocks may differ."""


class Wished(Protocol):
    """What the caller has wished for."""

    @property
    def offset(self) -> int:
        """Bytes that are left out."""


class Download:
    """Knows how far it has come: as far as its target has."""

    def __init__(
        self, target: Target, name: str, wishes: Wished, meter: Meter, *, persistent: bool
    ) -> None:
        self.first = 0
        """Bytes that were there before."""
        self._persistent = persistent
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

    async def verified(self, session: Session) -> Digest | None:
        """Receive it and compare digests."""
        await self.attempt(session)
        return await verified(session, self._name, self._target.digest)

    async def attempt(self, session: Session) -> None:
        """Receive it, or what is missing of it."""
        if self._target.written or self._attempts:
            await self._require_the_same(session)
        elif self._persistent:
            self._modified = await session.modified(self._name)
        self._attempts += 1
        offset = self._offset + self._target.written
        if offset and offset == self._size:
            return
        try:
            await self._receive(session, offset)
        except Unsupported:
            if self._offset or not self._target.written or not self._target.is_restartable:
                raise
            await self._restart()  # then from the beginning
            await self._receive(session, 0)

    async def _receive(self, session: Session, offset: int) -> None:
        self._meter.base = offset
        await session.retrieve(self._name, offset, self._target, self)

    def begin(self, counter: Moved, total: int | None) -> None:
        """Learn how many bytes there are."""
        self._size = total if total is not None else self._size
        self._meter.begin(counter, total)

    async def _require_the_same(self, session: Session) -> None:
        """Begin again if the file on the server is not the one that was begun with."""
        size = await session.size(self._name)
        modified = await session.modified(self._name)
        since = None if self._attempts else self._target.modified
        newer = modified is not None and since is not None and modified > since + SKEW
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
            raise Mismatch(f"{self._name}: the file changed while it was received") from error
        self.first = 0
