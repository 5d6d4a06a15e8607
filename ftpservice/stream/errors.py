"""How a transfer ends before it is complete."""

from __future__ import annotations

__all__ = ["TransferAborted", "TransferStalled"]


class TransferAborted(Exception):
    """The peer, the network or a timeout ended the transfer before it was complete."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """A short text for users."""


class TransferStalled(TransferAborted):
    """No byte was moved within the stall timeout."""
