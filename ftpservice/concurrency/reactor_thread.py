"""Calls from threads that wait for their result, in a reactor that runs in a thread if need be.

For scripts and tests that do not run the reactor. Rules:

- The first call starts the reactor in a daemon thread, unless the program runs it already. Signal
  handlers stay those of the program.
- A call ends in every case: by its Deferred, by an interrupt of the waiting thread (Ctrl-C), which
  cancels the Deferred, or when the reactor stops, which cancels it, too. A call after that, in a
  forked child, or in the reactor's own thread is refused with `RuntimeError`: it would never end.
- The process ends when the main thread and all threads that are no daemons have ended. Then calls
  of daemon threads are cancelled, so that no incomplete file is left, and the reactor stops.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from twisted.python.threadable import isInIOThread

__all__ = ["ReactorThread"]

T = TypeVar("T")
Work = Callable[[Any], Deferred[T] | Coroutine[Deferred[Any], Any, T]]
"""Called with the reactor."""
THREAD_NAME = "reactor"
CANCELLATION_SECONDS = 1.0
"""How long an interrupted call, or the end of the process, waits for what was opened to close."""
STOPPED = "the reactor has stopped, or the process is ending: no call is possible any more"
FORKED = (
    "this process was forked from one that had loaded the reactor, which cannot run in both: "
    "start processes with the method 'spawn' (multiprocessing.get_context)"
)
OWN_THREAD = "a blocking call from the reactor's own thread would wait for itself"


class ReactorThread:
    """The reactor, for calls from other threads; there is one, `ReactorThread.shared`."""

    shared: ReactorThread

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reactor: Any = None
        self._refusal = ""
        """Why no call is possible any more."""
        self._calls: dict[Future[Any], Deferred[Any] | None] = {}
        """The calls that are not done; None for one that the reactor has not begun."""
        os.register_at_fork(after_in_child=self._after_fork)

    def call(self, function: Work[T]) -> T:
        """Call ``function`` with the reactor, in its thread; return the result of what it returns.

        Raises what that fails with, and `RuntimeError` if no call is possible.
        """
        reactor = self._running_reactor()
        future: Future[T] = Future()
        with self._lock:
            if self._refusal:
                raise RuntimeError(self._refusal)
            self._calls[future] = None
        try:
            reactor.callFromThread(self._begin, function, reactor, future)
            return future.result()
        except BaseException:
            if not future.done():  # Ctrl-C
                reactor.callFromThread(self._cancel, future)
                with suppress(BaseException):
                    future.result(CANCELLATION_SECONDS)
            raise
        finally:
            self._calls.pop(future, None)

    def _begin(self, function: Work[T], reactor: Any, future: Future[T]) -> None:
        if future.done():
            return
        begun: Deferred[T] = maybeDeferred(cast(Callable[[Any], Deferred[T]], function), reactor)
        self._calls[future] = begun
        begun.addCallbacks(_set_result, _set_error, (future,), errbackArgs=(future,))

    def _cancel(self, future: Future[Any]) -> None:
        begun = self._calls.get(future)
        if begun is not None:
            begun.cancel()

    def _running_reactor(self) -> Any:
        """Return the reactor; start it in a thread if it does not run."""
        with self._lock:
            reactor = self._reactor
            if self._refusal:
                raise RuntimeError(self._refusal)
            if reactor is None:
                from twisted.internet import reactor as installed

                self._reactor = reactor = installed
                reactor.addSystemEventTrigger("before", "shutdown", self._cancel_calls)
                reactor.addSystemEventTrigger("after", "shutdown", self._fail_calls)
                if not reactor.running:
                    self._start(reactor)
        if isInIOThread():
            raise RuntimeError(OWN_THREAD)
        return reactor

    def _start(self, reactor: Any) -> None:
        started: Future[None] = Future()

        def run() -> None:
            try:
                reactor.callWhenRunning(started.set_result, None)
                reactor.run(installSignalHandlers=False)
            except BaseException as error:  # noqa: BLE001 - reported to the waiting thread
                if not started.done():
                    started.set_exception(error)
                self._refuse(f"the reactor failed: {error}")
            finally:
                self._refuse(STOPPED)
                self._fail_calls()

        running = threading.Thread(target=run, name=THREAD_NAME, daemon=True)
        try:
            running.start()
            started.result()
        except Exception as error:
            self._refusal = STOPPED
            raise RuntimeError(f"the reactor cannot be started: {error}") from error
        stopping = threading.Thread(target=_stop_at_exit, args=(reactor, running), daemon=False)
        stopping.start()

    def _refuse(self, why: str) -> None:
        with self._lock:
            self._refusal = self._refusal or why

    def _cancel_calls(self) -> Deferred[None]:
        """Cancel the calls under way; fires when they have ended, or after a while."""
        self._refuse(STOPPED)
        for begun in list(self._calls.values()):
            if begun is not None:
                begun.cancel()
        ended: Deferred[None] = Deferred()
        self._wait_for_calls(ended, self._reactor.seconds() + CANCELLATION_SECONDS)
        return ended

    def _wait_for_calls(self, ended: Deferred[None], deadline: float) -> None:
        if all(future.done() for future in list(self._calls)) or self._reactor.seconds() > deadline:
            ended.callback(None)
        else:
            self._reactor.callLater(0.01, self._wait_for_calls, ended, deadline)

    def _fail_calls(self) -> None:
        for future in list(self._calls):
            if not future.done():
                future.set_exception(RuntimeError(self._refusal))

    def _after_fork(self) -> None:
        if "twisted.internet.reactor" in sys.modules:
            self._refusal = FORKED
        self._lock = threading.Lock()


def _set_result(result: T, future: Future[T]) -> None:
    if not future.done():
        future.set_result(result)


def _set_error(failure: Failure, future: Future[Any]) -> None:
    if not future.done():
        future.set_exception(failure.value or RuntimeError(failure.getErrorMessage()))


def _stop_at_exit(reactor: Any, running: threading.Thread) -> None:
    """Stop the reactor when the program's threads have ended; the interpreter waits for this one.

    A daemon thread would be killed before it can close anything.
    """
    threading.main_thread().join()
    own = threading.current_thread()
    while others := [
        thread for thread in threading.enumerate() if not thread.daemon and thread is not own
    ]:
        if others == [threading.main_thread()]:
            break
        for thread in others:
            thread.join()
    with suppress(RuntimeError):  # the event loop of an asyncio program is closed
        reactor.callFromThread(lambda: reactor.stop() if reactor.running else None)
    running.join(4 * CANCELLATION_SECONDS)


ReactorThread.shared = ReactorThread()
