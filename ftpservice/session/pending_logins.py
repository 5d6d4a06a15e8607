"""The sessions without a login: they may be ended when others need their places."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["PendingLogins"]


class PendingLogins:
    """Sessions by number, oldest first, by address."""

    def __init__(self) -> None:
        self._sessions: dict[str, dict[int, None]] = {}
        self._by_size: dict[int, dict[str, None]] = {}
        """The addresses by their number of sessions: the busiest is found without a search."""

    def add(self, address: str, session: int) -> None:
        """Add a session."""
        sessions = self._sessions.setdefault(address, {})
        before = len(sessions)
        sessions[session] = None
        self._move(address, before, len(sessions))

    def discard(self, address: str, session: int) -> None:
        """Remove a session that has logged in or ended; does nothing if it is not there."""
        sessions = self._sessions.get(address, {})
        before = len(sessions)
        sessions.pop(session, None)
        self._move(address, before, len(sessions))
        if not sessions:
            self._sessions.pop(address, None)

    def oldest(self, address: str, is_busy: Callable[[int], bool]) -> int | None:
        """Return the oldest session of an address, if possible one that is not busy."""
        sessions = self._sessions.get(address)
        if not sessions:
            return None
        return next((one for one in sessions if not is_busy(one)), next(iter(sessions)))

    def oldest_of_busiest_address(self, is_busy: Callable[[int], bool]) -> int | None:
        """Return the `oldest` of the address with most sessions."""
        if not self._by_size:
            return None
        return self.oldest(next(iter(self._by_size[max(self._by_size)])), is_busy)

    def _move(self, address: str, before: int, now: int) -> None:
        if before == now:
            return
        if before:
            del self._by_size[before][address]
            if not self._by_size[before]:
                del self._by_size[before]
        if now:
            self._by_size.setdefault(now, {})[address] = None
