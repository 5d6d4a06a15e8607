"""Locks by name, for coroutines: changes of the same file take place one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from twisted.internet.defer import Deferred

__all__ = ["PathLocks"]


class PathLocks:
    """Locks that exist while they are held."""

    def __init__(self) -> None:
        self._held: dict[Hashable, deque[Deferred[None]]] = {}

    def try_acquire(self, key: Hashable) -> bool:
        """Take a lock if it is free; return whether that succeeded."""
        if key in self._held:
            return False
        self._held[key] = deque()
        return True

    async def acquire(self, key: Hashable) -> None:
        """Wait for a lock; in the order of the calls."""
        if not self.try_acquire(key):
            waiter: Deferred[None] = Deferred()
            self._held[key].append(waiter)
            await waiter

    def release(self, key: Hashable) -> None:
        """Pass a lock to the caller that has waited longest."""
        waiting = self._held[key]
        while waiting:
            waiter = waiting.popleft()
            if not waiter.called:  # else its call was cancelled
                waiter.callback(None)
                return
        del self._held[key]
