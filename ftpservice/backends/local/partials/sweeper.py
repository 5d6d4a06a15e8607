"""Removal of expired partial uploads, at intervals and in turns."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.backends.local.partials.partial_file import discard_idle
from ftpservice.storage.errors import OutOfResources, Unavailable
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import count_text

__all__ = ["PartialSweep", "PeriodicSweep"]


class PartialSweep:
    """Removes partials not written for ``age`` seconds; a `PartialWalk` calls `visit`.

    It does not refer to the walk: a cycle would keep the tree open until garbage is collected.
    """

    def __init__(self, age: float) -> None:
        self.removed = 0
        self._before = time.time() - age

    def visit(self, opened: int, _path: VirtualPath, name: bytes) -> None:
        """Remove a partial if it has expired."""
        self.removed += discard_idle(opened, name, self._before)


class PeriodicSweep:
    """Sweeps as soon as the reactor runs and then every ``interval`` seconds, until stopped."""

    def __init__(
        self, clock: IReactorTime, interval: float, sweep: Callable[[], Awaitable[int]]
    ) -> None:
        self._sweep = sweep
        self._loop = LoopingCall(self._sweep_now)
        self._loop.clock = clock
        self._begin = clock.callLater(0, self._start, interval)
        self._sweeping: Deferred[None] = succeed(None)

    def stop(self) -> None:
        """Stop, cancelling a sweep in progress."""
        if self._begin.active():
            self._begin.cancel()
        if self._loop.running:
            self._loop.stop()
        self._sweeping.cancel()

    def _start(self, interval: float) -> None:
        self._loop.start(interval)

    def _sweep_now(self) -> Deferred[None]:
        self._sweeping = Deferred.fromCoroutine(self._sweep_and_log())
        return self._sweeping

    async def _sweep_and_log(self) -> None:
        """Sweep; a failure is logged, and the next sweep tries again."""
        try:
            removed = await self._sweep()
        except CancelledError:
            return
        except (OutOfResources, Unavailable) as error:
            _log.warn("expired partial uploads were not removed: {error}", error=error.reason)
        except Exception:  # noqa: BLE001 - the next sweep must still happen
            _log.failure("removing expired partial uploads failed")
        else:
            if removed:
                _log.info(
                    "removed {removed}", removed=count_text(removed, "expired partial upload")
                )


_log = Logger()
