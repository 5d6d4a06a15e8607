"""Digests of files on the disk."""

from __future__ import annotations

import hashlib
import zlib
from typing import Protocol

from ftpservice.storage.blocking import Runner, let_go
from ftpservice.storage.errors import BadOffset, Unavailable, Unsupported
from ftpservice.storage.local_calls import called
from ftpservice.storage.local_reading import OpenFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["digest_of"]

PIECE = 256 << 10
TURN = 4 << 20
"""Bytes digested in one call of the pool, so that others get their turns and a cut ends it."""
HASHLIB = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


class Digest(Protocol):
    """What takes bytes and tells a digest."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all."""


class Crc32:
    """CRC-32 with the manners of ``hashlib``."""

    def __init__(self) -> None:
        self._sum = 0

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        self._sum = zlib.crc32(data, self._sum)

    def hexdigest(self) -> str:
        """Return eight hexadecimal digits."""
        return f"{self._sum:08x}"


def _digest(algorithm: str, path: VirtualPath) -> Digest:
    if algorithm == "CRC32":
        return Crc32()
    if algorithm not in HASHLIB:
        raise Unsupported(path, f"no digest {algorithm}")
    return hashlib.new(HASHLIB[algorithm], usedforsecurity=False)


async def digest_of(
    runner: Runner, file: OpenFile, algorithm: str, stretch: tuple[int, int | None]
) -> str:
    """Return the digest of bytes ``stretch[0]`` up to ``stretch[1]`` of ``file``, and close it."""
    start, end = stretch
    try:
        stop = file.entry.size if end is None else end
        if not 0 <= start <= stop <= file.entry.size:
            raise BadOffset(file.path)
        digest = _digest(algorithm, file.path)
        for offset in range(start, stop, TURN):
            piece_end = min(offset + TURN, stop)
            await called(runner, file.path, _take, digest, file, offset, piece_end)
        return digest.hexdigest()
    finally:
        let_go(runner, file.close)


def _take(digest: Digest, file: OpenFile, start: int, stop: int) -> None:
    while start < stop:
        data = file.read(start, min(PIECE, stop - start))
        if not data:
            raise Unavailable(file.path, "the file has become shorter")
        digest.update(data)
        start += len(data)
