"""The lines that are logged within a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

__all__ = ["logged_texts"]


@contextmanager
def logged_texts() -> Iterator[list[str]]:
    """Yield a list that gets each line."""
    texts: list[str] = []

    def observe(event: LogEvent) -> None:
        texts.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield texts
    finally:
        globalLogPublisher.removeObserver(observe)
