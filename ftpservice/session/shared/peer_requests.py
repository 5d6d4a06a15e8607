"""Questions between the processes that serve the same clients, each of which has a column.

A message is a tuple of plain values; how it gets to another process is not decided here. A question
whose process ends, or does not answer in time, fails with `PeerGone`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["ANSWER_SECONDS", "PeerGone", "PeerRequests", "PeerSilent", "Send"]

log = Logger("ftpservice.session")

ANSWER_SECONDS = 30.0
"""The longest time to wait for an answer."""
ASK, ANSWER = "ask", "answer"
Send = Callable[[int, tuple[Any, ...]], object]
Late = Callable[[Any], object]


class PeerGone(Exception):
    """The process has ended, or does not answer."""


class PeerSilent(PeerGone):
    """The process does not answer in time."""


class PeerRequests:
    """Asks other processes, and answers them.

    ``send(column, message)`` sends a message to the process of a column. `received` is called with
    what comes from there, `gone` when the process has ended, or there is none for a message.
    """

    def __init__(self, send: Send, clock: IReactorTime) -> None:
        self._send = send
        self._clock = clock
        self._numbers = count(secrets.randbits(48))  # no answer to an earlier process in a column
        self._asked: dict[int, tuple[int, Deferred[Any]]] = {}
        """The columns that were asked, and who waits for the answer."""
        self._late: dict[int, tuple[int, Late]] = {}
        """The columns whose answers did not come in time, and who takes these afterwards."""
        self._unanswered: dict[tuple[int, int], tuple[Any, ...]] = {}
        """Questions of other processes, by their columns and numbers."""
        self._is_held = False
        self._handlers: dict[str, Callable[..., Awaitable[Any]]] = {}

    def answer(self, name: str, handler: Callable[..., Awaitable[Any]]) -> None:
        """Have a coroutine function answer a question; its result is a plain value."""
        self._handlers[name] = handler

    async def ask(
        self,
        column: int,
        name: str,
        *values: Any,
        seconds: float = ANSWER_SECONDS,
        late: Late | None = None,
    ) -> Any:
        """Return what the process of a column answers; raises `PeerGone`, also `PeerSilent`.

        ``late`` is called with an answer that comes after that, from the same process.
        """
        number, answer = next(self._numbers), Deferred[Any]()
        self._asked[number] = column, answer
        limit = self._clock.callLater(seconds, self._overdue, number, late)
        try:
            self._send(column, (ASK, number, name, *values))
            return await answer
        finally:
            self._asked.pop(number, None)
            if limit.active():
                limit.cancel()

    def received(self, column: int, message: tuple[Any, ...]) -> None:
        """Take a message from the process of a column."""
        kind, number, *values = message
        if kind == ANSWER:
            _column, answer = self._asked.pop(number, (0, None))
            _column, late = self._late.pop(number, (0, None))
            if answer is not None:
                answer.callback(values[0])
            elif late is not None:
                late(values[0])
            return
        self._unanswered[column, number] = message
        if not self._is_held:
            answering = Deferred.fromCoroutine(self._answered(*values))
            answering.addErrback(self._unexpected)
            answering.addCallback(lambda result: self._answer(column, number, result))

    def _answer(self, column: int, number: int, result: Any) -> None:
        if not self._is_held:
            self._unanswered.pop((column, number), None)
            self._send(column, (ANSWER, number, result))

    def hold(self) -> None:
        """Answer no question any more: another program takes the place of this one."""
        self._is_held = True

    def unanswered(self, column: int) -> list[tuple[Any, ...]]:
        """Return the questions of a process that the other program has to answer."""
        return [message for (asker, _), message in self._unanswered.items() if asker == column]

    async def _answered(self, name: str, *values: Any) -> Any:
        return await self._handlers[name](*values)

    def _unexpected(self, failure: Failure) -> None:
        log.failure("another process gets no answer", failure)

    def gone(self, column: int) -> None:
        """Note that the process of a column has ended."""
        for number, (asked, _answer) in tuple(self._asked.items()):
            if asked == column:
                self._fail(number)
        for number in [number for number, (asked, _) in self._late.items() if asked == column]:
            del self._late[number]
        for key in [key for key in self._unanswered if key[0] == column]:
            del self._unanswered[key]

    def close(self) -> None:
        """Note that no process can be asked any more."""
        self._send = lambda column, _message: self.gone(column)
        self._late.clear()
        for number in tuple(self._asked):
            self._fail(number)

    def _overdue(self, number: int, late: Late | None) -> None:
        if late is not None:
            self._late[number] = self._asked[number][0], late
        self._fail(number, PeerSilent())

    def _fail(self, number: int, error: PeerGone | None = None) -> None:
        _column, answer = self._asked.pop(number, (0, None))
        if answer is not None:
            answer.errback(error or PeerGone())
