"""Work of many connections, one after the other.

A handshake takes a millisecond or so, a command less, and a hundred may come at once. While they
are computed nobody else's bytes move. So all of a kind get a share of the reactor's time: what does
not fit into it waits for the next turn, behind those who waited before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

__all__ = ["Turns"]

SHARE = 0.002
"""Seconds of work until the reactor comes by again; a longer step is done by itself."""


class Turns:
    """Has steps done, at once or when their turn comes."""

    def __init__(
        self, reactor: Any, now: Callable[[], float] = perf_counter, share: float = SHARE
    ) -> None:
        self._reactor = reactor
        self._share = share
        self._now = now
        self._waiting: deque[Callable[[], object]] = deque()
        self._spent = 0.0
        self._asked = False

    def take(self, step: Callable[[], object]) -> bool:
        """Do a step; tell whether it is done, or will be later."""
        if self._spent < self._share:
            self._do(step)
            return True
        self._waiting.append(step)
        self._wait()
        return False

    def _go_on(self) -> None:
        self._asked = False
        self._spent = 0.0
        try:
            while self._waiting and self._spent < self._share:
                self._do(self._waiting.popleft())
        finally:
            if self._waiting:
                self._wait()

    def _do(self, step: Callable[[], object]) -> None:
        began = self._now()
        try:
            step()
        finally:
            self._spent += self._now() - began
            if self._spent >= self._share:
                self._wait()

    def _wait(self) -> None:
        """Have the reactor come by, once."""
        if not self._asked:
            self._asked = True
            self._reactor.callLater(0, self._go_on)
