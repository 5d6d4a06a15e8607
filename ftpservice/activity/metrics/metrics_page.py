"""The metrics as a page: events are kept as they come, and counted in a thread, many at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ftpservice import __version__
from ftpservice.activity.metrics.event_counters import EventCounters
from ftpservice.activity.metrics.reactor_lag import ReactorLag
from ftpservice.activity.metrics.service_state import ServiceState, StateCollector
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.concurrency.timers import Deadline
from ftpservice.events import Event, EventStream

__all__ = ["MetricsPage"]

log = Logger("ftpservice")

COUNT_SECONDS = 5.0
"""Time between two countings of what has happened, if nobody asks."""
MAX_WAITING_PAGES = 8


class MetricsPage:
    """The metrics of one service, with a registry of their own.

    ``state`` returns what the service is now; it is called in the reactor's thread.
    """

    def __init__(
        self, events: EventStream, state: Callable[[], ServiceState], reactor: Any
    ) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("ftpservice_build", "The version.", registry=registry).info({"version": __version__})
        self._registry = registry
        self._events = events
        self._state = state
        self._counters = EventCounters()
        registry.register(self._counters)
        self._collector = StateCollector(self._counters.bytes_ended)
        registry.register(self._collector)
        self._lag = ReactorLag(reactor, registry)
        self._happened: list[Event] = []
        self._pool = BlockingPool(reactor, "metrics", threads=1, waiting=MAX_WAITING_PAGES)
        self._timer = Deadline(reactor, self._count)
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to count."""
        self._unsubscribe = self._events.subscribe(self._happened.append, *self._counters.kinds)
        self._lag.start()
        self._timer.set(COUNT_SECONDS)

    def stop(self) -> Deferred[None]:
        """End that, and the thread."""
        self._unsubscribe()
        self._lag.stop()
        self._timer.clear()
        return self._pool.stop()

    def text(self) -> Deferred[bytes]:
        """Return the metrics of now in the text format of Prometheus.

        Fails with `PoolOverloaded` if too many have asked at once.
        """
        self._add_taken()
        return self._pool.run(self._rendered, self._state())

    def _count(self) -> None:
        self._timer.set(COUNT_SECONDS)
        self._add_taken()

    def _add_taken(self) -> None:
        """Count what has happened, in the thread, before what it does next."""
        happened = self._happened.copy()
        self._happened.clear()  # the list stays: its method is the subscriber
        if happened:
            counting = self._pool.finish(self._counters.add, happened)
            counting.addErrback(lambda failure: log.failure("events were not counted", failure))

    def _rendered(self, state: ServiceState) -> bytes:
        self._collector.state = state
        return generate_latest(self._registry)
