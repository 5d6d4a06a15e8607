"""REPORT in a worker: the main process has what is reported."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.workers.channel import Channel

__all__ = ["RemoteReport"]

ANSWER_SECONDS = 30.0
"""An upgrade may end the main process before it has answered."""
NO_REPORT = ["The main process has ended, which has the report."]
LATE_REPORT = ["The main process, which has the report, does not answer; try again later."]


class RemoteReport:
    """Asks the main process over ``channel``."""

    def __init__(self, channel: Channel, clock: IReactorTime) -> None:
        self._channel = channel
        self._clock = clock
        self._number = 0
        self._waiting: dict[int, tuple[Deferred[list[str]], IDelayedCall]] = {}
        self._is_closed = False

    def __call__(self, since: str, until: str, user: str) -> Deferred[list[str]]:
        """Return the lines; fails with `ValueError` for a wrong text."""
        if self._is_closed:
            return succeed(NO_REPORT)
        self._number += 1
        waiting: Deferred[list[str]] = Deferred()
        limit = self._clock.callLater(
            ANSWER_SECONDS, self.answered, self._number, LATE_REPORT, None
        )
        self._waiting[self._number] = waiting, limit
        self._channel.send("report", self._number, [since, until, user])
        return waiting

    def answered(self, number: int, lines: list[str], refusal: str | None) -> None:
        """Pass on an answer."""
        found = self._waiting.pop(number, None)
        if found is None:
            return
        waiting, limit = found
        if limit.active():
            limit.cancel()
        if refusal is None:
            waiting.callback(lines)
        else:
            waiting.errback(ValueError(refusal))

    def close(self) -> None:
        """Answer what the main process will answer no more."""
        self._is_closed = True
        for number in tuple(self._waiting):
            self.answered(number, NO_REPORT, None)
