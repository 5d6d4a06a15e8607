"""How late the reactor is: a timer that measures its own delay."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Histogram

from ftpservice.concurrency.timers import Deadline

__all__ = ["LAG_SECONDS", "ReactorLag"]

LAG_SECONDS = 1.0
"""Time between two measurements."""
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ReactorLag:
    """Measures once a second how long after its time a timed call is made."""

    def __init__(self, clock: Any, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._due = 0.0
        self._timer = Deadline(clock, self._measure)
        self._lag = Histogram(
            "ftpservice_reactor_lag_seconds",
            "Delay of timed calls: the reactor was busy with other calls.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._clock.seconds() + LAG_SECONDS
        self._timer.set(LAG_SECONDS)

    def stop(self) -> None:
        """End that."""
        self._timer.clear()

    def _measure(self) -> None:
        self._lag.observe(max(0.0, self._clock.seconds() - self._due))
        self.start()
