"""An append in place: others see what it adds, so that is settled at once."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IRetractableWriting, IWriting
from ftpservice.storage.quota.upload_room import UploadRoom, run_to_the_end
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MeteredAppend"]


@implementer(IWriting)
class MeteredAppend:
    """``inner``, which appends to the file that ``room`` is for."""

    def __init__(self, inner: IWriting, room: UploadRoom) -> None:
        self.offset: int = inner.offset
        self.inner = inner
        self.room = room
        self.appended = 0
        """Bytes that are in the file."""
        self._ended = False

    @property
    def path(self) -> VirtualPath:
        """The name of the file when it was opened."""
        path: VirtualPath = self.inner.path
        return path

    def __conform__(self, interface: object) -> object:
        if interface is IRetractableWriting:
            retractable = IRetractableWriting(self.inner, None)
            return None if retractable is None else _MeteredRetraction(self, retractable)
        return None

    async def write(self, data: bytes) -> None:
        """Append ``data`` if there is room for all of it; raises `QuotaExceeded`."""
        if self._ended:
            await self.inner.write(data)  # raises
        room = self.room
        await room.hold(len(data))
        async with room.account.change(room.path):
            try:
                await self.inner.write(data)
            except StorageError:
                room.account.doubt(room.path)  # some of it may be in the file
                raise
            except BaseException:  # cancelled: the end of the transaction writes it
                self._settle(len(data))
                raise
            self._settle(len(data))

    def _settle(self, size: int) -> None:
        self.room.charge.settle_part(size)
        self.appended += size

    async def commit(self) -> Entry:
        """Confirm what the file received."""
        entry = await run_to_the_end(self._end(publish=True))
        assert entry is not None
        return entry

    async def abandon(self) -> None:
        """End the transaction; what was appended stays."""
        if not self._ended:
            await run_to_the_end(self._end(publish=False))

    async def _end(self, publish: bool) -> Entry | None:
        room, has_ended, self._ended = self.room, self._ended, True
        entry: Entry | None = None
        async with room.account.change(room.path):
            try:
                if publish:
                    entry = await self.inner.commit()
                else:
                    await self.inner.abandon()
            except StorageError:
                room.account.doubt(room.path)  # the file may have been removed meanwhile
                raise
            finally:
                if not has_ended:
                    room.account.settle(room.charge)
            is_there = entry is None or entry.name == room.path.name
            if not is_there or await room.account.file_size(room.path) is None:
                room.account.doubt(room.path)  # renamed or removed meanwhile
        return entry


@implementer(IRetractableWriting)
class _MeteredRetraction:
    """An append that can be undone."""

    def __init__(self, writing: MeteredAppend, retractable: IRetractableWriting) -> None:
        self._writing = writing
        self._retractable = retractable

    async def retract(self) -> bool:
        """Remove what was appended."""
        writing, room = self._writing, self._writing.room
        async with room.account.change(room.path):
            is_done: bool = await self._retractable.retract()
            if is_done:
                room.account.add(room.path, -writing.appended, 0)
                writing.appended = 0
        return is_done
