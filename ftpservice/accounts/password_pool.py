"""The few threads that checks of passwords run in, with a bounded line before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

__all__ = [
    "MAX_WAITING_CHECKS",
    "THREAD_COUNT",
    "LoginBusy",
    "PasswordCheckPool",
    "PasswordCheckRunner",
]

THREAD_COUNT = 2
"""Each holds the memory of one hash, and they leave the other cores to the transfers."""
MAX_WAITING_CHECKS = 1000
"""At thirty milliseconds a hash the last in line waits fifteen seconds."""

Result = TypeVar("Result")


class LoginBusy(Exception):
    """More logins are waiting than will be checked in good time; says nothing of the password.

    No `twisted.cred.error.LoginFailed` on purpose: it must not count as a failed attempt.
    """


class PasswordCheckRunner(Protocol):
    """What checkers want of a pool; tests give one without threads."""

    def run(self, check: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Call ``check`` where it may block."""

    def stop(self) -> None:
        """Let go of the threads."""


class PasswordCheckPool:
    """Runs blocking checks in threads of its own, so that they starve nobody else."""

    def __init__(
        self,
        reactor: IReactorFromThreads,
        threads: int = THREAD_COUNT,
        most: int = MAX_WAITING_CHECKS,
    ) -> None:
        self._reactor = reactor
        self._most = most
        self._pending = 0
        self._stopping = False
        self._threads = ThreadPool(0, threads, name="ftpservice-logins")
        self._threads.start()

    def run(self, check: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Call ``check`` in a thread; raises `LoginBusy` at once if too many are waiting.

        A cancelled call that has not begun never runs; one that has runs to its end, unheard.
        """
        if self._stopping or self._pending >= self._most:
            raise LoginBusy("too many logins at once")
        self._pending += 1
        answer: Deferred[Result] = Deferred()

        def work() -> Result:
            if self._stopping or answer.called:
                raise CancelledError
            return check(*arguments)

        def over(_success: bool, result: Result | Failure) -> None:
            self._reactor.callFromThread(self._over, answer, result)

        self._threads.callInThreadWithCallback(over, work)
        return answer

    def _over(self, answer: Deferred[Result], result: Result | Failure) -> None:
        self._pending -= 1
        if answer.called:
            return
        if isinstance(result, Failure):
            answer.errback(result)
        else:
            answer.callback(result)

    def stop(self) -> None:
        """Drop what is waiting, wait for the checks in progress, end the threads."""
        self._stopping = True
        self._threads.stop()
