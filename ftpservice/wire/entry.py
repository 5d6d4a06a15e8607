"""What is known about one name in a directory."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["ANY_ACCESS", "ENTER", "READ", "REMOVE", "WRITE", "Entry", "Kind"]

READ, WRITE, ENTER = 4, 2, 1
"""What may be done with something, as in the permission bits."""
REMOVE = 8
"""It may be renamed and removed, which its directory decides."""
ANY_ACCESS = READ | WRITE | ENTER | REMOVE


class Kind(Enum):
    """What sort of thing a name stands for."""

    FILE = "file"
    DIRECTORY = "dir"
    LINK = "link"
    """A symbolic link.

    Listed as itself: programs that descend into directories do not follow it.
    """
    OTHER = "other"
    """A device, FIFO or socket; it can only be listed, removed or renamed."""

    __hash__ = object.__hash__  # that of `Enum` is a Python function, called for each entry


class Entry(NamedTuple):
    """One name and its facts; a tuple because listings make them by the hundred thousand."""

    name: str
    """The last component, ``surrogateescape`` for bytes that are not UTF-8; empty for the root."""
    kind: Kind
    size: int
    """Bytes; 0 for directories. For a link those of the file that it leads to, 0 for others."""
    modified: float
    """Seconds since the epoch, UTC."""
    mode: int = 0o644
    """The twelve permission bits."""
    owner: str = "ftp"
    group: str = "ftp"
    links: int = 1
    unique: str = ""
    """The same for two names of one file, else different (RFC 3659 §7.5.2); empty: not known."""
    created: float | None = None
    """Seconds since the epoch, where the storage keeps it."""
    target: str = ""
    """Where a link points: a path from the root, or relative to the directory that holds the link;
    empty for anything but a link, and where the target is not shown."""
    access: int = ANY_ACCESS
    """What the storage can do with it for anybody, a sum of 4 (read), 2 (write), 1 (enter) and 8
    (rename and remove), in a listing at least; the rights of the account limit it further."""
    time_grain: float = 0.0
    """Where a client read it from LIST: seconds by which the true time may be later."""
    size_known: bool = True
    """False if the listing that a client read has no size in bytes; ``size`` is then 0."""
    changed: int = 0
    """A number that is another one after every change of content or facts (ctime, in nanoseconds),
    where the storage has one."""
