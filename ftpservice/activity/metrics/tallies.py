"""Counters and histograms that cost little to add to, written as metrics when Prometheus asks.

They are not locked: all calls are made in one thread after another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

__all__ = ["Family", "HistogramTally"]

PREFIX = "ftpservice_"


class HistogramTally:
    """One histogram; ``bounds`` are the upper bounds of its buckets, in order."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Return the cumulated counts by upper bound, and the sum."""
        found, total = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            found.append((floatToGoString(bound), float(total)))
        return found, self._sum


class Family(NamedTuple):
    """The counters or histograms of one name, by the values of ``labels``."""

    name: str
    text: str
    labels: tuple[str, ...]
    counts: dict[tuple[str, ...], int]
    histograms: dict[tuple[str, ...], HistogramTally]

    @classmethod
    def of_counters(cls, name: str, text: str, *labels: str) -> Family:
        """Return counters; the one of a family without labels begins with 0."""
        return cls(name, text, labels, {} if labels else {(): 0}, {})

    def collect(self) -> Iterator[Metric]:
        """Yield it as a metric."""
        name, text = PREFIX + self.name, self.text
        if self.histograms:
            histogram = HistogramMetricFamily(name, text, labels=self.labels)
            for values, tally in self.histograms.items():
                buckets, total = tally.buckets()
                histogram.add_metric(values, buckets, total)
            yield histogram
        else:
            counter = CounterMetricFamily(name, text, labels=self.labels)
            for values, count in self.counts.items():
                counter.add_metric(values, count)
            yield counter
