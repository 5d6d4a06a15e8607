"""Locks by name: changes of the same file take place one after the other."""

from __future__ import annotations

import json
from collections import deque
from functools import lru_cache
from hashlib import blake2b

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ftpservice.linux import is_byte_locked, lock_byte, unlock_byte
from ftpservice.storage.quota.ledgers.ledger import Place

__all__ = ["PathLocks", "SharedNames", "SharedPathLocks", "is_shared"]

LOCKS, UPLOADS = 1 << 62, 1 << 61
"""Where the bytes of locks and of marks begin."""
MAX_KNOWN_NAMES = 1024
POLL_SECONDS = 0.02
"""How often to look whether another process has released a name."""


def is_shared(place: Place) -> bool:
    """Tell whether a place means the same in all processes of a machine."""
    return isinstance(place[0], str)


class PathLocks:
    """Locks that exist while they are held."""

    def __init__(self) -> None:
        self._held: dict[Place, deque[Deferred[None]]] = {}

    def try_acquire(self, key: Place) -> bool:
        """Take a lock if it is free; return whether that succeeded."""
        if key in self._held:
            return False
        self._held[key] = deque()
        return True

    async def acquire(self, key: Place) -> None:
        """Wait for a lock; in the order of the calls."""
        if not self.try_acquire(key):
            waiter: Deferred[None] = Deferred()
            self._held[key].append(waiter)
            await waiter

    def release(self, key: Place) -> None:
        """Pass a lock to the caller that has waited longest."""
        waiting = self._held[key]
        while waiting:
            waiter = waiting.popleft()
            if not waiter.called:  # else its call was cancelled
                waiter.callback(None)
                return
        del self._held[key]


class SharedNames:
    """Locks and marks of names that hold over processes, as locks on bytes of a file.

    The kernel releases them at the end of a process. Other processes look again and again, so their
    order is by chance.
    """

    def __init__(self, descriptor: int, secret: bytes) -> None:
        self._descriptor = descriptor
        self._secret = secret

    def _byte(self, base: int, words: tuple[object, ...]) -> int:
        return base + _number(self._secret, words)

    def try_lock(self, place: Place) -> bool:
        """Lock a name unless another process has it."""
        return not is_shared(place) or lock_byte(self._descriptor, self._byte(LOCKS, place))

    def unlock(self, place: Place) -> None:
        """Release a name."""
        if is_shared(place):
            unlock_byte(self._descriptor, self._byte(LOCKS, place))

    def mark_upload(self, owner: str, place: Place) -> None:
        """Tell others that an upload of ``owner`` is under way."""
        if is_shared(place):
            lock_byte(self._descriptor, self._byte(UPLOADS, (owner, *place)), is_shared=True)

    def unmark_upload(self, owner: str, place: Place) -> None:
        """Tell others that no upload of ``owner`` is under way here."""
        if is_shared(place):
            unlock_byte(self._descriptor, self._byte(UPLOADS, (owner, *place)))

    def has_upload(self, owner: str, place: Place) -> bool:
        """Tell whether an upload of ``owner`` is under way in another process."""
        if not is_shared(place):
            return False
        return is_byte_locked(self._descriptor, self._byte(UPLOADS, (owner, *place)))


@lru_cache(MAX_KNOWN_NAMES)
def _number(secret: bytes, words: tuple[object, ...]) -> int:
    """Return the number of a name; a change and an upload need it several times."""
    digest = blake2b(json.dumps(words).encode(), digest_size=8, key=secret).digest()
    return int.from_bytes(digest, "big") >> 4


class SharedPathLocks:
    """Locks that also keep other processes out; ``own`` are those of this one."""

    def __init__(self, own: PathLocks, names: SharedNames, clock: IReactorTime) -> None:
        self._own = own
        self._names = names
        self._clock = clock

    def try_acquire(self, key: Place) -> bool:
        """Take a lock if it is free; return whether that succeeded."""
        if not self._own.try_acquire(key):
            return False
        if self._names.try_lock(key):
            return True
        self._own.release(key)
        return False

    async def acquire(self, key: Place) -> None:
        """Wait for a lock; in the order of the calls within this process."""
        await self._own.acquire(key)
        try:
            while not self._names.try_lock(key):
                await deferLater(self._clock, POLL_SECONDS)
        except BaseException:
            self._own.release(key)
            raise

    def release(self, key: Place) -> None:
        """Release a lock, and pass it to the caller of this process that has waited longest."""
        self._names.unlock(key)
        self._own.release(key)
