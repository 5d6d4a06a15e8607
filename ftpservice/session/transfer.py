"""A command that goes on over a data connection after its first reply."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.replies import Reply

__all__ = ["PendingTransfer", "TransferProgress"]


@dataclass
class TransferProgress:
    """How far a transfer has come, for STAT."""

    what: str
    """For a person: ``RETR /a.txt``."""
    upload: bool
    connection: StreamConnection | None = None
    """The data connection, once there is one."""

    @property
    def moved(self) -> int:
        """Bytes over the data connection so far."""
        return self.connection.moved if self.connection is not None else 0


@dataclass(frozen=True)
class PendingTransfer:
    """What a transfer command returns instead of its final reply.

    The control connection sends ``preliminary``, then awaits ``run()``, which returns the final
    reply or raises what a command may raise; when it is cancelled (ABOR, a lost connection) that
    is a 426. It is always called, and from then on owns what the command opened.
    """

    preliminary: Reply | None
    progress: TransferProgress
    run: Callable[[], Coroutine[Any, Any, Reply]]
