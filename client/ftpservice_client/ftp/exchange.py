"""One command and the replies to it: any number of preliminary ones, then the last."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ftpservice.stream.stall_timeout import Wakeup
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import ClientError, ProtocolViolation

__all__ = ["CommandExchange"]

MAX_PRELIMINARY_REPLIES = 100
"""Replies before the last one; servers may send markers, not floods of them."""


class CommandExchange:
    """One caller at a time waits for it; the connection passes its replies to it in order."""

    def __init__(self, command: str, clock: IReactorTime) -> None:
        self.command = command
        """The verb, for messages."""
        self.opened: Reply | None = None
        """The first preliminary reply."""
        self.last: Reply | None = None
        self.error: ClientError | None = None
        self.is_over = False
        """Whether no further reply is expected."""
        self.on_first_reply: Callable[[], object] | None = None
        """Called at the first reply of any kind, or when the connection is lost."""
        self.on_final_reply: Callable[[], object] | None = None
        """Called when the last reply is there, or the connection is lost."""
        self.replied = Wakeup(clock)
        self._preliminary = 0

    def take(self, reply: Reply) -> None:
        """Learn of a reply, not telling yet; raises `ProtocolViolation` when there are too many."""
        if reply.code < 200:
            self.opened = self.opened or reply
            self._preliminary += 1
            if self._preliminary > MAX_PRELIMINARY_REPLIES:
                raise ProtocolViolation("the server sends replies without end")
        else:
            self.last = reply
            self.is_over = True

    def fail(self, error: ClientError) -> None:
        """Learn that there will be no reply any more."""
        self.error = self.error or error
        self.is_over = True
        self.tell()

    def tell(self) -> None:
        """Call the callbacks that are due, and wake the caller that waits."""
        if self.on_first_reply is not None:
            heard, self.on_first_reply = self.on_first_reply, None
            heard()
        if self.is_over and self.on_final_reply is not None:
            told, self.on_final_reply = self.on_final_reply, None
            told()
        self.replied.wake_waiter()

    async def wait(self, seconds: float, *, opened: bool = False) -> bool:
        """Wait for the last reply or, ``opened``, any; False when ``seconds`` passed without."""
        while not self.is_over and not (opened and self.opened is not None):
            if not await self.replied.wait(seconds):
                return False
        return True
