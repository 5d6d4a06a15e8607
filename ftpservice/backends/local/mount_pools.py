"""The threads for filesystems that may stop answering: each has its own, so none delays others."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from ftpservice.backends.local.paths.kernel_mounts import KernelMounts, hanging_part
from ftpservice.concurrency.watched_pool import WatchedPool

__all__ = ["DEFAULT_TIME_LIMIT_SECONDS", "MountPools", "MountedDirectory"]

MAX_POOLS = 256
"""Filesystems with threads of their own; what is more shares those of the last one."""

DEFAULT_TIME_LIMIT_SECONDS = 20.0
"""How long a filesystem may take to answer; clients wait for 20 to 60 seconds themselves."""


class MountedDirectory(NamedTuple):
    """How the calls for a directory are made that is on such a filesystem, or has one below."""

    pool: WatchedPool
    may_hang: bool
    """Whether the directory itself is on it."""


class MountPools:
    """The pools of one source."""

    def __init__(self, reactor: Any, mounts: KernelMounts) -> None:
        self.time_limit = DEFAULT_TIME_LIMIT_SECONDS
        """Seconds that a filesystem may take to answer; 0 for no limit."""
        self._reactor = reactor
        self._mounts = mounts
        self._pools: dict[bytes, WatchedPool] = {}

    def pool_for(self, directory: bytes) -> MountedDirectory | None:
        """Return the pool for an absolute path.

        None if neither the directory nor what is mounted below it may hang.
        """
        hanging = self._mounts.hanging
        part = hanging_part(hanging, directory) if hanging else None
        if part is None:
            return None
        place, may_hang = part
        pool = self._pools.get(place)
        if pool is None and len(self._pools) >= MAX_POOLS:
            pool = next(reversed(self._pools.values()))
        if pool is None:
            what = place.decode("utf-8", "backslashreplace")
            pool = WatchedPool(self._reactor, "mounted storage", what, self.time_limit or inf)
            self._pools[place] = pool
        return MountedDirectory(pool, may_hang)

    async def stop(self) -> None:
        """End the threads, as far as they answer."""
        stopping = [pool.stop() for pool in self._pools.values()]
        for one in stopping:
            await one
