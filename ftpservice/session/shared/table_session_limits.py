"""The limits on the number of sessions, over several processes of a machine.

A place is taken under the lock of its key, so sessions that begin at the same time in several
processes never exceed a limit together; far below the limit, or without one, no lock is needed. The
places of a killed process are free as soon as its column is cleared. Where all places are taken, a
process without a session that it could displace asks the others, those with most sessions first.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.concurrency.lock_wait import LockWait
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableError
from ftpservice.concurrency.table_section import TableSection
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests

__all__ = ["DISPLACE", "SESSION_PLACES", "TableSessionLimits", "displaced_in"]

log = Logger("ftpservice.session")

TAKEN = 0
DISPLACE = "displace a session"
DISPLACE_SECONDS = 2.0
"""The longest time for that."""
SESSION_PLACES = RecordLayout("session places", fields=1, slots=65536)


class TableSessionLimits(SessionLimits):
    """Counts sessions of all processes against limits.

    Where a key has no room in the table, a session with a limit is refused, and one without is
    counted nowhere. Where another process keeps the lock of a key, `obtain` waits for it.
    """

    is_shared = True

    def __init__(self, section: TableSection, peers: PeerRequests, clock: IReactorTime) -> None:
        super().__init__()
        self._clock = clock
        self._section = section
        self._peers = peers
        peers.answer(DISPLACE, self._displaced_for_peer)
        self._uncounted: Counter[bytes] = Counter()
        """Sessions without a limit that are not in the table."""

    def take(self, kind: str, name: str, limit: int) -> bool:
        """Count a session under ``kind`` and ``name``; False if the limit is reached."""
        key = _key(kind, name)
        self.was_locked = False
        if self._section.add_below(key, TAKEN, 1, limit):
            return True
        try:
            with self._section.lock(key) as places:
                if 0 < limit <= places.total(TAKEN):
                    return False
                places.add(TAKEN, 1)
        except TableError as error:
            self.was_locked = limit > 0 and isinstance(error, TableBusy)
            if not self.was_locked:
                log.warn("a session is not counted by {kind}: {error}", kind=kind, error=error)
            if limit > 0:
                return False
            self._uncounted[key] += 1
        return True

    async def obtain(self, kind: str, name: str, limit: int) -> bool:
        """Count a session as `take` does, after waiting for the lock of its key if necessary."""
        wait = LockWait(self._clock)
        while not self.take(kind, name, limit):
            if not self.was_locked or not await wait.is_worth_another_try():
                return False
        return True

    def release(self, kind: str, name: str) -> None:
        """Undo one `take`."""
        key = _key(kind, name)
        if self._uncounted and key in self._uncounted:
            self._uncounted[key] -= 1
            if not self._uncounted[key]:
                del self._uncounted[key]
        else:
            self._section.give_back(key, TAKEN)

    async def displace_elsewhere(self) -> bool:
        """Have another process end a session without a login; return whether one did."""
        places = self._section.columns_of(ALL_KEY, TAKEN)
        own = self._section.column
        others = [one for one, count in enumerate(places) if count and one != own]
        for column in sorted(others, key=places.__getitem__, reverse=True):
            if await displaced_in(self._peers, column):
                return True
        return False

    async def _displaced_for_peer(self) -> bool:
        return self.displace()

    def taken(self, kind: str, name: str) -> int:
        """Return the number of sessions counted, of all processes."""
        return self._section.total(_key(kind, name), TAKEN)


async def displaced_in(peers: PeerRequests, column: int) -> bool:
    """Have the process of a column end a session without a login; return whether one did."""
    try:
        return bool(await peers.ask(column, DISPLACE, seconds=DISPLACE_SECONDS))
    except PeerGone:
        return False


def _key(kind: str, name: str) -> bytes:
    return f"{kind}\0{name}".encode("utf-8", "surrogateescape")


ALL_KEY = _key("all", "")
