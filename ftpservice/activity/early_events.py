"""The first events of a run, for those who ask for the events of before they could ask."""

from __future__ import annotations

from ftpservice.events import Event, EventStream

__all__ = ["EarlyEvents"]

MAX_EVENTS = 1000


class EarlyEvents:
    """Keeps the events of some kinds from now until `end`."""

    def __init__(self, events: EventStream, kinds: tuple[type[Event], ...]) -> None:
        self.kept: list[Event] = []
        self._unsubscribe = events.subscribe(self._keep, *kinds)

    def _keep(self, event: Event) -> None:
        if len(self.kept) < MAX_EVENTS:
            self.kept.append(event)

    def end(self) -> None:
        """Keep no more, and forget."""
        unsubscribe, self._unsubscribe = self._unsubscribe, lambda: None
        unsubscribe()
        self.kept.clear()
