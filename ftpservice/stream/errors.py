"""How a transfer ends before it is whole."""

from __future__ import annotations

__all__ = ["TransferAborted", "TransferStalled"]


class TransferAborted(Exception):
    """The peer, the network or a timeout ended the transfer before it was whole."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """For a person, in a few words."""


class TransferStalled(TransferAborted):
    """Nothing moved for too long."""
