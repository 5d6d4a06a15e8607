"""One download, and how it goes on when it was cut."""

from __future__ import annotations

from typing import Protocol

from ftpservice_client.errors import Mismatch, Unsupported
from ftpservice_client.meter import Meter
from ftpservice_client.results import Digest
from ftpservice_client.session import Session
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

    def __init__(self, target: Target, name: str, wishes: Wished, meter: Meter) -> None:
        self.first = 0
        """Bytes that were there before."""
        self._target = target
        self._name = name
        self._offset = wishes.offset
        self._meter = meter
        self._size: int | None = None
        self._modified: float | None = None
        self._begun = False

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
        if self._target.written or self._begun:
            await self._require_the_same(session)
        self._begun = True
        if self._size is not None and self._size == self._offset + self._target.written:
            return
        offset = self._offset + self._target.written
        self._meter.base = offset
        size = await session.retrieve(self._name, offset, self._target, self._meter)
        self._size = size if size is not None else self._size

    async def _require_the_same(self, session: Session) -> None:
        """Begin again if the file on the server is not the one that was begun with."""
        size = await session.size(self._name)
        modified = await session.modified(self._name)
        since = self._target.modified if not self._begun else None
        newer = modified is not None and since is not None and modified > since + SKEW
        changed = self._begun and self._modified not in (None, modified)
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
