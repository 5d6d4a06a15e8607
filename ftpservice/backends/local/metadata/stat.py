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
MAX_CACHED_NAMES = 4096


_known_owners: dict[int, str] = {}
_known_groups: dict[int, str] = {}


def _find_name(names: dict[int, str], lookup: Callable[[int], Any], number: int) -> str:
    """Look a user's or group's name up and remember it in ``names``; the number if it has none.

    May ask a directory service, so not for the reactor thread.
    """
    try:
        name = str(lookup(number)[0])
    except (KeyError, OSError):
        name = str(number)
    if len(names) >= MAX_CACHED_NAMES:
        names.clear()
    names[number] = name
    return name


def entry_of(name: str, facts: os.stat_result, access: int = ANY_ACCESS) -> Entry:
    """Return the entry for a file with these ``facts``.

    A long listing calls this a hundred thousand times. Looks names of owners and groups up, so it
    may block the first time.
    """
    mode, inode, device, links, user, group, size = facts[:7]
    kind = KINDS.get(mode & 0o170000, Kind.OTHER)
    return _new_entry(
        Entry,
        (
            name,
            kind,
            0 if kind is Kind.DIRECTORY else size,
            facts.st_mtime,
            mode & 0o7777,
            _known_owners.get(user) or _find_name(_known_owners, pwd.getpwuid, user),
            _known_groups.get(group) or _find_name(_known_groups, grp.getgrgid, group),
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
    return facts.st_uid in _known_owners and facts.st_gid in _known_groups


def require_file(facts: os.stat_result, path: VirtualPath) -> None:
    """Raise `IsDirectory` or `Denied` for anything but a plain file."""
    if stat.S_ISDIR(facts.st_mode):
        raise IsDirectory(path)
    if not stat.S_ISREG(facts.st_mode):
        raise Denied(path, "not a plain file")
