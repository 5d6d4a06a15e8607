"""A rename between two storages: the file is copied, and then removed where it was.

The source is removed only when its copy is complete and published under the new name, as durable as
an upload to that storage. If anything fails or is cancelled before, or if the source changes
meanwhile, the source stays, and nothing of the copy is kept. A source that changes in the moment
between publishing and removing stays beside its copy.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ftpservice.storage.errors import (
    Busy,
    Denied,
    NotSupported,
    OtherFilesystem,
    StorageError,
)
from ftpservice.storage.interfaces import (
    IAccess,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.links import lstat
from ftpservice.wire.entry import REMOVE, Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["FileName", "move_file"]

READ_SIZE = 1 << 20
"""Bytes that are copied in one step."""


@dataclass(frozen=True)
class FileName:
    """A path of a storage."""

    storage: IStorage
    path: VirtualPath

    async def lstat(self) -> Entry:
        """Return the entry; that of a link itself."""
        return await lstat(self.storage, self.path)


async def move_file(source: FileName, target: FileName, replace: bool) -> None:
    """Move a plain file to another storage; anything else raises `OtherFilesystem`."""
    found = await source.lstat()
    if found.kind is not Kind.FILE:
        raise OtherFilesystem(source.path, "only files can be moved to another storage")
    if found.unique and await _unique(target) == found.unique:
        return  # two names of one file
    access = IAccess(source.storage, None)
    if access is not None and not await access.access(source.path, follow=False) & REMOVE:
        raise Denied(source.path, "it could not be removed after the copy")
    reading = await source.storage.open_reading(source.path)
    try:
        await _copy(source, reading, target, replace)
    finally:
        reading.close()
    await _keep_attributes(target, reading.entry)
    await _require_unchanged(source, reading.entry)
    await source.storage.remove_file(source.path)


async def _unique(name: FileName) -> str:
    try:
        return (await name.lstat()).unique
    except StorageError:
        return ""


async def _require_unchanged(source: FileName, copied: Entry) -> None:
    if _version(await source.lstat()) != _version(copied):
        raise Busy(source.path, "it was changed while it was copied, so it was not removed")


def _version(entry: Entry) -> tuple[object, ...]:
    return entry.kind, entry.unique, entry.size, entry.modified, entry.changed


async def _copy(source: FileName, reading: IReading, target: FileName, replace: bool) -> None:
    entry = reading.entry
    request = WriteRequest(
        WriteMode.REPLACE if replace else WriteMode.CREATE,
        announced=entry.size,
        mode=entry.mode & 0o777,
    )
    writing = await target.storage.open_writing(target.path, request)
    try:
        await _fill(writing, reading)
        await _require_unchanged(source, entry)
        await writing.commit()
    except BaseException:
        await writing.abandon()
        partials = IPartials(target.storage, None)
        if partials is not None:
            with suppress(StorageError):
                await partials.drop_partials(target.path)
        raise


async def _fill(writing: IWriting, reading: IReading) -> None:
    offset = 0
    while data := await reading.read(offset, READ_SIZE):
        await writing.write(data)
        offset += len(data)


async def _keep_attributes(target: FileName, entry: Entry) -> None:
    """Give the copy the times and the mode of the file, as far as its storage has them."""
    modes, times = ISetMode(target.storage, None), ISetTimes(target.storage, None)
    with suppress(StorageError):
        if modes is not None:
            await modes.set_mode(target.path, entry.mode & 0o777)
    if times is None:
        return
    with suppress(StorageError):
        created = entry.created if times.creation else None
        try:
            await times.set_times(target.path, entry.modified, created)
        except NotSupported:
            await times.set_times(target.path, entry.modified)
