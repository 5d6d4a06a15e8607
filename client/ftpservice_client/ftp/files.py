"""Files over FTP: RETR, STOR and APPE, with what is asked before and behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftpservice.stream.connection import SMALL_FILE_SIZE, StreamConnection
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import NetworkError, ServerRefused, Timeout, VerificationFailed
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data import DataChannels
from ftpservice_client.ftp.exchange import CommandExchange
from ftpservice_client.ftp.listings import size_from_reply
from ftpservice_client.ftp.transfer import DataTransfers, TransferCommand
from ftpservice_client.interfaces import (
    DownloadTarget,
    OverlapMismatch,
    TransferObserver,
    UploadPosition,
    UploadSource,
)
from ftpservice_client.local.copy import ExcessData, receive_into, send_from

__all__ = ["FTPFiles"]

OPENING_SIZE_PATTERN = re.compile(r"\(([0-9]{1,18}) bytes\)")
"""What servers say of a file that they begin to send."""
STORED_SIZE_PATTERN = re.compile(r"\b([0-9]{1,18}) bytes stored\b")
"""What ours says of one that it has."""
IMPOSSIBLE_FILE_SIZE = 1 << 62
"""A number of bytes that no file has."""
AMBIGUOUS_NAME_PART = " bytes"
"""Names with that could be taken for what a server says."""


@dataclass(slots=True)
class RetrieveAttempt:
    """One attempt to receive a file."""

    name: str
    offset: int
    asks: bool
    """Whether SIZE is asked for before."""
    size: int | None = None
    """What the server says the whole file has."""
    moved: int = 0


class FTPFiles:
    """Moves files of one session."""

    def __init__(
        self, control: ControlConnection, calls: DataChannels, moving: DataTransfers
    ) -> None:
        self._control = control
        self._calls = calls
        self._data_transfers = moving
        self._tells_size_at_opening = False
        """Whether the server told the true size of a file when it began to send it."""

    async def retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        """Receive a file from ``offset``; its size is compared where the server tells it.

        A file that ends before it has as many bytes is `NetworkError`, one that does not is a
        `VerificationFailed`, unless it has grown: then what it had is received.
        """
        self._require_restart(offset)
        before = target.written
        try:
            return await self._retrieve(name, offset, target, watch)
        except ServerRefused as error:
            busy = error.reply is not None and error.reply.code == codes.FILE_BUSY
            if not busy or target.written != before:
                raise
        return await self._retrieve(name, offset, target, watch)  # SIZE told of something else

    async def _retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        await self._control.settle()
        fetch = RetrieveAttempt(
            name,
            offset,
            bool(offset) or not self._tells_size_at_opening or AMBIGUOUS_NAME_PART in name,
        )
        announced = self._calls.request_port(*((f"SIZE {name}",) if fetch.asks else ()))
        fetch.size = await self._size_in(announced) if fetch.asks else None
        if fetch.size is not None and fetch.size < offset:
            self._control.abandon(*announced)
            raise VerificationFailed("there are more bytes here than the file has")

        async def receive(data: StreamConnection, opened: Reply | None) -> None:
            size = fetch.size = self._size_at_opening(opened, fetch.size, asks=fetch.asks)
            data.accepts_truncated_tls = size is not None
            watch.begin(data, size)
            fetch.moved = await receive_into(target, data, None if size is None else size - offset)

        try:
            await self._data_transfers.move(
                TransferCommand(f"RETR {name}", receive, offset), announced
            )
        except ExcessData:
            fetch.moved = IMPOSSIBLE_FILE_SIZE
        if fetch.size is None and not fetch.asks:
            fetch.size = await self._size(name)
        if fetch.size is not None:
            await self._compare(fetch, fetch.size, watch)
        return fetch.size

    def _require_restart(self, offset: int) -> None:
        if offset and self._calls.quirks.ignores_restart:
            raise OverlapMismatch("the server takes no notice of where a transfer is to begin")

    async def _compare(self, fetch: RetrieveAttempt, size: int, watch: TransferObserver) -> None:
        """Compare what came with what was told.

        Raises `NetworkError`, `OverlapMismatch`, `VerificationFailed`.
        """
        offset, moved = fetch.offset, fetch.moved
        if moved < size - offset:
            raise NetworkError(f"the server sent {offset + moved} of {size} bytes")
        if moved == size - offset:
            return
        if not fetch.asks:  # it was told at the opening alone: perhaps that was no size
            self._tells_size_at_opening = False
            raise OverlapMismatch("the server sends more than it said when it began")
        await self._control.settle()
        now = await self._size(fetch.name)
        if now is not None and now > size and not (offset and moved == now):
            watch.note(f"it grew while it was received; it has the {size} bytes it had before")
            return
        if offset:
            self._calls.quirks.ignores_restart = moved == size
            raise OverlapMismatch("the server takes no notice of where a transfer is to begin")
        raise VerificationFailed("the server sends more than it said the file has")

    def _size_at_opening(self, opened: Reply | None, size: int | None, *, asks: bool) -> int | None:
        """Return the size; a server that told it truly when it began is not asked before.

        That saves a command for each file. ``asks``: whether it was asked now, and said ``size``.
        """
        told = last_number_in(OPENING_SIZE_PATTERN, opened)
        if not asks:
            self._tells_size_at_opening = told is not None
            return told
        self._tells_size_at_opening = self._tells_size_at_opening or (
            size is not None and told == size
        )
        return size

    async def _size_in(self, announced: list[CommandExchange]) -> int | None:
        try:
            reply = await self._control.reply_to(announced[0])
        except BaseException:
            self._control.abandon(*announced)
            raise
        return size_from_reply(reply.code, reply.lines[-1])

    async def _size(self, name: str) -> int | None:
        reply = await self._control.ask(f"SIZE {name}")
        return size_from_reply(reply.code, reply.lines[-1])

    async def store(
        self, name: str, source: UploadSource, at: UploadPosition, watch: TransferObserver
    ) -> None:
        """Send a file; what the server has afterwards is compared by size where it tells."""
        await self._control.settle()
        self._require_restart(at.offset)
        moved = 0
        is_sent = False

        async def send(data: StreamConnection, _opened: Reply | None) -> None:
            nonlocal moved, is_sent
            watch.begin(data, source.size)
            moved = await send_from(source, data, at.offset)
            await data.finish()
            is_sent = True

        verb, offset = ("APPE", 0) if at.append else ("STOR", at.offset)
        order = TransferCommand(f"{verb} {name}", send, offset, _is_small(source, at))
        try:
            reply = await self._data_transfers.move(order, self._announced(source, at))
        except Timeout as error:
            if is_sent:
                raise Timeout(f"{error}; all {moved} bytes were sent, and may be there") from error
            raise
        is_whole = not at.append and not at.offset and AMBIGUOUS_NAME_PART not in name
        if is_whole and last_number_in(STORED_SIZE_PATTERN, reply) == moved:
            return
        await self._compare_stored(name, at, moved)

    async def _compare_stored(self, name: str, at: UploadPosition, moved: int) -> None:
        """Compare what was sent with what is there now.

        Raises `OverlapMismatch`, `VerificationFailed`.
        """
        there = await self._size(name)
        if there is None or at.former is None:
            return
        expected = at.former + at.offset + moved
        if there == expected:
            return
        if at.offset and there in (moved, at.offset):
            self._calls.quirks.ignores_restart = True
            raise OverlapMismatch("the server stored from the beginning what belongs in the middle")
        raise VerificationFailed(f"the server has {there} bytes of {expected}")

    def _announced(self, source: UploadSource, at: UploadPosition) -> list[CommandExchange] | None:
        """Say how much is to come, where it is known: whoever is killed then uploads no half file.

        A server that does not care answers that it does not (RFC 959 §4.1.3, ALLO).
        """
        if source.size is None:
            return None
        return self._calls.request_port(f"ALLO {source.size - at.offset}")


def _is_small(source: UploadSource, at: UploadPosition) -> bool:
    """Tell whether this is sent before the server says that it takes it: that costs nothing."""
    return (
        source.is_restartable
        and source.size is not None
        and source.size - at.offset <= SMALL_FILE_SIZE
    )


def last_number_in(pattern: re.Pattern[str], reply: Reply | None) -> int | None:
    """Return the last number that a reply tells by a pattern."""
    found = pattern.findall(reply.lines[-1]) if reply is not None else []
    return int(found[-1]) if found else None
