"""The way of replies to the client: together where they come together, held back where he is slow.

A client that asks and does not read must not fill our memory: as long as the transport has more
to send than it wants to hold, no further command is carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ftpservice.net.immediate_write import send_now
from ftpservice.wire.replies import Reply

__all__ = ["ReplyWriter"]


@implementer(IPushProducer)
class ReplyWriter:
    """What is said on one control connection; ``drained`` is called when there is room again."""

    def __init__(self, transport: Any, drained: Callable[[], None]) -> None:
        self.is_full = False
        self._transport = transport
        self._drained = drained
        self._unsent = b""
        self.is_holding_replies = False
        """Whether replies are kept until `flush`, so that they leave in one piece."""
        self._heeded = True
        transport.registerProducer(self, True)

    def say(self, answer: Reply) -> None:
        """Send a reply, or keep it for `flush` while replies are held."""
        self._unsent += answer.to_bytes()
        if not self.is_holding_replies:
            self.flush()

    def flush(self, more: bytes = b"") -> None:
        """Send what was kept, and ``more``."""
        self.is_holding_replies = False
        unsent, self._unsent = self._unsent + more, b""
        if unsent:
            rest = send_now(self._transport, unsent)
            if rest:
                self._transport.write(rest)

    def end(self) -> None:
        """Send what was kept; a transport that is to close does not wait for more from here."""
        self.flush()
        if self._heeded:
            self._heeded = False
            self._transport.unregisterProducer()

    def move(self, transport: Any) -> None:
        """Go on with another transport, behind an `end`."""
        self.is_full, self._heeded = False, True
        self._transport = transport
        transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        """Learn that the client does not keep up."""
        self.is_full = True

    def resumeProducing(self) -> None:
        """Learn that it has."""
        self.is_full = False
        self._drained()

    def stopProducing(self) -> None:
        """Learn that the connection is lost; its protocol is told so too."""
