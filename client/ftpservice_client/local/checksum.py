"""Digests of what is on this side (block)."""

from __future__ import annotations

import os

from ftpservice.wire.digests import new_hasher

__all__ = ["digest_of_file"]

READ_SIZE = 1 << 20


def digest_of_file(descriptor: int, algorithm: str) -> str:
    """Return the digest of a complete open file, whatever its position is (blocks)."""
    found = new_hasher(algorithm)
    offset = 0
    while data := os.pread(descriptor, READ_SIZE, offset):
        found.update(data)
        offset += len(data)
    return found.hexdigest()
