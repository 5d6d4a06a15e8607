"""Runs a coroutine as `Deferred.fromCoroutine` does, at a lower cost if it mostly does not wait.

Most commands complete without waiting. A coroutine that never waits costs one call here; `cancel`
cancels only what it waits for at that moment, so a coroutine may wait for its cleanup afterwards.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

__all__ = ["Task", "drop_tracebacks", "wait_out"]

T = TypeVar("T")


def drop_tracebacks(error: BaseException) -> None:
    """Remove the tracebacks of an error and of its causes.

    They refer to files and directories, and often to the error itself: reference cycles that keep
    them open until the garbage collector runs, which can take hours in an idle process.
    """
    known: BaseException | None = error
    while known is not None:
        known.__traceback__ = None
        known = known.__context__


class Task(Generic[T]):
    """Runs a coroutine; ``done`` fires with what it returns or raises.

    Begins at once. Contexts (`contextvars`) are not separated.
    """

    __slots__ = ("_coroutine", "_done", "_result", "_waiting", "ended", "has_returned")

    _result: T

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.ended = False
        """Whether it has ended."""
        self.has_returned = False
        """Whether it has ended without an error."""
        self._coroutine = coroutine
        self._waiting: Deferred[Any] | None = None
        self._done: Deferred[T] | None = None
        try:  # the first step, as `_step` does it: most coroutines end in it
            waiting = coroutine.send(None)
        except StopIteration as end:
            self.ended = self.has_returned = True
            self._result = end.value
        except BaseException:  # noqa: BLE001 - every error is passed on by `done`
            self.ended = True
            self.done.errback(Failure())
        else:
            self._waiting = waiting
            waiting.addBoth(self._step)

    @property
    def done(self) -> Deferred[T]:
        """The Deferred of the result, made when it is requested; cancelling it is `cancel`."""
        if self._done is None:
            self._done = Deferred(lambda _done: self.cancel())
            if self.has_returned:
                self._done.callback(self._result)
        return self._done

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for the end; return the result, or raise the error."""
        if self.has_returned:
            return self._result
        result: T = yield from self.done
        return result

    def cancel(self) -> None:
        """Raise `CancelledError` where the coroutine waits."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _step(self, outcome: object) -> None:
        """Run the coroutine with a result, to its next wait or its end."""
        self._waiting = None
        try:
            if isinstance(outcome, Failure):
                error = outcome.value
                assert error is not None
                waiting = self._coroutine.throw(error.with_traceback(outcome.tb))
            else:
                waiting = self._coroutine.send(outcome)
        except StopIteration as end:
            self.ended = self.has_returned = True
            self._result = end.value
            if self._done is not None and not self._done.called:
                self._done.callback(end.value)
        except BaseException:  # noqa: BLE001 - every error is passed on by `done`
            self.ended = True
            if not self.done.called:  # who cancelled it has not waited for the tidying up
                self.done.errback(Failure())
        else:
            self._waiting = waiting
            waiting.addBoth(self._step)
        finally:
            # A raised error knows this frame: what the frame knows of the error would be a ring.
            del outcome
            error = None


async def wait_out(work: Deferred[T]) -> T:
    """Return the result of work that nobody can cancel: a cancellation is raised at its end."""
    outcomes: list[Any] = []
    waiting: Deferred[None] = Deferred()

    def ended(outcome: Any) -> None:
        outcomes.append(outcome)
        if not waiting.called:
            waiting.callback(None)

    work.addBoth(ended)
    cancellation: CancelledError | None = None
    while not outcomes:
        try:
            await waiting
        except CancelledError as error:
            cancellation, waiting = error, Deferred()
    (outcome,) = outcomes
    if cancellation is not None:
        raise cancellation
    if isinstance(outcome, Failure):
        outcome.raiseException()
    result: T = outcome
    return result
