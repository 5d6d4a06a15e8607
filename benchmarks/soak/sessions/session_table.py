"""The kinds of sessions, and how often each is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.soak.slot import Slot

__all__ = ["Session", "SessionTable"]


@dataclass(frozen=True)
class Session:
    """A kind of session."""

    name: str
    weight: float
    run: Callable[[Slot], None]
    is_honest: bool
    """Whether it should succeed as long as nothing is killed."""


class SessionTable:
    """Collects the sessions of a module by decorators."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    def honest(self, weight: float) -> Callable[[Callable[[Slot], None]], Callable[[Slot], None]]:
        """Decorate a session that should succeed."""
        return self._adding(weight, True)

    def hostile(self, weight: float) -> Callable[[Callable[[Slot], None]], Callable[[Slot], None]]:
        """Decorate a session that may end in any way."""
        return self._adding(weight, False)

    def _adding(
        self, weight: float, is_honest: bool
    ) -> Callable[[Callable[[Slot], None]], Callable[[Slot], None]]:
        def add(function: Callable[[Slot], None]) -> Callable[[Slot], None]:
            name = function.__name__.replace("_", " ")
            self.sessions.append(Session(name, weight, function, is_honest))
            return function

        return add
