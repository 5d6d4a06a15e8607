"""Where a file of the trash is: ``.ftpservice.trash/OWNER/in/a.csv/ITEM`` for ``/in/a.csv``.

The path has a directory for each of its components, so that every version of a name is in one
directory, and a file is moved there by a rename. The name of an item has all else that is to be
known of it: so nothing has to be written, and nothing can be half written.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

from ftpservice.backends.local.metadata.stat import entry_of
from ftpservice.backends.local.paths.names import TRASH_NAME, components, decoded
from ftpservice.storage.trash import TrashedFile
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "COPY_NAME",
    "ItemName",
    "is_in_trash",
    "item_name",
    "new_item_name",
    "owner_name",
    "trash_path",
    "trashed_file",
]

ITEM = re.compile(
    rb"\.ftpservice\.(?P<deleted>[0-9a-f]{14})(?P<token>[0-9a-f]{10})\.(?P<expires>[0-9a-f]{14})"
    rb"\.(?P<how>[do])\.old"
)
COPY_NAME = re.compile(rb"\.ftpservice\.[0-9a-f]{24}\.copy")
"""Matches the name of a copy that is not complete."""


class ItemName(NamedTuple):
    """What the name of an item says; times are in microseconds since the epoch."""

    name: bytes
    id: str
    deleted: int
    expires: int
    was_overwritten: bool


def item_name(name: bytes) -> ItemName | None:
    """Return what a name says; None if it is not that of an item."""
    match = ITEM.fullmatch(name)
    if match is None:
        return None
    number = (match["deleted"] + match["token"]).decode()
    times = int(match["deleted"], 16), int(match["expires"], 16)
    return ItemName(name, number, *times, match["how"] == b"o")


def trashed_file(item: ItemName, path: VirtualPath, facts: os.stat_result) -> TrashedFile:
    """Return a file of the trash that had the name ``path``."""
    kind = entry_of("", facts).kind
    size = facts.st_size if kind is Kind.FILE else 0
    times = facts.st_mtime, item.deleted / 1e6, item.expires / 1e6
    return TrashedFile(item.id, path, kind, size, *times, item.was_overwritten)


class _Clock:
    """Times of deletions that are never the same: versions of a name are in their order."""

    lock = Lock()
    last = 0

    @classmethod
    def now(cls) -> int:
        with cls.lock:
            cls.last = max(cls.last + 1, time.time_ns() // 1000)
            return cls.last


def new_item_name(seconds: float, was_overwritten: bool) -> bytes:
    """Return a name for a file that is deleted now and kept for a time."""
    deleted = _Clock.now()
    expires = deleted + int(seconds * 1e6)
    how = "o" if was_overwritten else "d"
    token = os.urandom(5).hex()
    return f".ftpservice.{deleted:014x}{token}.{expires:014x}.{how}.old".encode()


def is_in_trash(opened: int) -> bool:
    """Return whether an open file is in the trash of any account, as far as is known."""
    try:
        place = os.readlink(f"/proc/self/fd/{opened}".encode())
    except OSError:
        return False
    return f"/{TRASH_NAME}/".encode() in place


@lru_cache(maxsize=1024)
def owner_name(owner: str) -> bytes:
    """Return the name of the directory of an account."""
    data = owner.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).hexdigest().encode()


def trash_path(owner: str, path: VirtualPath) -> VirtualPath:
    """Return the path of the directory of the versions of ``path``, for a walk.

    Raises what `components` raises.
    """
    components(path)
    return VirtualPath((TRASH_NAME, decoded(owner_name(owner).decode()), *path.parts))
