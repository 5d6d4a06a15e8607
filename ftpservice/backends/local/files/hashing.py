"""Digests of files on the disk."""

from __future__ import annotations

from ftpservice.backends.local.files.reading import LocalFile
from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import BadOffset, NotSupported, Unavailable
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice.wire.paths import VirtualPath

__all__ = ["digest_of"]

READ_SIZE = 256 << 10
BYTES_PER_TURN = 4 << 20
"""Bytes digested in one call of the pool, so that others get their turns and a cut ends it."""


async def digest_of(
    runner: BlockingRunner, file: LocalFile, algorithm: str, stretch: tuple[int, int | None]
) -> str:
    """Return the digest of bytes ``stretch[0]`` up to ``stretch[1]`` of ``file``, and close it."""
    start, end = stretch
    try:
        stop = file.entry.size if end is None else end
        if not 0 <= start <= stop <= file.entry.size:
            raise BadOffset(file.path)
        digest = _digest(algorithm, file.path)
        for offset in range(start, stop, BYTES_PER_TURN):
            piece_end = min(offset + BYTES_PER_TURN, stop)
            await in_pool(runner, file.path, _take, digest, file, offset, piece_end)
        return digest.hexdigest()
    finally:
        run_unattended(runner, file.close)


def _digest(algorithm: str, path: VirtualPath) -> Hasher:
    try:
        return new_hasher(algorithm)
    except ValueError as error:
        raise NotSupported(path, str(error)) from None


def _take(digest: Hasher, file: LocalFile, start: int, stop: int) -> None:
    while start < stop:
        data = file.read(start, min(READ_SIZE, stop - start))
        if not data:
            raise Unavailable(file.path, "the file has become shorter")
        digest.update(data)
        start += len(data)
