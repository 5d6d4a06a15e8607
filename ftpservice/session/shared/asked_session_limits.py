"""The limits on sessions where the main process of a node counts for all its workers.

The main process holds the places of a cluster (`LeasedSessionLimits`), and is asked for each. A
worker counts what it has got, so that the places of one that has ended are given back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests
from ftpservice.session.shared.table_session_limits import DISPLACE, displaced_in

__all__ = ["AskedSessionLimits", "LimitsOfWorkers"]

MAIN = 0
"""The column of the main process."""
OBTAIN, TAKEN, RELEASE = "obtain a place", "has taken a place", "release a place"
DISPLACE_ELSEWHERE = "displace a session elsewhere"


class AskedSessionLimits(SessionLimits):
    """The limits in the worker of a column."""

    is_leased = True

    def __init__(self, column: int, peers: PeerRequests) -> None:
        super().__init__()
        self._column = column
        self._peers = peers
        peers.answer(DISPLACE, self._displaced_for_peer)

    def take(self, kind: str, name: str, limit: int) -> bool:
        """Count a session that has no limit; False for one that has: the main process is asked."""
        if limit > 0:
            return False
        self._tell(TAKEN, kind, name)
        return super().take(kind, name, 0)

    async def obtain(self, kind: str, name: str, limit: int) -> bool:
        """Count a session, after asking for a place."""
        if limit <= 0:
            return self.take(kind, name, limit)

        def give_back(got: Any) -> None:
            if got:
                self._tell(RELEASE, kind, name)

        asking = Deferred.fromCoroutine(
            self._peers.ask(MAIN, OBTAIN, self._column, kind, name, limit, late=give_back)
        )
        answered: Deferred[Any] = Deferred()

        def pass_on(result: Any) -> Any:
            answered.callback(result)
            return result is True

        asking.addBoth(pass_on)
        try:
            has_place = await answered
        except CancelledError:  # the session has ended meanwhile
            asking.addCallback(give_back)
            raise
        except PeerGone:
            has_place = False
        return bool(has_place) and super().take(kind, name, 0)

    def release(self, kind: str, name: str) -> None:
        """Undo one `take`."""
        super().release(kind, name)
        self._tell(RELEASE, kind, name)

    def _tell(self, what: str, kind: str, name: str) -> None:
        telling = Deferred.fromCoroutine(self._peers.ask(MAIN, what, self._column, kind, name))
        telling.addErrback(_gone)

    async def displace_elsewhere(self) -> bool:
        """Have another process or node end a session without a login; return whether one did."""
        try:
            return bool(await self._peers.ask(MAIN, DISPLACE_ELSEWHERE, self._column))
        except PeerGone:
            return False

    async def _displaced_for_peer(self) -> bool:
        return self.displace()


class LimitsOfWorkers:
    """Answers workers with the ``limits`` of the main process; ``columns`` are those that run."""

    def __init__(
        self,
        limits: SessionLimits,
        peers: PeerRequests,
        columns: Callable[[], Iterable[int]],
    ) -> None:
        self._limits = limits
        self._peers = peers
        self._columns = columns
        self._held: dict[int, Counter[tuple[str, str]]] = {}
        answers: dict[str, Callable[..., Awaitable[Any]]] = {
            OBTAIN: self._obtain,
            TAKEN: self._taken,
            RELEASE: self._release,
            DISPLACE_ELSEWHERE: self._displace_for,
        }
        for name, answer in answers.items():
            peers.answer(name, answer)

    def ended(self, column: int) -> None:
        """Give back the places of a worker that has ended."""
        for (kind, name), count in self._held.pop(column, Counter()).items():
            for _ in range(count):
                self._limits.release(kind, name)

    def hand_over(self) -> dict[int, list[tuple[str, str, int]]]:
        """Return by worker the places that another program has to know (`take_over`).

        Places that are obtained after that are nobody's.
        """
        held, self._held = self._held, {}
        return {
            column: [(*key, count) for key, count in places.items()]
            for column, places in held.items()
        }

    def take_over(self, column: int, places: Iterable[tuple[str, str, int]]) -> None:
        """Count what a worker has got from the program before this one."""
        held = self._held.setdefault(column, Counter())
        for kind, name, count in places:
            held[kind, name] += count
            for _ in range(count):
                self._limits.take(kind, name, 0)

    async def displace(self, besides: int = MAIN) -> bool:
        """Have a worker end a session without a login; return whether one did."""
        sessions = {one: self._held.get(one, Counter())["all", ""] for one in self._columns()}
        for column in sorted(sessions, key=sessions.__getitem__, reverse=True):
            if column != besides and sessions[column] and await displaced_in(self._peers, column):
                return True
        return False

    async def _obtain(self, column: int, kind: str, name: str, limit: int) -> bool:
        held = self._held.setdefault(column, Counter())
        if not await self._limits.obtain(kind, name, limit):
            return False
        if self._held.get(column) is not held:  # the worker has ended meanwhile
            self._limits.release(kind, name)
            return False
        held[kind, name] += 1
        return True

    async def _taken(self, column: int, kind: str, name: str) -> None:
        if self._limits.take(kind, name, 0):
            self._held.setdefault(column, Counter())[kind, name] += 1

    async def _release(self, column: int, kind: str, name: str) -> None:
        held = self._held.get(column, Counter())
        if held[kind, name] > 0:
            held[kind, name] -= 1
            if not held[kind, name]:
                del held[kind, name]
            self._limits.release(kind, name)

    async def _displace_for(self, column: int) -> bool:
        return await self.displace(column) or await self._limits.displace_elsewhere()


def _gone(failure: Failure) -> None:
    failure.trap(PeerGone)
