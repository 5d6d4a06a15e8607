"""What was found out about one server, beyond what it says; shared by all sessions with it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServerQuirks"]


@dataclass(slots=True)
class ServerQuirks:
    """Changes when a session finds out more."""

    epsv: bool | None = None
    """Whether EPSV leads to data connections; None until one was tried."""
    eprt: bool = True
    """Whether EPRT is worth a try."""
    ignores_restart: bool = False
    """Whether a transfer began at the beginning though REST was accepted."""
