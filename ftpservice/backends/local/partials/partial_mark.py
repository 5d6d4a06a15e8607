"""What is noted on a partial, in an extended attribute: whose upload of which name it is.

Where the filesystem has no extended attributes, this process remembers it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

__all__ = ["PartialMark", "mark_of", "remove_mark", "write_mark"]

MARK_ATTRIBUTE = "user.ftpservice.partial"
MARK_ENCODING = ("utf-8", "surrogatepass")
MAX_REMEMBERED_MARKS = 4096

_remembered_marks: dict[bytes, PartialMark] = {}
"""Marks for which the filesystem has no attribute, by the name of the partial."""


class PartialMark(NamedTuple):
    """The owner of a partial, the name of its file, and the note of its upload."""

    owner: str
    name: bytes
    note: str | None = None
    """`WriteRequest.note`; None if it is not known: earlier versions wrote none."""

    def to_bytes(self) -> bytes:
        """Return the value of the attribute."""
        return b"\0".join(
            (
                self.owner.encode(*MARK_ENCODING),
                self.name,
                (self.note or "").encode(*MARK_ENCODING),
            )
        )

    @classmethod
    def parse(cls, value: bytes) -> PartialMark | None:
        """Return the mark of a value of the attribute; None if it is none."""
        owner, _zero, rest = value.partition(b"\0")
        name, zero, note = rest.partition(b"\0")
        if not name:
            return None
        return cls(
            owner.decode(*MARK_ENCODING), name, note.decode(*MARK_ENCODING) if zero else None
        )


def write_mark(descriptor: int, kept: bytes, mark: PartialMark) -> None:
    """Mark an open partial; ``kept`` is the name under which it is found again."""
    try:
        os.setxattr(descriptor, MARK_ATTRIBUTE, mark.to_bytes())
    except OSError:
        _remembered_marks[kept] = mark
        if len(_remembered_marks) > MAX_REMEMBERED_MARKS:
            del _remembered_marks[next(iter(_remembered_marks))]


def remove_mark(descriptor: int) -> None:
    """Remove the mark, if there is one, from what is about to be published."""
    with suppress(OSError):
        os.removexattr(descriptor, MARK_ATTRIBUTE)


def mark_of(descriptor: int, kept: bytes) -> PartialMark | None:
    """Return the mark of an open partial; None without one."""
    try:
        return PartialMark.parse(os.getxattr(descriptor, MARK_ATTRIBUTE))
    except (OSError, UnicodeDecodeError):
        return _remembered_marks.get(kept)
