"""A tap: tells listeners the commands and replies of a running session.

It is put into the session's own objects and taken out again, so that a session without a tap does
nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftpservice.control.protocol import ControlProtocol
from ftpservice.session.error_replies import log
from ftpservice.wire.commands import Command
from ftpservice.wire.replies import Reply

__all__ = ["tap_session"]

Listener = Callable[[Any], object]


class TapPoint:
    """Stands before a method of one object while there are listeners."""

    def __init__(self, owner: object, name: str) -> None:
        self._attributes = vars(owner)
        self._name = name
        self._method: Callable[[Any], None] = getattr(owner, name)
        self._listeners: list[Listener] = []
        self._attributes[name] = self

    def __call__(self, value: Any) -> None:
        """Tell the listeners, and do what the method does."""
        for listener in tuple(self._listeners):
            try:
                listener(value)
            except Exception:  # noqa: BLE001 - a listener must not end a session
                log.failure("a trace failed")
        self._method(value)

    @classmethod
    def listen(cls, owner: object, name: str, listener: Listener) -> Callable[[], None]:
        """Add a listener; returns what removes it."""
        found = vars(owner).get(name)
        point = found if isinstance(found, cls) else cls(owner, name)
        point._listeners.append(listener)
        return lambda: point._remove(listener)

    def _remove(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
            if not self._listeners:
                del self._attributes[self._name]


def tap_session(
    session: ControlProtocol,
    received: Callable[[list[Command | Reply]], object],
    sent: Callable[[Reply], object],
) -> Callable[[], None]:
    """Tell the commands that arrive and the replies that are sent; returns what ends that.

    A line that is too long arrives as the reply that it gets.
    """
    removals = (
        TapPoint.listen(session.interpreter, "receive", received),
        TapPoint.listen(session.outgoing, "write", sent),
    )

    def untap() -> None:
        for remove in removals:
            remove()

    return untap
