"""Entries for files on the disk."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable
from typing import Any

from ftpservice.storage.errors import Denied, IsDirectory
from ftpservice.wire.entry import ANY_ACCESS, Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["O_PATH", "entry_of", "names_are_known", "require_file"]

O_PATH = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.LINK,
}
MAX_CACHED = 4096
DIRECTORY = Kind.DIRECTORY


_known_shared: dict[tuple[int, int, int], tuple[Kind, int, str, str]] = {}
"""What files with the same mode, owner and group share: kind, permission bits and names."""


def _find_shared(key: tuple[int, int, int]) -> tuple[Kind, int, str, str]:
    """Look the names of an owner and a group up and remember them; their numbers if they have none.

    May ask a directory service, so not for the reactor thread.
    """
    mode, user, group = key
    shared = (
        KINDS.get(stat.S_IFMT(mode), Kind.OTHER),
        stat.S_IMODE(mode),
        _name_of(pwd.getpwuid, user),
        _name_of(grp.getgrgid, group),
    )
    if len(_known_shared) >= MAX_CACHED:
        _known_shared.clear()
    _known_shared[key] = shared
    return shared


def _name_of(lookup: Callable[[int], Any], number: int) -> str:
    try:
        return str(lookup(number)[0])
    except (KeyError, OSError):
        return str(number)


def entry_of(name: str, facts: os.stat_result, access: int = ANY_ACCESS) -> Entry:
    """Return the entry for a file with these ``facts``.

    A long listing calls this a hundred thousand times. Looks names of owners and groups up, so it
    may block the first time.
    """
    mode, inode, device, links, user, group, size, _, _, _ = facts
    key = (mode, user, group)
    kind, bits, owner_name, group_name = _known_shared.get(key) or _find_shared(key)
    return _new_entry(
        Entry,
        (
            name,
            kind,
            0 if kind is DIRECTORY else size,
            facts.st_mtime,
            bits,
            owner_name,
            group_name,
            links,
            "%xg%x" % (device, inode),  # noqa: UP031 - half the time of an f-string
            None,
            "",
            access,
            0.0,
            True,
            facts.st_ctime_ns,
        ),
    )


_new_entry = tuple.__new__
"""What ``Entry(...)`` calls, without the function in between."""


def names_are_known(facts: os.stat_result) -> bool:
    """Return whether `entry_of` will not block."""
    return (facts.st_mode, facts.st_uid, facts.st_gid) in _known_shared


def require_file(facts: os.stat_result, path: VirtualPath) -> None:
    """Raise `IsDirectory` or `Denied` for anything but a plain file."""
    if stat.S_ISDIR(facts.st_mode):
        raise IsDirectory(path)
    if not stat.S_ISREG(facts.st_mode):
        raise Denied(path, "not a plain file")
