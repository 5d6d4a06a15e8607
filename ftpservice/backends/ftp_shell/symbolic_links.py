"""Symbolic links below Twisted's own shells, whose interface does not show them.

For any other `IFTPShell`, what it calls a directory is taken for one.
"""

from __future__ import annotations

import os

from twisted.protocols.ftp import FTPAnonymousShell, IFTPShell

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["link_entry"]


def link_entry(shell: IFTPShell, path: VirtualPath, followed: Entry | None = None) -> Entry | None:
    """Return the entry of a link, without its target; None if it is no link or not known.

    ``followed`` is the shell's entry of ``path``; a link to a file has the file's size and time.
    """
    if not isinstance(shell, FTPAnonymousShell) or path.is_root:
        return None
    place = shell.filesystemRoot.descendant(list(path.parts))
    try:
        if not place.islink():
            return None
        modified = os.lstat(place.path).st_mtime
    except OSError:
        return None
    if followed is not None and followed.kind is Kind.FILE:
        return followed._replace(kind=Kind.LINK)
    return Entry(path.name, Kind.LINK, 0, modified, 0o777)
