"""A second thread for a thread that has to receive and write at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["WorkerThread"]

Work = Callable[[], object]


class WorkerThread:
    """Runs one call at a time beside the thread that owns it; its thread ends with that one."""

    def __init__(self) -> None:
        self._wanted: SimpleQueue[Work | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._is_busy = False
        work = threading.Thread(target=_work, args=(self._wanted, self._done), daemon=True)
        work.start()

    def begin(self, work: Work) -> None:
        """Begin a call; `end` must be called before the next one."""
        self._is_busy = True
        self._wanted.put(work)

    def end(self) -> None:
        """Wait for the call that was begun, if any; raises what it raised."""
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
        except BaseException as problem:  # noqa: BLE001 - it is raised in the thread that waits
            done.put(problem)
        else:
            done.put(None)
        del work
