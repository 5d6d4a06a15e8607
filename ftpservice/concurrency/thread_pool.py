"""Blocking calls, run in a bounded pool of threads; each store has its own.

A call that opens something is given a function to dispose of it. If the caller no longer waits for
the result, it is disposed of in the pool, so that a cancelled call leaves nothing open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, TypeVarTuple
from weakref import WeakSet

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = [
    "INTERRUPT_SECONDS",
    "BlockingPool",
    "BlockingRunner",
    "CallOverdue",
    "InlineRunner",
    "PoolLoad",
    "PoolOverloaded",
    "PoolStopped",
    "PooledCall",
    "pool_loads",
    "run_unattended",
]

INTERRUPT_SECONDS = 0.05
"""Time between two interruptions of calls that are to end."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class PoolOverloaded(Exception):
    """The maximum number of calls is waiting, or no thread can be started."""


class PoolStopped(Exception):
    """The pool was stopped and accepts no calls."""


class CallOverdue(Exception):
    """The call has not returned in its time; if it has begun, it may still do its work."""


class BlockingRunner(Protocol):
    """Runs blocking calls."""

    def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        dispose: Callable[[T], object] | None = None,
        takes_long: bool = False,
    ) -> Deferred[T]:
        """Call ``function`` outside the reactor thread.

        When the Deferred is cancelled, a call that has not begun never does, and the result of
        one that has is given to ``dispose``. Fails with `PoolOverloaded` or `PoolStopped`, and with
        an error where calls have limited time: more of it with ``takes_long``.
        """

    def finish(self, function: Callable[[*Ts], T], *args: *Ts) -> Deferred[T]:
        """Call ``function`` to release something: never refused, and not undone by cancelling."""

    def stop(self) -> Deferred[None]:
        """Refuse further calls; fires when those begun or waiting have ended."""


def run_unattended(runner: BlockingRunner, function: Callable[[*Ts], object], *args: *Ts) -> None:
    """`BlockingRunner.finish` for those who do not wait; a failure is logged."""
    ending = runner.finish(function, *args)
    ending.addErrback(_log_unreleased)


def _log_unreleased(failure: Failure) -> None:
    if not failure.check(CallOverdue):
        _log.failure("releasing a resource failed", failure)


class PoolLoad(NamedTuple):
    """What the pools of one name do."""

    threads: int = 0
    running: int = 0
    """Calls that have begun, and whose results are not delivered."""
    waiting: int = 0
    """Calls that no thread has begun."""
    refused: int = 0
    """Calls that were refused since the start of the process."""


_pools: WeakSet[BlockingPool] = WeakSet()
_refused: dict[str, int] = {}
"""By name; pools come and go, and a counter must not fall."""


def pool_loads() -> dict[str, PoolLoad]:
    """Return the load of the pools of this process, by name; in the reactor thread."""
    found = {name: PoolLoad(refused=count) for name, count in _refused.items()}
    for pool in tuple(_pools):
        found[pool.name] = pool.added_to(found.get(pool.name, PoolLoad()))
    return found


