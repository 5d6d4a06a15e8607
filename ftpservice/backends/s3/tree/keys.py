"""Paths as keys: ``/a/b`` is the object ``PREFIXa/b``, the directory ``/a`` all keys in ``a/``.

The name `HIDDEN_NAME` in the top directory of the source has what the service keeps for itself. No
path leads there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from ftpservice.storage.errors import InvalidName
from ftpservice.wire.paths import VirtualPath

__all__ = ["HIDDEN_NAME", "KeySpace", "is_too_long", "owner_mark"]

HIDDEN_NAME = ".ftpservice"
MAX_KEY_BYTES = 1024
RECORD_BYTES = len(HIDDEN_NAME) + len("/partials/.") + 16
"""How much longer the key of a partial upload's record is than that of its file."""
TRASH_BYTES = 89
"""How much longer the key of a version in the trash is."""


@dataclass(frozen=True)
class KeySpace:
    """The keys of paths below ``top``, in a source whose keys begin with ``prefix``."""

    prefix: str
    top: VirtualPath
    refused: frozenset[str] = frozenset()
    """Characters that the server does not keep in names."""
    keeps_trash: bool = False
    """Whether what is created must have a name that can be kept in the trash."""

    def key(self, path: VirtualPath) -> str:
        """Return the key of a file."""
        return self.prefix + "/".join(path.below(self.top).parts)

    def directory(self, path: VirtualPath) -> str:
        """Return what all keys in a directory begin with; it is the key of its marker."""
        parts = path.below(self.top).parts
        return self.prefix + "".join(part + "/" for part in parts)

    def can_exist(self, path: VirtualPath) -> bool:
        """Return whether there can be anything at ``path``."""
        return not self.objection(path)

    def require_valid(self, path: VirtualPath) -> None:
        """Raise `InvalidName` if nothing can be created at ``path``."""
        objection = self.objection(path)
        if objection:
            raise InvalidName(path, objection)
        longest = MAX_KEY_BYTES - TRASH_BYTES
        if self.keeps_trash and len(self.key(path).encode()) > longest:
            raise InvalidName(path, f"longer than {longest} bytes with its directories")

    def objection(self, path: VirtualPath) -> str:
        """Return why nothing can be at ``path``; empty if it can."""
        parts = path.below(self.top).parts
        if parts[:1] == (HIDDEN_NAME,):
            return f"{HIDDEN_NAME} has records of the service"
        try:
            size = len(self.key(path).encode())
        except UnicodeEncodeError:
            return "names in a bucket are UTF-8"
        if size > MAX_KEY_BYTES - RECORD_BYTES:
            return f"longer than {MAX_KEY_BYTES - RECORD_BYTES} bytes with its directories"
        for part in path.parts:
            if part in (".", "..", "") or "/" in part or not self.refused.isdisjoint(part):
                return f"the server does not keep names like {part!r}"
        return ""

    def record(self, owner: str, path: VirtualPath) -> str:
        """Return the key of the record of a partial upload."""
        return f"{self.records(path.parent)}{path.name}.{owner_mark(owner)}"

    def records(self, path: VirtualPath) -> str:
        """Return what the keys of records begin with, of uploads into a directory."""
        parts = path.below(self.top).parts
        return f"{self.all_records}{''.join(part + '/' for part in parts)}"

    @property
    def all_records(self) -> str:
        """What the keys of all records of the source begin with."""
        return f"{self.prefix}{HIDDEN_NAME}/partials/"

    def path_of_record(self, key: str) -> VirtualPath | None:
        """Return the path that a record is about; None for another key, or one beside ``top``."""
        name, dot, _mark = key.removeprefix(self.all_records).rpartition(".")
        parts = tuple(name.split("/"))
        if not dot or not key.startswith(self.all_records):
            return None
        depth = len(self.top.parts)
        return VirtualPath(parts[depth:]) if parts[:depth] == self.top.parts else None

    @property
    def all_trash(self) -> str:
        """What the keys of the trash of the source begin with."""
        return f"{self.prefix}{HIDDEN_NAME}/trash/"

    def trash(self, path: VirtualPath) -> str:
        """Return what the keys in the trash begin with, of what had the name ``path``."""
        parts = path.below(self.top).parts
        return f"{self.all_trash}{''.join(part + '/' for part in parts)}"

    def path_of_trash(self, above: str) -> VirtualPath | None:
        """Return the path whose versions have keys that begin with ``above`` and a slash."""
        parts = tuple(above.removeprefix(self.all_trash).split("/"))
        depth = len(self.top.parts)
        is_below = above.startswith(self.all_trash) and parts[:depth] == self.top.parts
        return VirtualPath(parts[depth:]) if is_below else None


def is_too_long(key: str) -> bool:
    """Return whether no server keeps such a key."""
    return len(key.encode()) > MAX_KEY_BYTES


@lru_cache(maxsize=1024)
def owner_mark(owner: str) -> str:
    """Return what stands for an account in the keys of its records."""
    name = owner.encode("utf-8", "surrogateescape")
    return hashlib.sha256(name).hexdigest()[:16]
