"""How a transfer ends before it is whole."""

from __future__ import annotations

__all__ = ["Cut", "Stalled"]


class Cut(Exception):
    """The peer, the network or a timeout ended the transfer before it was whole."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """For a person, in a few words."""


class Stalled(Cut):
    """Nothing moved for too long."""
