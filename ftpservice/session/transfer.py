"""A command that continues after its preliminary reply."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.replies import Reply

__all__ = ["Transfer"]


class Transfer(ABC):
    """What a command returns instead of its final reply; STAT reads its progress.

    The protocol interpreter sends ``preliminary``, then awaits `run`. It always calls `run`, once,
    which from then on owns what the command opened. `run` is cancelled by ABOR and by the end of
    the control connection; a cancelled transfer is answered with 426.
    """

    def __init__(self, what: str, upload: bool, preliminary: Reply | None = None) -> None:
        self.what = what
        """The command for a person: ``RETR /a.txt``."""
        self.upload = upload
        self.preliminary = preliminary
        self.connection: StreamConnection | None = None
        """The data connection, once it is open."""

    @property
    def moved(self) -> int:
        """Bytes over the data connection so far."""
        return self.connection.moved if self.connection is not None else 0

    @abstractmethod
    async def run(self) -> Reply:
        """Return the final reply, or raise what a command may raise."""
