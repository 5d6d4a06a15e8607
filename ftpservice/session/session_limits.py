"""The limits on the number of sessions: in all, of an address, of an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ftpservice.session.pending_logins import PendingLogins

__all__ = ["SessionLimits"]


class SessionLimits:
    """Counts sessions against limits; a limit of 0 is no limit.

    ``is_shared``: those of other processes count, too.
    """

    is_shared = False
    is_leased = False
    """Whether places may have to be asked for (`obtain`) before `take` finds one."""
    was_locked = False
    """Whether the last `take` found no place only because another process had a lock: `obtain`
    waits for it."""

    @property
    def may_obtain(self) -> bool:
        """Whether `obtain` may find a place that the last `take` has not found."""
        return self.is_leased or self.was_locked

    def __init__(self) -> None:
        self._taken: Counter[tuple[str, str]] = Counter()
        self.waiting = PendingLogins()
        """The sessions without a login."""
        self.displace: Callable[[], bool] = bool
        """Ends one of them, and returns whether there was one; called for other processes."""

    def take(self, kind: str, name: str, limit: int) -> bool:
        """Count a session under ``kind`` and ``name``; False if the limit is reached."""
        if 0 < limit <= self._taken[kind, name]:
            return False
        self._taken[kind, name] += 1
        return True

    async def obtain(self, kind: str, name: str, limit: int) -> bool:
        """Count a session as `take` does, after asking for a place if there is none here."""
        return self.take(kind, name, limit)

    def release(self, kind: str, name: str) -> None:
        """Undo one `take`."""
        self._taken[kind, name] -= 1
        if self._taken[kind, name] <= 0:
            del self._taken[kind, name]

    def release_user(self, user: str, address: str, session: int) -> None:
        """Undo the `take` of a login; the session is without a login again."""
        self.release("user", user)
        self.waiting.add(address, session)

    async def displace_elsewhere(self) -> bool:
        """Have another process end a session without a login; return whether one did."""
        return False

    def taken(self, kind: str, name: str) -> int:
        """Return the number of sessions counted."""
        return self._taken.get((kind, name), 0)
