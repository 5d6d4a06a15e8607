"""Many connections of one process at a time, which read only the first line that they get."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Crowd", "raised_descriptor_limit"]

PATIENCE = 60.0
AT_ONCE = 500
"""Connections that wait for their first line."""


@contextmanager
def raised_descriptor_limit() -> Iterator[int]:
    """Raise the limit of this process, and those it starts, to the maximum; return that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Connections to one address; a context manager that closes them."""

    def __init__(self, address: tuple[str, int], source: str = "127.0.0.1") -> None:
        self._address = address
        self._source = source
        self._ends: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        self.first: Counter[bytes] = Counter()
        """The first three bytes that the connections got."""

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *exception: object) -> None:
        self._selector.close()
        for end in self._ends:
            end.close()

    def connect(self, count: int) -> None:
        """Open connections, and wait for the first line of each."""
        wanted = self.first.total() + count
        deadline = time.monotonic() + PATIENCE
        for _ in range(count):
            end = socket.socket()
            self._ends.append(end)
            end.setblocking(False)
            with suppress(BlockingIOError):
                end.connect(self._address)
            self._selector.register(end, selectors.EVENT_READ)
            while len(self._selector.get_map()) >= AT_ONCE:
                self._receive(deadline)
        while self.first.total() < wanted:
            self._receive(deadline)

    def _receive(self, deadline: float) -> None:
        assert time.monotonic() < deadline, f"timeout: {self.first}"
        for key, _ in self._selector.select(0.1):
            end: socket.socket = key.fileobj  # type: ignore[assignment]
            self._selector.unregister(end)
            try:
                self.first[end.recv(1024)[:3]] += 1
            except OSError as error:
                self.first[type(error).__name__.encode()] += 1
