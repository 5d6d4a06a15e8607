"""Sends the events of a worker to the main process, in batches.

The bytes so far of running transfers go the same way. While the main process does not read, a
number of events waits; those beyond are lost and counted, and afterwards the main process is told
which sessions there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from ftpservice.concurrency.timers import Deadline
from ftpservice.events import Event, TransferEnded, TransferStarted
from ftpservice.session.context import moved_of
from ftpservice.workers.channel import Channel
from ftpservice.workers.event_codec import EncodedEvent, encode_event, plain_values
from ftpservice.workers.session_board import BoardColumn

__all__ = ["EventForwarder"]

BATCH_SECONDS = 0.02
"""How long an event waits for others."""
MAX_BATCH = 500
MAX_WAITING_EVENTS = 100_000
PROGRESS_SECONDS = 0.5
"""Time between two reports of the bytes of running transfers."""


class EventForwarder:
    """A subscriber; ``sessions`` has the sessions of this process by number."""

    elsewhere: Callable[[list[EncodedEvent]], object] | None = None
    """Takes the events when there is no main process any more."""

    def __init__(
        self, channel: Channel, column: BoardColumn, sessions: Mapping[int, Any], reactor: Any
    ) -> None:
        self._channel = channel
        self._column = column
        self._sessions = sessions
        self._reactor = reactor
        self._waiting: list[EncodedEvent] = []
        self._call: IDelayedCall | None = None
        self._lost = 0
        self._running: set[tuple[int, int]] = set()
        """The transfers that run, by the numbers of their session and their own."""
        self._progress = Deadline(reactor, self._report)
        channel.resumed = self.flush

    def __call__(self, event: Event) -> None:
        """Send an event soon."""
        kind = type(event)
        if kind is TransferStarted:
            assert isinstance(event, TransferStarted)
            if not self._running:
                self._progress.set(PROGRESS_SECONDS)
            self._running.add((event.session, event.transfer))
        elif kind is TransferEnded:
            assert isinstance(event, TransferEnded)
            self._running.discard((event.session, event.transfer))
        self._column.events += 1
        if len(self._waiting) >= MAX_WAITING_EVENTS:
            self._lost += 1
            return
        self._waiting.append(encode_event(event))
        if len(self._waiting) == MAX_BATCH:
            self.flush()
        elif self._call is None and self._can_send:
            self._call = self._reactor.callLater(BATCH_SECONDS, self.flush)

    @property
    def _can_send(self) -> bool:
        return self.elsewhere is not None or not self._channel.is_paused

    def flush(self) -> None:
        """Send what waits, as far as the main process reads."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        channel = self._channel
        while self._waiting and self._can_send:
            batch = self._waiting[:MAX_BATCH]
            del self._waiting[:MAX_BATCH]
            if self.elsewhere is not None:
                self.elsewhere(batch)
            else:
                channel.write(_frame(channel, batch))
        if self._lost and not channel.is_paused:
            lost, self._lost = self._lost, 0
            channel.send("lost", lost, list(self._sessions))

    def _report(self) -> None:
        """Tell how many bytes the running transfers have moved."""
        if not self._running:
            return
        self._progress.set(PROGRESS_SECONDS)
        if self._channel.is_paused:
            return
        moved = [
            (number, transfer, moved_of(self._sessions[number].context, transfer))
            for number, transfer in self._running
            if number in self._sessions
        ]
        self._channel.send("progress", moved)


def _frame(channel: Channel, batch: list[EncodedEvent]) -> bytes:
    try:
        return channel.frame("events", batch)
    except ValueError:  # a text or number of another class, of a storage or checker
        return channel.frame("events", plain_values(batch))
