"""Receives the text of a listing over a data connection."""

from __future__ import annotations

from ftpservice.stream.connection import StreamConnection
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import ProtocolViolation
from ftpservice_client.ftp.transfer import DataTransfers, TransferCommand
from ftpservice_client.listings.entries import LINE_OVERHEAD_BYTES

__all__ = ["ListingTransfer"]


class ListingTransfer:
    """Receives the listings of one session; ``limit``: bytes of memory for one listing."""

    def __init__(self, transfers: DataTransfers, limit: int) -> None:
        self.has_begun = True
        """Whether the server sent a preliminary reply to the last command."""
        self._data_transfers = transfers
        self._limit = limit

    async def lines(self, command: str) -> list[bytes]:
        """Return the lines of a listing; raises `ProtocolViolation` for an endless one."""
        pieces: list[bytes] = []
        self.has_begun = False

        async def keep(data: StreamConnection, opened: Reply | None) -> None:
            self.has_begun = opened is not None and opened.code < codes.OK
            size = 0
            while piece := await data.read():
                size += len(piece) + LINE_OVERHEAD_BYTES * piece.count(b"\n")
                if size > self._limit:
                    raise ProtocolViolation("the server sends an endless listing")
                pieces.append(piece)

        await self._data_transfers.run(TransferCommand(command, keep, may_be_empty=True))
        return [line.removesuffix(b"\r") for line in b"".join(pieces).split(b"\n")]
