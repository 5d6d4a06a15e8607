"""Where sessions of every protocol are counted, given their memory, and told to end."""

from __future__ import annotations

from typing import Protocol

from ftpservice.data.connector import ControlAddresses
from ftpservice.session.context import SessionContext

__all__ = ["ManagedSession", "SessionRegistry"]


class ManagedSession(Protocol):
    """A session, as the lobby knows it."""

    @property
    def is_working(self) -> bool:
        """Whether a user's command is being carried out."""

    def client_is_connected(self) -> bool:
        """Ask whether the client still holds its end of the connection."""

    def finish_and_disconnect(self, reason: str) -> None:
        """Say that it is over and close, after the command in progress if there is one."""

    def disconnect(self, reason: str) -> None:
        """Say that it is over and close; a transfer in progress is cut."""

    @property
    def is_busy(self) -> bool:
        """Whether any command is being carried out, a login too."""

    def yield_place(self, reason: str) -> None:
        """Give up the place and say that it is over, before a login."""

    def cut(self) -> None:
        """Break the connection."""


class SessionRegistry(Protocol):
    """What a session asks of its factory."""

    def context(self, guest: ManagedSession, ends: ControlAddresses) -> SessionContext:
        """Make the memory of a new session."""

    def enter(self, context: SessionContext) -> str | None:
        """Count a new session; a text says why there is no place for it."""

    def release_place(self, context: SessionContext) -> None:
        """Count a session no more."""

    def leave(self, guest: ManagedSession, context: SessionContext, entered: bool) -> None:
        """Forget a session."""
