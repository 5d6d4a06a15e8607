"""How many sessions there are: in total, from an address, under a name."""

from __future__ import annotations

from collections import Counter

from ftpservice.session.pending_logins import PendingLogins

__all__ = ["SessionLimits"]


class SessionLimits:
    """Counts places and hands out no more than there are; a limit of 0 is no limit."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[str, str]] = Counter()
        self.waiting = PendingLogins()
        """The sessions that are not logged in."""

    def take(self, kind: str, name: str, limit: int) -> bool:
        """Take a place among those of ``kind`` and ``name``; tell whether there was one."""
        if 0 < limit <= self._taken[kind, name]:
            return False
        self._taken[kind, name] += 1
        return True

    def release(self, kind: str, name: str) -> None:
        """Give back a place that was taken."""
        self._taken[kind, name] -= 1
        if self._taken[kind, name] <= 0:
            del self._taken[kind, name]

    def release_user(self, user: str, address: str, session: int) -> None:
        """Give back a user's place; the session waits for another login."""
        self.release("user", user)
        self.waiting.add(address, session)

    def taken(self, kind: str, name: str) -> int:
        """Return the number of places taken."""
        return self._taken.get((kind, name), 0)
