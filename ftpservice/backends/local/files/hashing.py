"""Digests of files on the disk."""

from __future__ import annotations

from ftpservice.backends.local.files.reading import OpenFile
from ftpservice.concurrency.thread_pool import Runner, let_go
from ftpservice.storage.blocking_calls import called
from ftpservice.storage.errors import BadOffset, Unavailable, Unsupported
from ftpservice.wire.digests import Digest, new_digest
from ftpservice.wire.paths import VirtualPath

__all__ = ["digest_of"]

PIECE = 256 << 10
TURN = 4 << 20
"""Bytes digested in one call of the pool, so that others get their turns and a cut ends it."""


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


def _digest(algorithm: str, path: VirtualPath) -> Digest:
    try:
        return new_digest(algorithm)
    except ValueError as error:
        raise Unsupported(path, str(error)) from None


def _take(digest: Digest, file: OpenFile, start: int, stop: int) -> None:
    while start < stop:
        data = file.read(start, min(PIECE, stop - start))
        if not data:
            raise Unavailable(file.path, "the file has become shorter")
        digest.update(data)
        start += len(data)
