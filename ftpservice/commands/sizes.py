"""Sizes and facts of single names: files as RETR sends them, partial uploads, directories."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.commands.upload_resumption import refuse_missing
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.storage.errors import PathNotFound
from ftpservice.storage.interfaces import IAccess
from ftpservice.storage.links import lstat
from ftpservice.wire import codes
from ftpservice.wire.ascii import AddedCRCounter
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["ascii_size", "directory_size", "known_entry", "with_access"]

READ_SIZE = 64 * 1024
"""Bytes whose line ends are counted in one step."""
MAX_ASCII_SIZE = 64 * 1024 * 1024
"""Bytes that are read to count line ends; for larger files SIZE is refused in TYPE A."""
MAX_DIRECTORIES = 10_000


async def known_entry(context: SessionContext, path: VirtualPath, follow: bool = True) -> Entry:
    """Return the entry of ``path``; without ``follow`` that of a link itself.

    Raises `ReplyError` for an interrupted upload, `PathNotFound` otherwise.
    """
    try:
        return await (context.storage.stat(path) if follow else lstat(context.storage, path))
    except PathNotFound as error:
        await refuse_missing(context, path, error)


async def with_access(
    context: SessionContext, path: VirtualPath, entry: Entry, follow: bool
) -> Entry:
    """Return the entry of ``path`` with its `access`, if the storage knows that."""
    storage = IAccess(context.storage, None)
    if storage is None:
        return entry
    try:
        return entry._replace(access=await storage.access(path, follow))
    except PathNotFound:
        return entry  # that of a partial upload


async def ascii_size(context: SessionContext, path: VirtualPath, entry: Entry) -> int:
    """Return the bytes that a download in TYPE A sends (RFC 3659 §4); raises `ReplyError`."""
    if entry.size > MAX_ASCII_SIZE:
        raise ReplyError(codes.FILE_UNAVAILABLE, "Too large to count in TYPE A; use TYPE I.")
    time_budget, ends = context.services.time_budget, AddedCRCounter()
    reading = await context.storage.open_reading(path)
    try:
        offset = 0
        while chunk := await reading.read(offset, READ_SIZE):
            offset += len(chunk)
            await time_budget.run_when_due(ends.count, chunk)
        return offset + ends.added
    finally:
        reading.close()


async def directory_size(context: SessionContext, top: VirtualPath) -> int:
    """Return the bytes of all files below ``top``; raises `ReplyError` if it is too large."""
    total, seen, waiting = 0, 0, [top]
    time_budget = context.services.time_budget
    while waiting:
        seen += 1
        if seen > MAX_DIRECTORIES:
            raise ReplyError(codes.FILE_UNAVAILABLE, "Too many directories to count.")
        path = waiting.pop()
        listing = await context.storage.open_listing(path)
        try:
            while batch := await listing.next_batch():
                size, below = await time_budget.run_when_due(_measured, path, batch)
                total += size
                waiting += below[:MAX_DIRECTORIES]
        finally:
            listing.close()
    return total


def _measured(path: VirtualPath, batch: Sequence[Entry]) -> tuple[int, list[VirtualPath]]:
    """Return the bytes of the files of a batch, and its directories."""
    size = sum(entry.size for entry in batch if entry.kind is Kind.FILE)
    return size, [path.child(entry.name) for entry in batch if entry.kind is Kind.DIRECTORY]
