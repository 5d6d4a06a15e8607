"""Writes replies to the client: several together where possible, with backpressure.

A client that sends commands and does not read must not fill the memory: while the transport has
more to send than it buffers, no further command is carried out, for the stall timeout at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ftpservice.control.reply_stall import ReplyStall
from ftpservice.net.immediate_write import send_now
from ftpservice.session.context import SessionContext
from ftpservice.wire.replies import Reply

__all__ = ["ReplyWriter"]


@implementer(IPushProducer)
class ReplyWriter:
    """The replies of one control connection."""

    def __init__(self, context: SessionContext, transport: Any) -> None:
        self._context = context
        self._stall: ReplyStall | None = None
        self.is_full = False
        """Whether the transport has more to send than it buffers."""
        self.is_holding_replies = False
        """Whether replies are kept until `flush`, so that they leave in one segment."""
        self._transport = transport
        self.drained: Callable[[], object] = bool
        """Called when there is room again."""
        self._unsent = b""
        self._is_registered = True
        transport.registerProducer(self, True)

    def write(self, answer: Reply) -> None:
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
        """Send what was kept and unregister as producer, so that the transport can close."""
        self.flush()
        self._end_stall()
        if self._is_registered:
            self._is_registered = False
            self._transport.unregisterProducer()

    def switch_transport(self, transport: Any) -> None:
        """Continue on another transport, after `end`."""
        self.is_full, self._is_registered = False, True
        self._transport = transport
        transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        """Have no further command carried out: the client does not read."""
        self.is_full = True
        if self._stall is None and self._is_registered:
            self._stall = ReplyStall(self._context, self._transport)

    def resumeProducing(self) -> None:
        """Have commands carried out again."""
        self.is_full = False
        self._end_stall()
        self.drained()

    def stopProducing(self) -> None:
        """Stop waiting for the client: the connection is lost."""
        self._end_stall()

    def _end_stall(self) -> None:
        stall, self._stall = self._stall, None
        if stall is not None:
            stall.stop()
