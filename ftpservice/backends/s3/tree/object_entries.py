"""Objects as entries.

Listings tell neither metadata nor anything of directories. So that an entry is the same in a
listing and alone, only what listings tell is used, but for times that clients have set.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
from math import isfinite
from time import time

from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.wire.entry import Entry, Kind

__all__ = ["MTIME", "directory_entry", "entry_of_facts", "file_entry", "stored_entry"]

MTIME = "mtime"
"""Metadata with the time of modification that a client has set, in seconds, as rclone writes it."""
FILE_MODE, DIRECTORY_MODE = 0o644, 0o755


def file_entry(key: str, size: int, etag: str, modified: float) -> Entry:
    """Return the entry of an object."""
    name = key.rpartition("/")[2]
    unique = f"{etag}-{crc32(key.encode()):x}"
    return Entry(name, Kind.FILE, size, modified, FILE_MODE, unique=unique)


def stored_entry(key: str, size: int, etag: str) -> Entry:
    """Return the entry of an object that was stored now."""
    return file_entry(key, size, etag, float(int(time())))


def directory_entry(name: str, metadata: Mapping[str, str] | None = None) -> Entry:
    """Return the entry of a directory; without a time that was set it has none."""
    return Entry(name, Kind.DIRECTORY, 0, set_time(metadata or {}, 0.0), DIRECTORY_MODE)


def entry_of_facts(key: str, facts: ObjectFacts) -> Entry:
    """Return the entry of an object, with the time that a client has set."""
    modified = set_time(facts.metadata, facts.modified)
    return file_entry(key, facts.size, facts.etag, modified)


def set_time(metadata: Mapping[str, str], otherwise: float) -> float:
    """Return the time that a client has set."""
    try:
        found = float(metadata.get(MTIME, ""))
    except ValueError:
        return otherwise
    return found if isfinite(found) else otherwise
