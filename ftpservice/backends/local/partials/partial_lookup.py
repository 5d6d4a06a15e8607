"""Looking up the partial of one path: its size, and the note of its upload."""

from __future__ import annotations

import errno
import os
import stat
import time

from ftpservice.backends.local.metadata.stat import O_PATH, entry_of
from ftpservice.backends.local.partials.partial_file import discard_idle, find_partial, is_idle
from ftpservice.backends.local.partials.partial_mark import PartialMark, mark_of, write_mark
from ftpservice.backends.local.paths.names import components, partial_name
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree
from ftpservice.linux import BENEATH_IF_CACHED, open_beneath
from ftpservice.storage.errors import PathNotFound
from ftpservice.storage.interrupted_uploads import InterruptedUpload
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["annotate", "has_no_partial", "interrupted_upload", "partial_entry"]


def has_no_partial(tree: DirectoryTree, path: VirtualPath, owner: str) -> bool:
    """Return whether it is known without the disk that a file has no partial; never blocks."""
    if not path.parts:
        return True
    try:
        name = components(path)[-1]
        place = tree.parent_if_cached(path, name)
    except OSError:
        return False
    if place is None:
        return False
    with place:
        return _is_no_link(place) and _is_absent(place, partial_name(owner, name))


def _is_no_link(place: DirectoryEntry) -> bool:
    try:
        opened = open_beneath(
            place.directory, place.name, O_PATH | os.O_NOFOLLOW, BENEATH_IF_CACHED
        )
    except OSError as error:
        return error.errno == errno.ENOENT
    try:
        return not stat.S_ISLNK(os.fstat(opened).st_mode)
    finally:
        os.close(opened)


def _is_absent(place: DirectoryEntry, name: bytes) -> bool:
    try:
        os.close(open_beneath(place.directory, name, O_PATH | os.O_NOFOLLOW, BENEATH_IF_CACHED))
    except OSError as error:
        return error.errno == errno.ENOENT
    return False


def partial_entry(tree: DirectoryTree, path: VirtualPath, owner: str) -> Entry:
    """Return the entry of a partial; an empty one does not count. Raises `PathNotFound`."""
    try:
        with _place(tree, path) as place:
            opened = find_partial(place, partial_name(owner, place.name))
    except NotADirectoryError:
        raise PathNotFound(path) from None
    if opened is None:
        raise PathNotFound(path)
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    if facts.st_size == 0:
        raise PathNotFound(path, "empty")
    return entry_of(path.name, facts)


def interrupted_upload(
    tree: DirectoryTree, path: VirtualPath, owner: str
) -> InterruptedUpload | None:
    """Return what is kept of an upload, even if it is empty; None without one."""
    with _place(tree, path) as place:
        name = partial_name(owner, place.name)
        opened = find_partial(place, name)
        if opened is None:
            return None
        try:
            facts, mark = os.fstat(opened), mark_of(opened, name)
        finally:
            os.close(opened)
        is_active = not is_idle(place.directory, name)
    age = max(0.0, time.time() - facts.st_mtime)
    return InterruptedUpload(facts.st_size, age, None if mark is None else mark.note, is_active)


def annotate(tree: DirectoryTree, path: VirtualPath, owner: str, note: str) -> bool:
    """Replace the note of a partial; an empty one is removed with an empty note."""
    with _place(tree, path) as place:
        name = partial_name(owner, place.name)
        opened = find_partial(place, name)
        if opened is None:
            return False
        try:
            is_kept = bool(note) or os.fstat(opened).st_size > 0
            if is_kept:
                write_mark(opened, name, PartialMark(owner, place.name, note))
        finally:
            os.close(opened)
        return is_kept or discard_idle(place.directory, name)


def _place(tree: DirectoryTree, path: VirtualPath) -> DirectoryEntry:
    if path.is_root:
        raise PathNotFound(path)
    return tree.place(path)
