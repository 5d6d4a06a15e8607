"""A reactor that reads when a test says so."""

from __future__ import annotations

import select
import time

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor

__all__ = ["ReadingReactor"]

PATIENCE = 30.0


class ReadingReactor:
    """Knows who waits to read, and lets them."""

    def __init__(self) -> None:
        self.readers: set[IReadDescriptor] = set()

    def addReader(self, reader: IReadDescriptor) -> None:
        """Let ``reader`` read when there is something."""
        self.readers.add(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Do not let it read any more."""
        self.readers.discard(reader)

    def read_until(self, done: Deferred[object]) -> None:
        """Let all read until a Deferred has fired."""
        ends = time.monotonic() + PATIENCE
        while not done.called:
            assert time.monotonic() < ends, "nothing comes"
            ready, _, _ = select.select(list(self.readers), [], [], 1.0)
            for one in ready:
                one.doRead()
