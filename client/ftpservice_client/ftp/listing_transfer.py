"""The text of a listing, received over a data connection."""

from __future__ import annotations

from ftpservice.stream.connection import DataConnection
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import Garbled
from ftpservice_client.ftp.transfer import Moving, Order
from ftpservice_client.listings.entries import LINE_COST

__all__ = ["ListingTransfer"]


class ListingTransfer:
    """Receives listings of one session; ``limit`` is what one may take in memory."""

    def __init__(self, moving: Moving, limit: int) -> None:
        self.has_begun = True
        """Whether the server said that it begins, the last time."""
        self._moving = moving
        self._limit = limit

    async def lines(self, command: str) -> list[bytes]:
        """Return the lines of a listing; raises `Garbled` when they have no end."""
        pieces: list[bytes] = []
        self.has_begun = False

        async def keep(data: DataConnection, opened: Reply | None) -> None:
            self.has_begun = opened is not None and opened.code < codes.OK
            size = 0
            while piece := await data.read():
                size += len(piece) + LINE_COST * piece.count(b"\n")
                if size > self._limit:
                    raise Garbled("the server sends a listing that has no end")
                pieces.append(piece)

        await self._moving.move(Order(command, keep, may_be_empty=True))
        return [line.removesuffix(b"\r") for line in b"".join(pieces).split(b"\n")]
