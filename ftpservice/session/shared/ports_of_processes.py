"""Passive ports of one range that sessions of several processes have announced.

Where all ports of the range are taken, one that no client has connected to is closed for the
session that asks: the oldest of the address that holds most of them, counted over all processes. So
a client that occupies ports in one process keeps nobody out in the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from ftpservice.data.passive_ports import IdlePassivePorts
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests

__all__ = ["PortsOfProcesses"]

COUNT, CLOSE = "count idle passive ports", "close an idle passive port"
ANSWER_SECONDS = 1.0
"""The longest time for an answer."""
MAX_ADDRESSES = 100
"""Of each process, those that hold most."""
OWN = -1


class PortsOfProcesses:
    """Implements `OtherProcesses`; ``columns`` returns those of the other processes."""

    own: IdlePassivePorts | None = None
    """The ports of this process that wait for their client."""

    def __init__(self, peers: PeerRequests, columns: Callable[[], Iterable[int]]) -> None:
        self._peers = peers
        self._columns = columns
        peers.answer(COUNT, self._counted)
        peers.answer(CLOSE, self._closed)

    async def reclaim_port(self, own: IdlePassivePorts) -> bool:
        """Close a port, here or elsewhere; return whether there was one."""
        asked = {
            column: Deferred.fromCoroutine(self._counts_of(column)) for column in self._columns()
        }
        counts = {OWN: own.counts()}
        for column, answer in asked.items():
            counts[column] = await answer
        total: Counter[str] = Counter()
        for found in counts.values():
            total.update(found)
        for address, _count in total.most_common():
            holders = [column for column, found in counts.items() if found[address]]
            for column in sorted(holders, key=lambda one: counts[one][address], reverse=True):
                if await self._close(column, address, own):
                    return True
        return False

    async def _close(self, column: int, address: str, own: IdlePassivePorts) -> bool:
        if column == OWN:
            return own.close_oldest(address)
        try:
            return bool(await self._peers.ask(column, CLOSE, address, seconds=ANSWER_SECONDS))
        except PeerGone:
            return False

    async def _counts_of(self, column: int) -> Counter[str]:
        try:
            found = await self._peers.ask(column, COUNT, seconds=ANSWER_SECONDS)
        except PeerGone:
            return Counter()
        return Counter(found or {})  # None: of an earlier version, without an answer to this

    async def _counted(self) -> dict[str, int]:
        return {} if self.own is None else dict(self.own.counts().most_common(MAX_ADDRESSES))

    async def _closed(self, address: str) -> bool:
        return self.own is not None and self.own.close_oldest(address)
