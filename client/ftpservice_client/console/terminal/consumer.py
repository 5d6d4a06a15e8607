"""A terminal as the target of a download."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from ftpservice_client.console.terminal.escape import ContentFilter
from ftpservice_client.console.terminal.terminal import Screen

__all__ = ["TerminalConsumer"]


@implementer(IConsumer)
class TerminalConsumer:
    """Shows the bytes of a file; the terminal is told nothing but text."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._filter = ContentFilter()
        self._pulled: Any = None
        self._is_open = False

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take bytes from ``producer``."""
        if not streaming:
            self._pulled = producer
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Show what is left over."""
        self._pulled = None
        self._show(self._filter.feed(b"", last=True))

    def write(self, data: bytes) -> None:
        """Show a piece; the terminal sets the pace."""
        self._show(self._filter.feed(data))
        if self._pulled is not None:
            self._pulled.resumeProducing()

    def _show(self, text: str) -> None:
        if text:
            self._is_open = not text.endswith("\n")
            self._screen.write(text)

    def end_line(self) -> None:
        """End the line that the file did not: a prompt would be written over it."""
        if self._is_open:
            self._is_open = False
            self._screen.write("\n")
