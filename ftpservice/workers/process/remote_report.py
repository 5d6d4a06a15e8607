"""REPORT in a worker: the main process has what is reported."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed

from ftpservice.workers.channel import Channel

__all__ = ["RemoteReport"]

NO_REPORT = ["The main process has ended, which has the report."]


class RemoteReport:
    """Asks the main process over ``channel``."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._number = 0
        self._waiting: dict[int, Deferred[list[str]]] = {}
        self._is_closed = False

    def __call__(self, since: str, until: str, user: str) -> Deferred[list[str]]:
        """Return the lines; fails with `ValueError` for a wrong text."""
        if self._is_closed:
            return succeed(NO_REPORT)
        self._number += 1
        self._waiting[self._number] = waiting = Deferred[list[str]]()
        self._channel.send("report", self._number, [since, until, user])
        return waiting

    def answered(self, number: int, lines: list[str], refusal: str | None) -> None:
        """Pass on an answer."""
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        if refusal is None:
            waiting.callback(lines)
        else:
            waiting.errback(ValueError(refusal))

    def close(self) -> None:
        """Answer what the main process will answer no more."""
        self._is_closed = True
        for number in tuple(self._waiting):
            self.answered(number, NO_REPORT, None)
