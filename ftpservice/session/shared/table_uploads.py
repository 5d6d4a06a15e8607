"""The uploads under way in several processes of a machine.

The process of an upload has a mark at its name in the shared table. Another process that wants the
name asks the one with the mark, which alone can tell whether the upload is alive, and abort it. One
that hangs keeps its uploads, until it goes on or ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ftpservice.concurrency.lock_wait import LockWait
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableError
from ftpservice.concurrency.table_section import TableSection
from ftpservice.session.active_uploads import ActiveUpload, ActiveUploads, UploadKey
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests, PeerSilent
from ftpservice.storage.errors import BeingUploaded, Busy
from ftpservice.wire.paths import VirtualPath

__all__ = ["ACTIVE_UPLOADS", "TableUploads", "upload_key_bytes"]

ACTIVE = 0
ACTIVE_UPLOADS = RecordLayout("active uploads", fields=1, slots=65536)
RETRY_SECONDS = 0.05
"""Time in which the mark of a process that has ended is removed, and before it is asked again."""
MAX_RETRIES = 100
HANGING_SECONDS = 5.0
"""A process that does not say within this time how an upload began is not asked further."""
ABORT, WAIT, APPENDS = "abort dead upload", "wait for upload", "appends"
IS_ALIVE = "alive"


class TableUploads(ActiveUploads):
    """The uploads under way in this process, and marks of those in others."""

    is_shared = True

    def __init__(self, section: TableSection, peers: PeerRequests, clock: IReactorTime) -> None:
        super().__init__()
        self._section = section
        self._peers = peers
        self._clock = clock
        peers.answer(ABORT, self._aborted_for_peer)
        peers.answer(WAIT, self._ended_for_peer)
        peers.answer(APPENDS, self._appends_for_peer)

    async def claim(self, upload: ActiveUpload, now: Callable[[], float]) -> bool:
        """Claim the name of an upload; raises `BeingUploaded`, and `Busy` without room for it.

        False if the upload appends, like another one to this name.
        """
        key = upload.key
        upload.table_key = upload_key_bytes(key)
        for _ in range(MAX_RETRIES):
            if upload.appends and await self._appends_to_another(key):
                return False
            if key in self.active:
                await self.abort_dead_upload(key, upload.host, now)
            try:
                is_marked = self._mark(upload)
            except TableBusy:
                is_marked = await self._marked_late(upload)
            if is_marked:
                upload.began = now()
                self.active[key] = upload
                return True
            try:
                if await self._asked(key, ABORT, upload.host) == IS_ALIVE:
                    break
            except PeerSilent:
                break
        raise BeingUploaded(key[1])

    async def _appends_to_another(self, key: UploadKey) -> bool:
        """Return whether another upload to this name appends, and is alive."""
        await self.wait_for_end(key)
        if self.appends(key):
            return True
        try:
            return bool(await self._asked(key, APPENDS))
        except PeerSilent:
            raise BeingUploaded(key[1]) from None

    async def _marked_late(self, upload: ActiveUpload) -> bool:
        """Mark a name when no other process keeps its lock; raises `Busy`."""
        wait = LockWait(self._clock)
        while await wait.is_worth_another_try():
            with suppress(TableBusy):
                return self._mark(upload)
        raise Busy(upload.key[1], "another process keeps the lock of its record")

    def _mark(self, upload: ActiveUpload) -> bool:
        """Mark a name for this process, unless one has done so; raises `TableBusy` and `Busy`."""
        try:
            return self._section.claim(upload.table_key, ACTIVE)
        except TableBusy:
            raise
        except TableError as error:
            raise Busy(upload.key[1], f"the upload cannot be recorded: {error}") from error

    async def _asked(self, key: UploadKey, name: str, *values: object) -> object:
        """Return what the process with the mark says; None if there is none, or it has ended.

        The mark of that one will be removed in a moment. Raises `PeerSilent` for one that hangs.
        """
        column = self._other_column(key)
        if column is None:
            return None
        upload, ask = (key[0], key[1].parts), self._peers.ask
        try:
            answer: object = await ask(column, APPENDS, *upload, seconds=HANGING_SECONDS)
            if name != APPENDS:
                answer = await ask(column, name, *upload, *values)
        except PeerSilent:
            raise
        except PeerGone:
            answer = None
        if answer is None:
            await deferLater(self._clock, RETRY_SECONDS)
        return answer

    def _other_column(self, key: UploadKey) -> int | None:
        """Return the column of another process that has a mark at a name."""
        columns = self._section.columns_of(upload_key_bytes(key), ACTIVE)
        own = self._section.column
        return next((n for n, mark in enumerate(columns) if mark and n != own), None)

    async def wait_for_end(self, key: UploadKey) -> None:
        """Abort an upload to this name whose session has ended, and wait for its end."""
        await super().wait_for_end(key)
        if self._other_column(key) is not None:
            with suppress(PeerSilent):
                await self._asked(key, WAIT)

    def is_active(self, key: UploadKey) -> bool:
        """Return whether an upload to this name is under way."""
        return super().is_active(key) or self._other_column(key) is not None

    def leave(self, upload: ActiveUpload) -> None:
        """Remove an upload whose transaction has ended."""
        if self.active.get(upload.key) is upload:
            self._section.give_back(upload.table_key, ACTIVE)
        super().leave(upload)

    async def _aborted_for_peer(self, user: str, parts: tuple[str, ...], host: str | None) -> str:
        key = user, VirtualPath(tuple(parts))
        try:
            await self.abort_dead_upload(key, host, self._clock.seconds)
        except BeingUploaded:
            return IS_ALIVE
        return ""

    async def _ended_for_peer(self, user: str, parts: tuple[str, ...]) -> bool:
        await super().wait_for_end((user, VirtualPath(tuple(parts))))
        return True

    async def _appends_for_peer(self, user: str, parts: tuple[str, ...]) -> bool:
        return self.appends((user, VirtualPath(tuple(parts))))


def upload_key_bytes(key: UploadKey) -> bytes:
    """Return the key of an upload in a table."""
    return f"{key[0]}\0{key[1]}".encode("utf-8", "surrogateescape")
