"""Downloads and uploads of one FTP session: RETR, STOR and APPE, and the commands around them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftpservice.stream.connection import SMALL_FILE_SIZE, StreamConnection
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice.wire.units import bytes_text
from ftpservice_client.errors import NetworkError, ServerRefused, Timeout, VerificationFailed
from ftpservice_client.ftp.control import CommandExchange, ControlConnection
from ftpservice_client.ftp.data import DataConnections
from ftpservice_client.ftp.listings import size_from_reply
from ftpservice_client.ftp.transfer import DataTransfers, TransferCommand
from ftpservice_client.interfaces import (
    DownloadTarget,
    OverlapMismatch,
    TransferObserver,
    UploadPosition,
    UploadSource,
)
from ftpservice_client.local.connection_transfer import ExcessData, receive_into, send_from

__all__ = ["FTPFiles"]

OPENING_SIZE_PATTERN = re.compile(r"\(([0-9]{1,18}) bytes\)")
"""The size of the file in the preliminary reply to RETR."""
STORED_SIZE_PATTERN = re.compile(r"\b([0-9]{1,18}) bytes? stored\b")
"""The size of the file in our server's final reply to STOR."""
IMPOSSIBLE_FILE_SIZE = 1 << 62
"""Larger than any file."""
AMBIGUOUS_NAME_PART = " bytes"
"""In a name that a reply may repeat, it could be taken for the size."""
NO_RESTART_TEXT = "the server ignores the restart offset"


@dataclass(slots=True)
class RetrieveAttempt:
    """One attempt to download a file."""

    name: str
    offset: int
    asks_size: bool
    """Whether SIZE was sent before RETR."""
    size: int | None = None
    """The size of the file according to the server."""
    moved: int = 0


