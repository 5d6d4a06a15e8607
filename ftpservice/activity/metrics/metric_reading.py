"""A metric that is read when Prometheus asks, from a part that counts for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["Reading"]


class Reading(NamedTuple):
    """The values of one metric at a moment, by the values of its ``labels``."""

    name: str
    """Without the prefix; of a counter also without ``_total``."""
    text: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]
    is_counter: bool = False

    @classmethod
    def of(cls, name: str, text: str, value: float, is_counter: bool = False) -> Reading:
        """Return the reading of a metric without labels."""
        return cls(name, text, (), {(): value}, is_counter)

    @classmethod
    def by(cls, label: str, name: str, text: str, values: Iterable[tuple[str, float]]) -> Reading:
        """Return the gauges of a metric with one label."""
        return cls(name, text, (label,), {(key,): value for key, value in values})