class BlockingPool:
    """The real `BlockingRunner`: at most ``threads`` threads, started when there is work for them.

    ``waiting`` bounds the calls that are begun or queued. Use it from the reactor thread only.
    Results that are there together are delivered together: the reactor is woken once.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        name: str = "blocking calls",
        threads: int = 8,
        waiting: int = 10_000,
        refusal: type[Exception] | None = None,
    ) -> None:
        self._reactor = reactor
        self.name = name
        """What it is for; of no client's choice, as it is a label of metrics."""
        self._most = threads
        self._waiting = waiting
        self._overloaded = PoolOverloaded if refusal is None else refusal
        self._no_longer = PoolStopped if refusal is None else refusal
        self._calls = 0
        self._stopped = False
        self._threads: list[Thread] = []
        self._counting = Lock()
        self._running = 0
        self._ended: Deferred[None] = Deferred()
        self._queue: SimpleQueue[PooledCall[Any] | None] = SimpleQueue()
        self._done: deque[tuple[PooledCall[Any], object]] = deque()
        self._waking = False
        self._max_undelivered = 1
        """Results for which the reactor is woken while other calls wait."""
        self._is_starved = False
        """Whether no thread could be started, the last time."""
        self._begun = 0
        """Calls so far that a thread has begun; exact where there is one thread."""
        _pools.add(self)

    def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        dispose: Callable[[T], object] | None = None,
        takes_long: bool = False,
    ) -> Deferred[T]:
        """Call ``function`` in a thread (see `BlockingRunner.run`)."""
        call = PooledCall(partial(function, *args), dispose)
        call.takes_long = takes_long
        if self._stopped:
            call.result.errback(self._no_longer())
        elif self._calls >= self._waiting:
            self._count_refusal()
            call.result.errback(self._overloaded())
        else:
            self._begin(call)
        return call.result

    def finish(self, function: Callable[[*Ts], T], *args: *Ts) -> Deferred[T]:
        """Call ``function`` in a thread; never refused (see `BlockingRunner.finish`)."""
        if self._stopped:
            return maybeDeferred(function, *args)
        call = PooledCall(partial(function, *args), None, must=True)
        self._begin(call)
        return call.result

    def added_to(self, load: PoolLoad) -> PoolLoad:
        """Return ``load`` with what this pool does."""
        waiting = min(self._calls, self._queue.qsize())
        return PoolLoad(
            load.threads + self._running,
            load.running + self._calls - waiting,
            load.waiting + waiting,
            load.refused,
        )

    def stop(self) -> Deferred[None]:
        """Refuse further calls; fires when all threads have ended."""
        if self._stopped:
            return succeed(None)
        self._stopped = True
        _pools.discard(self)
        if not self._threads:
            return succeed(None)
        self._end_threads()
        return self._ended

    def stop_and_wait(self, interrupt: Callable[[], object] | None = None) -> None:
        """Refuse further calls, cancel those that wait, and block until the others have ended.

        ``interrupt`` makes them end; it is called again for what they do next.
        """
        self._stopped = True
        _pools.discard(self)
        with suppress(Empty):
            while (call := self._queue.get_nowait()) is not None:
                call.result.cancel()
        self._end_threads()
        for thread in self._threads:
            while interrupt is not None and thread.is_alive():
                interrupt()
                thread.join(INTERRUPT_SECONDS)
            thread.join()

    def _begin(self, call: PooledCall[Any]) -> None:
        self._calls += 1
        if self._calls > len(self._threads) < self._most:
            number = len(self._threads) + 1
            thread = Thread(target=self._work, name=f"{self.name} {number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the limit of threads, or the interpreter is ending
                if not self._threads:  # what must be released is released here, though that blocks
                    self._report_starvation()
                    self._count_refusal()
                    refused = Failure(self._overloaded())
                    self._done.append((call, call.outcome() if call.must else refused))
                    self._deliver()
                    return
            else:
                self._is_starved = False
                self._threads.append(thread)
                with self._counting:
                    self._running += 1
        self._queue.put(call)

    def _count_refusal(self) -> None:
        _refused[self.name] = _refused.get(self.name, 0) + 1

    def _report_starvation(self) -> None:
        """Log that calls fail for want of a thread, once until one can be started."""
        if not self._is_starved:
            self._is_starved = True
            _log.error(
                "no thread can be started for {name}: calls are refused; "
                "raise the limit on processes of the user (TasksMax, ulimit -u)",
                name=self.name,
            )

    def _end_threads(self) -> None:
        """Tell all threads to end when they have run what is queued before."""
        for _ in self._threads:
            self._queue.put(None)

    def _join_threads(self) -> None:
        """Deliver what is left, in the reactor thread; the threads have nothing left to do."""
        self._deliver()
        for thread in self._threads:
            thread.join()
        self._ended.callback(None)

    def _work(self) -> None:
        """Run calls in a thread, until the pool stops."""
        while (call := self._queue.get()) is not None:
            self._begun += 1
            self._done.append((call, call.outcome()))
            del call  # an idle thread keeps nothing open or in memory
            if not self._waking and (
                len(self._done) >= self._max_undelivered or self._queue.empty()
            ):
                self._waking = True
                self._reactor.callFromThread(self._deliver)
        with self._counting:
            self._running -= 1
            if not self._running:  # a thread more may not start when the interpreter is ending
                self._reactor.callFromThread(self._join_threads)

    def _deliver(self) -> None:
        """Deliver results, in the reactor thread."""
        self._waking = False  # from here on, what comes too late for this turn wakes us again
        while self._done:
            call, outcome = self._done.popleft()
            self._calls -= 1
            if not call.result.called:
                call.result.callback(outcome)
            else:
                call.discard(outcome, self)


class PooledCall(Generic[T]):
    """One queued call; ``must``: it runs even if its caller was cancelled."""

    takes_long = False

    def __init__(
        self, function: Callable[[], T], dispose: Callable[[T], object] | None, must: bool = False
    ) -> None:
        self.function = function
        self.dispose = dispose
        self.must = must
        self.result: Deferred[T] = Deferred()

    @property
    def is_cancelled(self) -> bool:
        """Whether the call was cancelled; read from all threads."""
        return bool(self.result.called)

    def outcome(self) -> T | Failure | None:
        """Call the function, in the thread, unless it was cancelled; returns the outcome."""
        if self.result.called and not self.must:
            self.dispose = None
            return None
        try:
            return self.function()
        except Exception:  # noqa: BLE001 - whatever it raises is for who waits
            return Failure()

    def discard(self, outcome: Any, runner: BlockingRunner) -> None:
        """Dispose of an outcome for which nothing waits any more."""
        if isinstance(outcome, Failure):
            if self.must:
                _log.failure("releasing a resource failed", outcome)
        elif self.dispose is not None:
            run_unattended(runner, self.dispose, outcome)


class InlineRunner:
    """A `BlockingRunner` for tests: runs each call at once, in the caller's thread.

    While ``held``, calls wait for `release`, so that tests can cancel them before they begin or,
    with ``begun`` set as well, while they run.
    """

    def __init__(self) -> None:
        self.held = False
        self.begun = False
        self._ready: list[Callable[[], None]] = []
        self._stopped = False

    def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        dispose: Callable[[T], object] | None = None,
        takes_long: bool = False,  # noqa: ARG002 - as `BlockingRunner` has it
    ) -> Deferred[T]:
        """Call ``function`` now, or when released (see `BlockingRunner.run`)."""
        call = PooledCall(partial(function, *args), dispose)
        if self._stopped:
            call.result.errback(PoolStopped())
        else:
            self._take(call)
        return call.result

    def finish(self, function: Callable[[*Ts], T], *args: *Ts) -> Deferred[T]:
        """Call ``function`` now, or when released (see `BlockingRunner.finish`)."""
        call = PooledCall(partial(function, *args), None, must=True)
        self._take(call)
        return call.result

    def release(self) -> None:
        """Run the calls that wait now; the results are held again if still ``held``."""
        ready, self._ready = self._ready, []
        for go_on in ready:
            go_on()

    def stop(self) -> Deferred[None]:
        """Refuse further calls."""
        self._stopped = True
        self.held = False
        self.release()
        return succeed(None)

    def _take(self, call: PooledCall[Any]) -> None:
        if not self.held:
            self._deliver(call, call.outcome())
        elif self.begun:
            self._ready.append(partial(self._deliver, call, call.outcome()))
        else:
            self._ready.append(lambda: self._deliver(call, call.outcome()))

    def _deliver(self, call: PooledCall[Any], outcome: object) -> None:
        if not call.is_cancelled:
            call.result.callback(outcome)
        else:
            call.discard(outcome, self)


_log = Logger()
