"""Looks at a directory in a thread before its storage is opened on the reactor thread.

The disk of a directory may hang, as one of another machine can. Whoever waits for it is told so
after a few seconds, and a hanging directory holds one thread, however many wait for it.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as CallTimedOut
from twisted.python.failure import Failure

from ftpservice.concurrency.thread_pool import BlockingRunner, PoolOverloaded, PoolStopped
from ftpservice.storage.errors import Busy, StorageError, Unavailable
from ftpservice.wire.paths import ROOT
from ftpservice.wire.units import seconds_text

__all__ = ["DirectoryCheck"]

CHECK_SECONDS = 3.0
"""How long to wait for a directory."""


class DirectoryCheck:
    """Tells whether directories answer. ``pool`` runs the looks; `stop` ends it.

    Use it on the reactor thread only.
    """

    def __init__(self, clock: Any, pool: BlockingRunner) -> None:
        self._clock = clock
        self._pool = pool
        self._waiting: dict[str, list[Deferred[None]]] = {}
        """Who waits for the look at a directory that is in progress."""

    async def reach(self, directory: str) -> None:
        """Wait until a directory answers; raises `Unavailable` if it does not, or is missing.

        Raises `Busy` if too many other directories are waited for.
        """
        answer: Deferred[None] = Deferred()
        is_looking = directory in self._waiting
        self._waiting.setdefault(directory, []).append(answer)
        timeout = self._clock.callLater(CHECK_SECONDS, self._expire, directory, answer)
        if not is_looking:
            self._pool.run(_look, directory).addBoth(self._looked, directory)
        try:
            await answer
        finally:
            if timeout.active():
                timeout.cancel()
            if answer in self._waiting.get(directory, ()):
                self._waiting[directory].remove(answer)

    async def real_path(self, directory: str) -> str:
        """Return the path of a directory without symbolic links; it may be missing.

        Raises `Unavailable` if a directory on the way does not answer, `Busy` as `reach` does.
        """
        looking = self._pool.run(os.path.realpath, directory)
        try:
            return await looking.addTimeout(CHECK_SECONDS, self._clock)
        except CallTimedOut:
            raise _no_answer(directory) from None
        except (OSError, ValueError, PoolOverloaded, PoolStopped) as error:
            raise _refusal(Failure(error), directory) from None

    async def stop(self) -> None:
        """End the threads; waits for the looks in progress."""
        await self._pool.stop()

    def _expire(self, directory: str, answer: Deferred[None]) -> None:
        answer.errback(Failure(_no_answer(directory)))

    def _looked(self, result: object, directory: str) -> None:
        for answer in self._waiting.pop(directory):
            if isinstance(result, Failure):
                answer.errback(Failure(_refusal(result, directory)))
            else:
                answer.callback(None)


def _look(directory: str) -> None:
    """Do what opening the storage does on the reactor thread; raises `OSError`."""
    os.stat(directory)
    os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)


def _no_answer(directory: str) -> Unavailable:
    return Unavailable(ROOT, f"{directory}: no answer within {seconds_text(CHECK_SECONDS)}")


def _refusal(failure: Failure, directory: str) -> StorageError:
    if failure.check(PoolOverloaded):
        return Busy(ROOT, "too many directories do not answer")
    if failure.check(PoolStopped):
        return Unavailable(ROOT, "stopped")
    error = failure.value
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return Unavailable(ROOT, f"{directory}: {reason}")