class FTPFiles:
    """The file transfers of one session."""

    def __init__(
        self,
        control: ControlConnection,
        connections: DataConnections,
        data_transfers: DataTransfers,
    ) -> None:
        self._control = control
        self._connections = connections
        self._data_transfers = data_transfers
        self._trusts_opening_size = False
        """Whether the server's preliminary reply to RETR contained the true size of a file."""

    async def retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        """Download a file from ``offset``; the size is compared if the server reports it.

        Raises `NetworkError` if fewer bytes arrived, `VerificationFailed` if more did. If the file
        has grown meanwhile, only the bytes that it had before are received.
        """
        if offset:
            self._require_restart()
        before = target.written
        can_repeat = True
        while True:
            try:
                return await self._retrieve(name, offset, target, watch)
            except ServerRefused as error:
                # 450: SIZE reported a partial upload, and RETR found the file itself; once more.
                busy = error.reply is not None and error.reply.code == codes.FILE_BUSY
                if not busy or target.written != before or not can_repeat:
                    raise
                can_repeat = False

    async def _retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        control = self._control
        await control.drain_abandoned()
        # 1. SIZE (RFC 3659 §4) and EPSV in one segment. A server whose preliminary reply to RETR
        #    contains the true size is not asked for it: that saves a command for each file.
        asks_size = bool(offset) or not self._trusts_opening_size or AMBIGUOUS_NAME_PART in name
        attempt = RetrieveAttempt(name, offset, asks_size)
        if asks_size:
            requested = self._connections.request_port(f"SIZE {name}")
            attempt.size = await self._size_from(requested)
            if attempt.size is not None and attempt.size < offset:
                control.abandon(*requested)
                raise VerificationFailed("the local file has more bytes than the server's")
        else:
            requested = self._connections.request_port()

        async def receive(data: StreamConnection, opened: Reply | None) -> None:
            size = self._note_opening_size(attempt, last_number_in(OPENING_SIZE_PATTERN, opened))
            data.accepts_truncated_tls = size is not None
            watch.begin(data, size)
            limit = None if size is None else size - offset
            attempt.moved = await receive_into(target, data, limit)

        # 2. RETR.
        try:
            command = TransferCommand(f"RETR {name}", receive, offset)
            await self._data_transfers.run(command, requested)
        except ExcessData:
            attempt.moved = IMPOSSIBLE_FILE_SIZE
        # 3. Compare the sizes.
        if attempt.size is None and not asks_size:
            attempt.size = await self._size(name)
        if attempt.size is not None and attempt.moved != attempt.size - offset:
            await self._check_size(attempt, attempt.size, watch)
        return attempt.size

    def _require_restart(self) -> None:
        if self._connections.quirks.ignores_restart:
            raise OverlapMismatch(NO_RESTART_TEXT)

    async def _check_size(
        self, attempt: RetrieveAttempt, size: int, watch: TransferObserver
    ) -> None:
        """Handle a download of another size than the server reported.

        Raises `NetworkError`, `OverlapMismatch`, `VerificationFailed`.
        """
        offset, moved = attempt.offset, attempt.moved
        if moved < size - offset:
            raise NetworkError(f"the server sent {offset + moved} of {bytes_text(size)}")
        if not attempt.asks_size:  # the number in the preliminary reply may have been another one
            self._trusts_opening_size = False
            raise OverlapMismatch("the server sends more bytes than its first reply announced")
        await self._control.drain_abandoned()
        now = await self._size(attempt.name)
        if now is not None and now > size and not (offset and moved == now):
            watch.note(f"the file grew during the download; of it the first {bytes_text(size)}")
            return
        if offset:
            self._connections.quirks.ignores_restart = moved == size
            raise OverlapMismatch(NO_RESTART_TEXT)
        raise VerificationFailed("the server sends more bytes than the size it reported")

    def _note_opening_size(self, attempt: RetrieveAttempt, announced: int | None) -> int | None:
        """Return the size of the file; ``announced`` is that of the preliminary reply."""
        if not attempt.asks_size:
            self._trusts_opening_size = announced is not None
            attempt.size = announced
        elif attempt.size is not None and announced == attempt.size:
            self._trusts_opening_size = True
        return attempt.size

    async def _size_from(self, requested: list[CommandExchange]) -> int | None:
        try:
            reply = await self._control.reply_to(requested[0])
        except BaseException:
            self._control.abandon(*requested)
            raise
        return size_from_reply(reply.code, reply.lines[-1])

    async def _size(self, name: str) -> int | None:
        reply = await self._control.ask(f"SIZE {name}")
        return size_from_reply(reply.code, reply.lines[-1])

    async def store(
        self, name: str, source: UploadSource, at: UploadPosition, watch: TransferObserver
    ) -> None:
        """Upload a file; the size is compared if the server reports it."""
        await self._control.drain_abandoned()
        if at.offset:
            self._require_restart()
        moved = 0
        is_sent = False

        async def send(data: StreamConnection, _opened: Reply | None) -> None:
            nonlocal moved, is_sent
            watch.begin(data, source.size)
            moved = await send_from(source, data, at.offset)
            await data.finish()
            is_sent = True

        verb, offset = ("APPE", 0) if at.append else ("STOR", at.offset)
        size = None if source.size is None else source.size - at.offset
        # Data of a small file is sent before the server's first reply, which costs nothing if the
        # server refuses it. Servers with one event loop for all connections (pyftpdlib, Twisted)
        # may see the data before the command, and then close the data connection or fail.
        sends_early = (
            self._connections.is_ftpservice
            and source.is_restartable
            and size is not None
            and size <= SMALL_FILE_SIZE
        )
        command = TransferCommand(f"{verb} {name}", send, offset, sends_early)
        # ALLO announces the size, so that a server recognizes an incomplete upload. Other servers
        # reply that it is superfluous (RFC 959 §4.1.3).
        requested = None if size is None else self._connections.request_port(f"ALLO {size}")
        try:
            reply = await self._data_transfers.run(command, requested)
        except Timeout as error:
            if is_sent:
                raise Timeout(f"{error}; {bytes_text(moved)} sent, may be stored") from error
            raise
        is_entire = not at.append and not at.offset and AMBIGUOUS_NAME_PART not in name
        if not is_entire or last_number_in(STORED_SIZE_PATTERN, reply) != moved:
            await self._check_stored(name, at, moved)

    async def _check_stored(self, name: str, at: UploadPosition, moved: int) -> None:
        """Compare the number of sent bytes with the size on the server.

        Raises `OverlapMismatch`, `VerificationFailed`.
        """
        stored = await self._size(name)
        if stored is None or at.former is None:
            return
        expected = at.former + at.offset + moved
        if stored == expected:
            return
        if at.offset and stored in (moved, at.offset):
            self._connections.quirks.ignores_restart = True
            raise OverlapMismatch(NO_RESTART_TEXT)
        raise VerificationFailed(f"the server has {stored} of {bytes_text(expected)}")


def last_number_in(pattern: re.Pattern[str], reply: Reply | None) -> int | None:
    """Return the last number in a reply that matches a pattern."""
    found = pattern.findall(reply.lines[-1]) if reply is not None else []
    return int(found[-1]) if found else None
