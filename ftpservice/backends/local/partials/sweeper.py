"""Removing partials whose time is over, now and then, a little at a time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.backends.local.partials.partial_file import discard_idle
from ftpservice.wire.paths import VirtualPath

__all__ = ["PartialSweep", "PeriodicSweep"]


class PartialSweep:
    """Removes partials not written for ``age`` seconds, as a `PartialWalk` visits them.

    It knows nothing of the walk: a cycle would keep the tree open until garbage is collected.
    """

    def __init__(self, age: float) -> None:
        self.removed = 0
        self._before = time.time() - age

    def visit(self, opened: int, _path: VirtualPath, name: bytes) -> None:
        """Remove a partial if its time is over."""
        self.removed += discard_idle(opened, name, self._before)


class PeriodicSweep:
    """Sweeps as soon as the reactor runs and every ``interval`` seconds after, until stopped."""

    def __init__(
        self, clock: IReactorTime, interval: float, sweep: Callable[[], Awaitable[int]]
    ) -> None:
        self._sweep = sweep
        self._loop = LoopingCall(self._round)
        self._loop.clock = clock
        self._begin = clock.callLater(0, self._start, interval)
        self._sweeping: Deferred[None] = succeed(None)

    def stop(self) -> None:
        """End, in the middle of a sweep if need be."""
        if self._begin.active():
            self._begin.cancel()
        if self._loop.running:
            self._loop.stop()
        self._sweeping.cancel()

    def _start(self, interval: float) -> None:
        self._loop.start(interval)

    def _round(self) -> Deferred[None]:
        self._sweeping = Deferred.fromCoroutine(self._swept())
        return self._sweeping

    async def _swept(self) -> None:
        """Sweep; a failure is logged, and the next round tries again."""
        try:
            removed = await self._sweep()
        except CancelledError:
            return
        except Exception:  # noqa: BLE001 - the rounds must go on
            _log.failure("sweeping partials failed")
        else:
            if removed:
                _log.info("{removed} partials were too old", removed=removed)


_log = Logger()
