"""Takes the events of one worker, in the order in which it published them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ftpservice.events import Event
from ftpservice.workers.event_codec import UNKNOWN, EncodedEvent, EventDecoder
from ftpservice.workers.remote_sessions import RemoteSessions, Send

__all__ = ["EventReceiver"]


class EventReceiver:
    """Passes the events to ``sessions``; ``send`` is how a session of them is told something.

    ``tell_loss`` is called with the number of events that were lost.
    """

    def __init__(
        self, sessions: RemoteSessions, send: Send, tell_loss: Callable[[int], object]
    ) -> None:
        self._sessions = sessions
        sessions.send = send
        self._tell_loss = tell_loss
        self._decoder = EventDecoder(sessions.info_of)
        self.count = 0
        """Events that have arrived or are known to be lost."""

    def happened(self, encoded: Iterable[EncodedEvent]) -> None:
        """Note events, and publish them."""
        for one in encoded:
            self.count += 1
            try:
                event = self._decoder.decode(one)
            except UNKNOWN:
                self._tell_loss(1)
                continue
            self._sessions.happened(event)

    def restore(self, encoded: Iterable[EncodedEvent], count: int) -> Iterable[Event]:
        """Note what `RemoteSessions.history` has returned, without publishing it, and yield it.

        ``count`` is what `count` was.
        """
        self.count = count
        for one in encoded:
            try:
                event = self._decoder.decode(one)
            except UNKNOWN:
                continue
            self._sessions.note(event)
            yield event

    def lost(self, count: int, numbers: Iterable[int]) -> None:
        """Note that the worker has dropped events; ``numbers`` are the sessions that there are."""
        self.count += count
        self._tell_loss(count)
        self._sessions.keep(numbers)

    def end(self, published: int) -> None:
        """Note the end of the worker, which has published so many events."""
        if published > self.count:
            self._tell_loss(published - self.count)
        self._sessions.end()
