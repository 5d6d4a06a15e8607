"""A command that continues after its preliminary reply."""

from __future__ import annotations

from typing import Protocol

from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.replies import Reply

__all__ = ["RunningTransfer", "Transfer"]


class RunningTransfer(Protocol):
    """A transfer in progress, as the rest of its session sees it."""

    what: str
    """The command for a person: ``RETR /a.txt``."""
    upload: bool
    is_committing: bool
    """Whether it can no longer be cancelled: an upload is being published."""

    @property
    def moved(self) -> int:
        """Bytes so far."""


class Transfer:
    """What a command returns instead of its final reply; STAT reads its progress.

    The protocol interpreter sends ``preliminary`` (1xx), then awaits `run`. It does so in any case,
    once, and from then on the transfer owns what the command opened.
    """

    connection: StreamConnection | None = None
    """The data connection, once it is open."""
    is_committing = False
    """Whether it can no longer be cancelled: an upload is being published."""

    def __init__(self, what: str, upload: bool, preliminary: Reply | None = None) -> None:
        self.what = what
        """The command for a person: ``RETR /a.txt``."""
        self.upload = upload
        self.preliminary = preliminary

    @property
    def moved(self) -> int:
        """Bytes over the data connection so far."""
        return self.connection.moved if self.connection is not None else 0

    async def run(self) -> Reply:
        """Return the final reply, or raise what a command may raise.

        It is cancelled by ABOR and by the end of the control connection; the reply is then 426.
        """
        raise NotImplementedError
