"""The rights of accounts to operations on files, and their names in ``passwd.db``."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from ftpservice.wire.paths import VirtualPath

__all__ = [
    "NO_RIGHTS_WORD",
    "OWNER_BITS",
    "PRESETS",
    "DirectoryRights",
    "Right",
    "mode_keeps_owner",
    "parse_directory_rights",
    "parse_rights",
    "rights_words",
]

OWNER_BITS = 0o700
FORBIDDEN_IN_PATHS = frozenset(":;") | {chr(code) for code in (*range(32), 127)}
"""Characters that the path of a rule cannot have."""
NO_RIGHTS_WORD = "none"
"""The rights to a directory that the account may not use at all."""


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


def rights_words(rights: frozenset[Right]) -> list[str]:
    """Return rights as a preset, if one fits, and single operations."""
    held = [name for name, preset in PRESETS.items() if preset <= rights]
    words = sorted(held, key=lambda name: -len(PRESETS[name]))[:1]
    rest = rights - PRESETS[words[0]] if words else rights
    return words + sorted(right.value for right in rest)


class DirectoryRights(NamedTuple):
    """The rights of an account to one directory and what is below it."""

    path: str
    """Absolute, below the root of the account."""
    rights: frozenset[Right]

    def __str__(self) -> str:
        """Return the text that `parse_directory_rights` parses back."""
        return f"{self.path}: {','.join(rights_words(self.rights)) or NO_RIGHTS_WORD}"


def parse_directory_rights(text: str) -> DirectoryRights:
    """Parse ``/in: upload-only``; raises `ValueError` with the reason."""
    path, colon, words = (part.strip() for part in text.rpartition(":"))
    if not colon or not path.startswith("/"):
        raise ValueError(f"expected the rights to a directory, as in '/in: read', not {text!r}")
    if ".." in path.split("/") or not FORBIDDEN_IN_PATHS.isdisjoint(path):
        raise ValueError(f"rights cannot be given for the path {path!r}")
    place = VirtualPath.parse(path)
    if place.is_root:
        raise ValueError("the rights to / are the first ones, without a path")
    if words == NO_RIGHTS_WORD:
        return DirectoryRights(str(place), frozenset())
    rights = parse_rights(word.strip() for word in words.split(","))
    if Right.ADMIN in rights:
        raise ValueError("the right 'admin' is one of the account, not of a directory")
    return DirectoryRights(str(place), rights)
