"""Takes the events of one worker, in the order in which it published them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ftpservice.workers.event_codec import EncodedEvent, EventDecoder
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
        self._send = send
        self._tell_loss = tell_loss
        self._decoder = EventDecoder()
        self._count = 0
        """Events that have arrived or are known to be lost."""

    def happened(self, encoded: Iterable[EncodedEvent]) -> None:
        """Note events, and publish them."""
        for one in encoded:
            self._count += 1
            event = self._decoder.decode(one)
            self._sessions.happened(event, self._send)
            if event.session and event.session not in self._sessions.own:
                self._decoder.forget((event.session,))

    def lost(self, count: int, numbers: Iterable[int]) -> None:
        """Note that the worker has dropped events; ``numbers`` are the sessions that there are."""
        self._count += count
        self._tell_loss(count)
        self._sessions.keep(numbers)

    def end(self, published: int) -> None:
        """Note the end of the worker, which has published so many events."""
        if published > self._count:
            self._tell_loss(published - self._count)
        self._sessions.end()
