"""The limits on the number of sessions, over the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime

from ftpservice.cluster.place_leases import Claims, PlaceLeases
from ftpservice.session.session_limits import SessionLimits

__all__ = ["LeasedSessionLimits"]

MAX_QUESTIONS = 2
"""For one session; between answer and use another session may take the place."""


class LeasedSessionLimits(SessionLimits):
    """Counts sessions in the places that this node holds; `obtain` asks for more."""

    is_leased = True
    displace_at_another: Callable[[], Awaitable[bool]] | None = None
    """Has another node end a session without a login; returns whether one was asked."""

    def __init__(self, ask: Claims, clock: IReactorTime) -> None:
        super().__init__()
        self.leases = PlaceLeases(lambda key: self._taken.get(key, 0), ask, clock)

    def take(self, kind: str, name: str, limit: int) -> bool:
        """Count a session under ``kind`` and ``name``; False if there is no place here."""
        return self.leases.may_take((kind, name), limit) and super().take(kind, name, 0)

    async def obtain(self, kind: str, name: str, limit: int) -> bool:
        """Count a session as `take` does, after asking for a place if there is none here."""
        for _ in range(MAX_QUESTIONS):
            if self.take(kind, name, limit):
                return True
            if not await self.leases.wait_for_place((kind, name), limit):
                return False
        return self.take(kind, name, limit)

    async def displace_elsewhere(self) -> bool:
        """Have another node end a session without a login; return whether one was asked."""
        return self.displace_at_another is not None and await self.displace_at_another()

    def release(self, kind: str, name: str) -> None:
        """Undo one `take`."""
        super().release(kind, name)
        self.leases.released((kind, name))
