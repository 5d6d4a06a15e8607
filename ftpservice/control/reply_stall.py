"""Ends a session whose client sends commands and does not read the replies.

No further command is carried out while replies wait (`ReplyWriter`), so memory is bounded; this
bounds the time. A client that reads slowly is not ended: the kernel tells how much it has taken.
"""

from __future__ import annotations

from typing import Any

from ftpservice.concurrency.timers import Deadline
from ftpservice.events import SessionStalled
from ftpservice.net.socket_state import bytes_acked
from ftpservice.session.context import SessionContext
from ftpservice.stream.errors import TransferStalled
from ftpservice.stream.stall_timeout import CHECKS_PER_TIMEOUT, StallDetector
from ftpservice.wire.units import seconds_text

__all__ = ["ReplyStall"]


class ReplyStall:
    """Watches ``transport``, whose buffer is full; `stop` when it is not full any more.

    A transfer that runs has its own stall timeout, and keeps the session.
    """

    def __init__(self, context: SessionContext, transport: Any) -> None:
        services = context.services
        self._context = context
        self._transport = transport
        self._clock = services.clock
        self._timeout = services.settings.data.stall_timeout
        self._detector = self._new_detector()
        self._next_check = Deadline(services.clock, self._check)
        self._next_check.set(self._timeout / CHECKS_PER_TIMEOUT)

    def stop(self) -> None:
        """Stop watching."""
        self._next_check.clear()

    def _new_detector(self) -> StallDetector:
        return StallDetector(self._clock, self._timeout, lambda: bytes_acked(self._transport))

    def _check(self) -> None:
        if self._context.running is not None:
            self._detector = self._new_detector()
        try:
            self._detector.check()
        except TransferStalled:
            reason = f"it has read no reply for {seconds_text(self._timeout)}"
            self._context.events.publish(SessionStalled, reason)
            self._transport.abortConnection()
        else:
            self._next_check.set(self._timeout / CHECKS_PER_TIMEOUT)
