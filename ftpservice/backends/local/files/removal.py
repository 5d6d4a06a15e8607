"""Removal of a file that nobody has touched since it was looked at; blocking calls.

There is no system call for that, so the file first gets a hidden name in its directory: from then
on nobody can open it by name, or put another one in its place. If it is not the file that was
looked at, has changed or is open, it gets its name back; another file that has the name by then
keeps it. A file that is known to be open is not touched at all, because a rename would change its
ctime and so its age.

The hidden name contains the name of the file, and the file is locked meanwhile. A process that is
killed between the two renames leaves a file that is not locked: `put_back` gives that its name.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from ftpservice.backends.local.files.reading import READ_FLAGS
from ftpservice.backends.local.metadata.stat import entry_of, require_file
from ftpservice.backends.local.paths.file_ops import rename_exclusive
from ftpservice.backends.local.paths.names import (
    aside_name,
    decoded,
    encoded,
    name_before_aside,
    unique_names,
)
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.linux import is_open_elsewhere
from ftpservice.storage.errors import Busy
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["put_back", "remove_empty_directory", "remove_unchanged_file"]

OPEN_FLAGS = READ_FLAGS | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_unchanged_file(place: DirectoryEntry, path: VirtualPath, entry: Entry) -> None:
    """Remove the plain file ``place`` if it is still the one of ``entry``; else raise `Busy`."""
    opened = os.open(place.name, OPEN_FLAGS, dir_fd=place.directory)
    try:
        facts = os.fstat(opened)
        require_file(facts, path)
        _require_same(facts, entry, path)
        _require_unused(opened, path)
        aside = aside_name(place.name)
        os.rename(place.name, aside, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        try:
            _require_moved(DirectoryEntry(place.directory, aside), facts, path)
            _require_unused(opened, path)
        except BaseException:
            _give_back(place.directory, aside, place.name)
            raise
        with suppress(FileNotFoundError):  # the sweep of a filesystem without locks put it back
            os.unlink(aside, dir_fd=place.directory)
            return
        raise Busy(path, "put back meanwhile")
    finally:
        os.close(opened)


def remove_empty_directory(place: DirectoryEntry, path: VirtualPath, entry: Entry) -> None:
    """Remove the directory ``place`` if it is empty and still the one of ``entry``."""
    facts = os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
    _require_same(facts, entry, path)
    os.rmdir(place.name, dir_fd=place.directory)


def _require_same(facts: os.stat_result, entry: Entry, path: VirtualPath) -> None:
    now = entry_of(entry.name, facts)
    if _version(now) != _version(entry):
        raise Busy(path, "it has changed")


def _version(entry: Entry) -> tuple[object, ...]:
    return entry.kind, entry.unique, entry.size, entry.modified, entry.changed


def _require_moved(aside: DirectoryEntry, facts: os.stat_result, path: VirtualPath) -> None:
    """Raise `Busy` unless ``aside`` is the file of ``facts``, with the same content."""
    moved = aside.facts()
    is_same = (
        moved is not None
        and os.path.samestat(moved, facts)
        and (moved.st_size, moved.st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    )
    if not is_same:
        raise Busy(path, "it has changed")


def _require_unused(opened: int, path: VirtualPath) -> None:
    """Lock an open file; raise `Busy` if somebody appends to it or has it open."""
    if not _locked(opened):
        raise Busy(path, "locked")
    if is_open_elsewhere(opened):
        raise Busy(path, "open")


def _locked(opened: int) -> bool:
    """Lock a file until it is closed; also True where the filesystem has no locks."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _give_back(directory: int, aside: bytes, name: bytes) -> None:
    """Give a file its name back or, if another one has that by now, a free name like it."""
    try:
        rename_exclusive(aside, name, directory, directory)
        return
    except FileExistsError:
        pass
    wanted = VirtualPath((decoded(os.fsdecode(name)),))
    for free in unique_names(wanted):
        with suppress(FileExistsError):
            rename_exclusive(aside, encoded(free.name, free), directory, directory)
            return


def put_back(directory: int, aside: bytes) -> bool:
    """Give a file that a killed process has left aside its name back; return whether it has.

    Nothing is done while it is being removed.
    """
    try:
        opened = os.open(aside, OPEN_FLAGS, dir_fd=directory)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode) or not _locked(opened):
            return False
        try:
            _give_back(directory, aside, name_before_aside(aside))
        except FileNotFoundError:
            return False
        return True
    finally:
        os.close(opened)
