"""Digests of what is on this side (block)."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import Protocol

__all__ = ["IncrementalHash", "digest_of_file", "hash_for"]

READ_SIZE = 1 << 20


class IncrementalHash(Protocol):
    """What `hashlib` has."""

    def update(self, data: bytes, /) -> None:
        """Take a piece in."""

    def hexdigest(self) -> str:
        """Return the digest so far."""


class _CRC32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def hash_for(algorithm: str) -> IncrementalHash:
    """Return a fresh one by the name that FTP has for it; raises `ValueError`."""
    if algorithm.upper() == "CRC32":
        return _CRC32()
    return hashlib.new(algorithm.replace("-", "").lower())


def digest_of_file(descriptor: int, algorithm: str) -> str:
    """Return the digest of a whole open file, wherever it stands (blocks)."""
    found = hash_for(algorithm)
    offset = 0
    while data := os.pread(descriptor, READ_SIZE, offset):
        found.update(data)
        offset += len(data)
    return found.hexdigest()
