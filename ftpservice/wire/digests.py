"""Digests by their names in FTP (draft-bryan-ftp-hash)."""

from __future__ import annotations

import hashlib
import zlib
from typing import Protocol

__all__ = ["ALGORITHMS", "Hasher", "new_hasher"]

ALGORITHMS = ("CRC32", "MD5", "SHA-1", "SHA-256", "SHA-512")
"""Those of our own server; others may have more."""
HASHLIB_NAMES = frozenset(("md5", "sha1", "sha256", "sha384", "sha512"))


class Hasher(Protocol):
    """An incremental digest, as `hashlib` has them."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all, in hexadecimal digits."""


class CRC32Hasher:
    """CRC-32 with the interface of `hashlib`."""

    def __init__(self) -> None:
        self._sum = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""
        self._sum = zlib.crc32(data, self._sum)

    def hexdigest(self) -> str:
        """Return eight hexadecimal digits."""
        return f"{self._sum:08x}"


def new_hasher(algorithm: str) -> Hasher:
    """Return a hasher that has taken no bytes; raises `ValueError` for an unknown algorithm.

    Case and hyphens of the name are ignored.
    """
    name = algorithm.replace("-", "").lower()
    if name == "crc32":
        return CRC32Hasher()
    if name not in HASHLIB_NAMES:
        raise ValueError(f"unknown digest: {algorithm}")
    return hashlib.new(name, usedforsecurity=False)
