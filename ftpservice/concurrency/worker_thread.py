"""A second thread for one that has two things to do at a time: to receive, and to write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["WorkerThread"]

Work = Callable[[], object]


class WorkerThread:
    """Does one thing at a time beside the thread whose it is; its thread ends with it."""

    def __init__(self) -> None:
        self._wanted: SimpleQueue[Work | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._is_busy = False
        work = threading.Thread(target=_work, args=(self._wanted, self._done), daemon=True)
        work.start()

    def begin(self, work: Work) -> None:
        """Have something done; `end` has to come between two."""
        self._is_busy = True
        self._wanted.put(work)

    def end(self) -> None:
        """Wait until what was begun, if anything, is done; raises what that raised."""
        if self._is_busy:
            self._is_busy = False
            problem = self._done.get()
            if problem is not None:
                raise problem

    def __del__(self) -> None:
        self._wanted.put(None)


def _work(wanted: SimpleQueue[Work | None], done: SimpleQueue[BaseException | None]) -> None:
    while (work := wanted.get()) is not None:
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 - it is raised by whoever waits
            done.put(problem)
        else:
            done.put(None)
        del work
