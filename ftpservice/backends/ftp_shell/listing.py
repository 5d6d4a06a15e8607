"""Listings of the directories of an `IFTPShell`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from twisted.protocols.ftp import IFTPShell
from zope.interface import implementer

from ftpservice.backends.ftp_shell.entries import KEYS, entry_of, name_of
from ftpservice.backends.ftp_shell.errors import call_shell, segments
from ftpservice.backends.ftp_shell.symbolic_links import link_entry
from ftpservice.storage.errors import PathNotFound, StorageError
from ftpservice.storage.interfaces import IListing
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["ShellListing", "list_directory"]

Rows = Iterable[tuple[str | bytes, Sequence[object]]]
BATCH_ENTRIES = 500


async def list_directory(shell: IFTPShell, path: VirtualPath) -> list[Entry]:
    """Return a directory's entries, without those whose names no path can contain.

    Twisted's shells fail a whole listing because of one name that they cannot stat (a dangling
    link). In that case only the names are listed, and the shell is asked for each entry.
    """
    try:
        rows: Rows = await call_shell(path, shell.list, segments(path), KEYS)
    except StorageError:
        return await _list_one_by_one(shell, path)
    named = [(name_of(name), values) for name, values in rows]
    return [
        _link_or_entry(shell, path.child(name), entry_of(path.child(name), values))
        for name, values in named
        if name is not None
    ]


async def _list_one_by_one(shell: IFTPShell, path: VirtualPath) -> list[Entry]:
    rows: Rows = await call_shell(path, shell.list, segments(path), ())
    entries = []
    for raw, _ in rows:
        name = name_of(raw)
        if name is None:
            continue
        child = path.child(name)
        try:
            values: Sequence[object] = await call_shell(child, shell.stat, segments(child), KEYS)
        except PathNotFound:
            link = link_entry(shell, child)
            entries += [link] if link is not None else []
            continue
        entries.append(_link_or_entry(shell, child, entry_of(child, values)))
    return entries


def _link_or_entry(shell: IFTPShell, path: VirtualPath, entry: Entry) -> Entry:
    return link_entry(shell, path, entry) or entry


@implementer(IListing)
class ShellListing:
    """Entries that have all been read, returned in batches."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = iter(entries)

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries."""
        return list(islice(self._entries, BATCH_ENTRIES))

    def close(self) -> None:
        """End the listing."""
        self._entries = iter([])
