"""What the sessions have found out about one server; shared by all of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServerQuirks"]


@dataclass(slots=True)
class ServerQuirks:
    """Updated by the sessions."""

    epsv: bool | None = None
    """Whether data connections by EPSV work; None: not tried yet."""
    eprt: bool = True
    """Whether to try EPRT before PORT."""
    ignores_restart: bool = False
    """Whether a transfer started at the beginning although REST was accepted."""
