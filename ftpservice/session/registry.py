"""The interfaces between sessions of either protocol and the factory that registers them."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from ftpservice.data.connector import ControlAddresses
from ftpservice.session.context import SessionContext

__all__ = ["ManagedSession", "SessionRegistry"]


class ManagedSession(Protocol):
    """A session, as the registry sees it."""

    context: SessionContext

    @property
    def is_working(self) -> bool:
        """Whether a user's command is being carried out."""

    def client_is_connected(self) -> bool:
        """Return whether the client holds its end of the connection; asks the kernel."""

    def finish_and_disconnect(self, reason: str) -> None:
        """Send 421 and close, after the command in progress if there is one."""

    def disconnect(self, reason: str) -> None:
        """Send 421 and close; a transfer in progress is aborted."""

    @property
    def is_busy(self) -> bool:
        """Whether any command is being carried out, also before a login."""

    def yield_place(self, reason: str) -> None:
        """Send 421 and close, before a login, because another session needs the place."""

    def abort(self) -> None:
        """Abort the connection."""


class SessionRegistry(Protocol):
    """What a session needs of its factory."""

    def context(
        self, session: ManagedSession, ends: ControlAddresses, protocol: str = "ftp"
    ) -> SessionContext:
        """Register a session of ``ftp``, ``simple`` or ``http``, and return its state."""

    def enter(self, context: SessionContext) -> str | Deferred[str | None] | None:
        """Count a new session; returns why it is refused, or None; a Deferred if that takes time.

        A session that has ended meanwhile calls `release_place` if it was not refused.
        """

    def release_place(self, context: SessionContext) -> None:
        """Stop counting a session."""

    def leave(self, session: ManagedSession, context: SessionContext, entered: bool) -> None:
        """Remove a session that has ended; ``entered``: `enter` has counted it."""
