"""The rights of accounts to operations on files, and their names in ``passwd.db``."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

__all__ = ["OWNER_BITS", "PRESETS", "Right", "mode_keeps_owner", "parse_rights"]

OWNER_BITS = 0o700


class Right(Enum):
    """One operation; an account holds a set of them. The value is the name in ``passwd.db``."""

    LIST = "list"
    """See the names in directories."""
    READ = "download"
    """Download, and compute digests."""
    CREATE = "create"
    """Upload under a new name."""
    OVERWRITE = "overwrite"
    """Upload or rename over an existing file."""
    APPEND = "append"
    """Append to an existing file."""
    DELETE = "delete"
    """Remove files."""
    RENAME = "rename"
    MKDIR = "mkdir"
    RMDIR = "rmdir"
    ATTRIBUTES = "attributes"
    """Set times and permission bits."""
    ADMIN = "admin"
    """See what others do (REPORT), see and remove their partial uploads; no access to files."""


PRESETS: dict[str, frozenset[Right]] = {
    "read": frozenset({Right.LIST, Right.READ}),
    "full": frozenset(Right) - {Right.ADMIN},
    "upload-only": frozenset({Right.CREATE, Right.MKDIR, Right.ATTRIBUTES}),
    "read-append": frozenset({Right.LIST, Right.READ, Right.CREATE, Right.APPEND, Right.MKDIR}),
}


def mode_keeps_owner(mode: int) -> bool:
    """Return whether permission bits leave a directory usable for its owner.

    An account whose root lost them could not restore them.
    """
    return mode & OWNER_BITS == OWNER_BITS


def parse_rights(words: Iterable[str]) -> frozenset[Right]:
    """Return the rights named by presets and single operations; raises `ValueError`."""
    held: set[Right] = set()
    for word in words:
        if word in PRESETS:
            held |= PRESETS[word]
        elif word in {right.value for right in Right}:
            held.add(Right(word))
        else:
            known = ", ".join([*PRESETS, *(right.value for right in Right)])
            raise ValueError(f"unknown right {word!r} (known: {known})")
    return frozenset(held)
