"""A terminal as the target of a download."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from ftpservice_client.console.terminal.escape import ContentFilter
from ftpservice_client.console.terminal.screen import Screen

__all__ = ["TerminalConsumer"]


@implementer(IConsumer)
class TerminalConsumer:
    """Writes the bytes of a file to the terminal as text, with control characters escaped."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._filter = ContentFilter()
        self._pull_producer: Any = None
        self._is_line_open = False

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Start ``producer``."""
        if not streaming:
            self._pull_producer = producer
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Write what the decoder still holds."""
        self._pull_producer = None
        self._show(self._filter.feed(b"", last=True))

    def write(self, data: bytes) -> None:
        """Write a chunk; blocks while the terminal does not take it."""
        self._show(self._filter.feed(data))
        if self._pull_producer is not None:
            self._pull_producer.resumeProducing()

    def _show(self, text: str) -> None:
        if text:
            self._is_line_open = not text.endswith("\n")
            self._screen.write(text)

    def end_line(self) -> None:
        """Write a line end if the file had none at its end: the prompt would overwrite the line."""
        if self._is_line_open:
            self._is_line_open = False
            self._screen.write("\n")
