"""Conditional requests and ranges of bytes (RFC 9110 §13, §14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from hashlib import sha256

from ftpservice.wire.entry import Entry

__all__ = ["NOT_SATISFIABLE", "Validators", "precondition_status", "requested_range"]

RANGE = re.compile(r"bytes[ \t]*=[ \t]*(\d*)[ \t]*-[ \t]*(\d*)[ \t]*", re.ASCII | re.IGNORECASE)
MAX_DIGITS = 19
NOT_SATISFIABLE = (-1, -1)
Header = Callable[[str], str | None]
"""Returns the value of a header of a request, or None."""


@dataclass(frozen=True)
class Validators:
    """What tells whether a file is still the same."""

    tag: str
    """The value of ETag; weak where the storage does not tell every change."""
    modified: float

    @classmethod
    def of(cls, entry: Entry) -> Validators:
        """Return those of a file."""
        facts = (entry.unique, entry.size, entry.modified, entry.changed)
        digest = sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return cls(f'"{digest}"' if entry.changed else f'W/"{digest}"', entry.modified)

    @property
    def last_modified(self) -> str:
        """The value of Last-Modified."""
        return formatdate(max(0, int(self.modified)), usegmt=True)

    def is_tag(self, values: str, is_strong: bool) -> bool:
        """Return whether a list of tags has this one, or is ``*``."""
        if values.strip() == "*":
            return True
        if is_strong and self.tag.startswith("W/"):
            return False
        given = [value.strip() for value in values.split(",")]
        if is_strong:
            return self.tag in given
        return self.tag.removeprefix("W/") in [one.removeprefix("W/") for one in given]

    def is_newer_than(self, value: str) -> bool:
        """Return whether the file was changed after the date of a header; True if it is none."""
        try:
            return int(self.modified) > parsedate_to_datetime(value).timestamp()
        except (ValueError, TypeError, OverflowError):
            return True

    def allows_range(self, condition: str | None) -> bool:
        """Return whether the value of If-Range lets a part of the file be sent."""
        if condition is None:
            return True
        if condition.startswith(('"', "W/")):
            return self.is_tag(condition, is_strong=True)
        return not self.tag.startswith("W/") and condition.strip() == self.last_modified


def precondition_status(validators: Validators, header: Header) -> int:
    """Return 412 or 304 if a condition of the request is not met (RFC 9110 §13.2.2), or 200."""
    match, unmodified = header("if-match"), header("if-unmodified-since")
    if match is not None:
        if not validators.is_tag(match, is_strong=True):
            return 412
    elif unmodified is not None and validators.is_newer_than(unmodified):
        return 412
    no_match, since = header("if-none-match"), header("if-modified-since")
    if no_match is not None:
        return 304 if validators.is_tag(no_match, is_strong=False) else 200
    return 304 if since is not None and not validators.is_newer_than(since) else 200


def requested_range(value: str | None, size: int) -> tuple[int, int] | None:
    """Return first byte and end of the range of a request.

    None stands for the whole file, also for several ranges and for a header that is none, and
    `NOT_SATISFIABLE` for a range that has no byte of the file.
    """
    found = RANGE.fullmatch(value.strip()) if value is not None else None
    if found is None:
        return None
    first, last = (text[: MAX_DIGITS + 1] for text in found.groups())
    if not first and not last:
        return None
    if not first:
        length = min(int(last), size)
        return (size - length, size) if length else NOT_SATISFIABLE
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        return NOT_SATISFIABLE
    return int(first), min(int(last) + 1, size) if last else size
