"""The passive ports that wait for their client, of all sessions: none is held for nothing.

Each closes when nobody has connected within its time. When all ports of a range are taken, the
oldest of the address that holds most gives its place to whoever asks now.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.networks import address_group

__all__ = ["IdlePassivePorts", "PortHolder"]


NOBODY_CONNECTED_TEXT = "nobody connected to the passive port in time"
PORT_RECLAIMED_TEXT = "nobody connected to the passive port before another session needed it"


class PortHolder(Protocol):
    """A session that has announced a port."""

    def has_idle_port(self) -> bool:
        """Tell whether it listens and nobody has connected."""

    def close_idle_port(self, problem: str) -> None:
        """Listen no more, for this reason; a client that has connected is kept."""


class IdlePassivePorts:
    """Knows who has announced a port, the oldest first; one timer does for all."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._holders: dict[PortHolder, tuple[str, float]] = {}
        self._call: IDelayedCall | None = None

    def add(self, holder: PortHolder, address: str, timeout: float) -> None:
        """Learn that a session at ``address`` listens, for so many seconds; 0 is for ever."""
        self._holders.pop(holder, None)
        self._holders[holder] = address, self._clock.seconds() + timeout if timeout else 0.0
        if timeout and self._call is None:
            self._call = self._clock.callLater(timeout, self._expire)

    def discard(self, holder: PortHolder) -> None:
        """Learn that it does no more; the last one leaves no timer behind."""
        self._holders.pop(holder, None)
        if self._call is not None and not self._holders:
            self._call.cancel()
            self._call = None

    def reclaim_port(self) -> bool:
        """Close the oldest port of the address that holds most; tell whether there was one."""
        unused = [
            (holder, address_group(address))
            for holder, (address, _) in self._holders.items()
            if holder.has_idle_port()
        ]
        if not unused:
            return False
        most = Counter(address for _, address in unused).most_common(1)[0][0]
        self._drop(next(one for one, address in unused if address == most), PORT_RECLAIMED_TEXT)
        return True

    def _drop(self, holder: PortHolder, problem: str) -> None:
        self.discard(holder)
        holder.close_idle_port(problem)

    def _expire(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for holder, (_, until) in tuple(self._holders.items()):
            if not until:
                continue
            if until > now:
                self._call = self._clock.callLater(until - now, self._expire)
                return
            self._drop(holder, NOBODY_CONNECTED_TEXT)
