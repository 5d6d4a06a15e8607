"""Keeps a number of worker processes running.

- One that ends is replaced: at once, or after a growing delay if it did not live long.
- The first start is another matter: if a worker cannot start with these settings, none is tried
  again, and `Supervisor.begin` fails with what it said.
- What all have to know is sent to all, and told to those that start later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ftpservice.concurrency.table_lock import TableError
from ftpservice.concurrency.timers import Deadline
from ftpservice.workers.channel import Handlers
from ftpservice.workers.launch import Launch
from ftpservice.workers.remote_sessions import RemoteSessions
from ftpservice.workers.session_board import SessionBoard
from ftpservice.workers.worker import Worker

__all__ = ["CannotStartWorkers", "Supervisor", "columns_for"]

log = Logger("ftpservice.workers")

FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 30.0
STEADY_SECONDS = 10.0
"""A worker that has lived that long is replaced at once, and the delay begins anew."""
COUNT_SECONDS = 2.0
"""How long a stop waits for workers to tell what is in progress."""


class CannotStartWorkers(Exception):
    """The first workers could not start; the text is one line."""


def columns_for(count: int) -> int:
    """Return how many processes may be at a time: the main one, the workers, their successors.

    After two upgrades in a row, workers of three programs may have transfers.
    """
    return 3 * count + 1


class Supervisor:
    """Starts ``count`` workers and replaces those that end.

    ``first`` returns the first message for a worker in a column of ``board``; ``descriptors`` what
    it inherits; ``handlers`` returns what its messages call.
    """

    def __init__(
        self,
        count: int,
        board: SessionBoard,
        launch: Launch,
        new_sessions: Callable[[], RemoteSessions],
        reactor: Any,
    ) -> None:
        self.count = count
        self.board = board
        self._launch = launch
        self._new_sessions = new_sessions
        self._reactor = reactor
        self.descriptors: Callable[[Worker], Sequence[int]] = lambda _worker: ()
        self.first: Callable[[Worker], tuple[Any, ...]] = lambda _worker: ("start",)
        self.handlers: Callable[[Worker], Handlers] = lambda _worker: {}
        self.claim: Callable[[], int] = self._free_column
        """Returns a column for a worker."""
        self.cleared: Callable[[int], object] = bool
        """Called with the column of a worker that has ended, before another one gets it."""
        self.accepts: Callable[[Worker], object] = bool
        """Called when a worker begins to accept connections."""
        self.workers: list[Worker] = []
        self.restarts = 0
        self.replaces = True
        """Whether a worker that ends is replaced: not during a stop, when the ports are closed."""
        self._delay = 0.0
        self._restarting: list[IDelayedCall] = []
        self._begun: Deferred[None] | None = None
        self._stopped: Deferred[None] | None = None
        self._is_stopping = False
        self._counting: Deferred[None] | None = None
        self._count_limit = Deadline(reactor, self._end_counting)

    def begin(self) -> Deferred[None]:
        """Start the workers; fires when all accept connections."""
        self._begun = begun = Deferred[None]()
        for _ in range(self.count):
            self._start()
        return begun

    def broadcast(self, name: str, *values: Any) -> int:
        """Send a message to all workers; return how many of them accept sessions."""
        for worker in tuple(self.workers):
            worker.send(name, *values)
        return sum(worker.is_ready for worker in self.workers)

    @property
    def working(self) -> int:
        """The number of sessions that carry out a command, after the workers have to finish."""
        return sum(worker.working or 0 for worker in self.workers)

    def counted(self) -> Deferred[None]:
        """Return what fires when `working` is known of all that have to finish, or a moment later.

        A worker that hangs does not tell.
        """
        self._counting = counting = Deferred[None]()
        self._count_limit.set(COUNT_SECONDS)
        self._check_counts()
        return counting

    def _check_counts(self) -> None:
        if not any(worker.working is None for worker in self.workers):
            self._end_counting()

    def _end_counting(self) -> None:
        self._count_limit.clear()
        counting, self._counting = self._counting, None
        if counting is not None:
            counting.callback(None)

    def stop(self) -> Deferred[None]:
        """End all workers; fires when they have ended."""
        self._is_stopping = True
        for call in self._restarting:
            call.cancel()
        self._restarting.clear()
        if not self.workers:
            return succeed(None)
        self._stopped = Deferred()
        for worker in tuple(self.workers):
            worker.stop()
        return self._stopped

    def _free_column(self) -> int:
        used = {worker.column.number for worker in self.workers}
        return next(one for one in range(1, self.board.columns) if one not in used)

    def new_worker(self, column: int) -> Worker:
        """Return a worker without a process yet; it counts among `workers` from now on."""
        worker = Worker(self.board.column(column), self._new_sessions(), self._reactor, self._ended)
        worker.counted = self._check_counts
        self.workers.append(worker)
        return worker

    def _start(self) -> None:
        worker = self.new_worker(self.claim())
        worker.column.clear()
        try:
            handlers = {"ready": lambda: self._ready(worker), **self.handlers(worker)}
            descriptors = self.descriptors(worker)
        except OSError as error:  # there is no descriptor left
            worker.not_started(error)
            return
        worker.start(self._launch, descriptors, handlers, lambda: self.first(worker))

    def _ready(self, worker: Worker) -> None:
        worker.ready()
        self.accepts(worker)
        if self._begun is None:
            log.info("worker {pid} accepts connections", pid=worker.pid)
        elif all(one.is_ready for one in self.workers):
            begun, self._begun = self._begun, None
            numbers = ", ".join(str(one.pid) for one in self.workers if not one.is_retired)
            log.info("workers {numbers} accept connections", numbers=numbers)
            begun.callback(None)

    def _ended(self, worker: Worker, how: str) -> None:
        self.workers.remove(worker)
        self.cleared(worker.column.number)
        if self._is_stopping:
            stopped = self._stopped
            if not self.workers and stopped is not None:
                self._stopped = None
                stopped.callback(None)
            return
        if worker.is_retired or not self.replaces:
            log.info("worker {pid} has ended ({how})", pid=worker.pid, how=how)
            return
        if self._begun is not None:
            begun, self._begun, self._is_stopping = self._begun, None, True
            for other in self.workers:
                other.kill()
            line = worker.failure or f"a worker ended before it was ready ({how})"
            begun.errback(CannotStartWorkers(line))
            return
        self._replace(worker, how)

    def _replace(self, worker: Worker, how: str) -> None:
        delay, self._delay = _next_delay(self._delay, self._reactor.seconds() - worker.since)
        self.restarts += 1
        log.error(
            "worker {pid} has ended ({how}); another one starts{when}",
            pid=worker.pid,
            how=worker.failure or how,
            when=f" in {delay:g} s" if delay else "",
        )
        self._restarting.append(self._reactor.callLater(delay, self._restart))

    def _restart(self) -> None:
        self._restarting = [one for one in self._restarting if one.active()]
        if not self.replaces:
            return
        try:
            self._start()
        except TableError as error:  # no process may be added before another one ends
            log.error(
                "no worker can be started: {reason}; tried again in {seconds:g} s",
                reason=error,
                seconds=MAX_DELAY_SECONDS,
            )
            self._restarting.append(self._reactor.callLater(MAX_DELAY_SECONDS, self._restart))


def _next_delay(last: float, lived: float) -> tuple[float, float]:
    """Return the delay of the next start, and the state for the one after it."""
    if lived >= STEADY_SECONDS:
        return 0.0, 0.0
    delay = min(max(2 * last, FIRST_DELAY_SECONDS), MAX_DELAY_SECONDS)
    return delay, delay
