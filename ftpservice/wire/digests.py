"""The digests there are, by the names that FTP has for them (draft-bryan-ftp-hash)."""

from __future__ import annotations

import hashlib
import zlib
from typing import Protocol

__all__ = ["ALGORITHMS", "Hasher", "new_hasher"]

HASHLIB_NAMES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
ALGORITHMS = ("CRC32", *HASHLIB_NAMES)


class Hasher(Protocol):
    """What takes bytes and tells a digest."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all, in hexadecimal digits."""


class CRC32Hasher:
    """CRC-32 with the manners of ``hashlib``."""

    def __init__(self) -> None:
        self._sum = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""
        self._sum = zlib.crc32(data, self._sum)

    def hexdigest(self) -> str:
        """Return eight hexadecimal digits."""
        return f"{self._sum:08x}"


def new_hasher(algorithm: str) -> Hasher:
    """Return the digest of nothing yet; raises `ValueError` for an algorithm there is not."""
    if algorithm == "CRC32":
        return CRC32Hasher()
    if algorithm not in HASHLIB_NAMES:
        raise ValueError(f"no digest {algorithm}")
    return hashlib.new(HASHLIB_NAMES[algorithm], usedforsecurity=False)
