"""Digests of files on the disk."""

from __future__ import annotations

from ftpservice.backends.local.files.reading import LocalReading
from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import BadOffset, NotSupported, Unavailable
from ftpservice.wire.digests import Hasher, new_hasher

__all__ = ["digest_of"]

READ_SIZE = 256 << 10
BYTES_PER_TURN = 4 << 20
"""Bytes digested in one call of the pool; between calls others get a turn, and cancelling works."""


async def digest_of(
    runner: BlockingRunner, file: LocalReading, algorithm: str, start: int, end: int | None
) -> str:
    """Return the hex digest of bytes ``start`` up to ``end`` of ``file``, and close the file.

    Raises `NotSupported`, `BadOffset`, and `Unavailable` if the file becomes shorter.
    """
    try:
        stop = file.entry.size if end is None else end
        if not 0 <= start <= stop <= file.entry.size:
            raise BadOffset(file.path)
        try:
            hasher = new_hasher(algorithm)
        except ValueError as error:
            raise NotSupported(file.path, str(error)) from None
        for offset in range(start, stop, BYTES_PER_TURN):
            turn_end = min(offset + BYTES_PER_TURN, stop)
            await in_pool(runner, file.path, _update, hasher, file, offset, turn_end)
        return hasher.hexdigest()
    finally:
        run_unattended(runner, file.close_in_thread)


def _update(hasher: Hasher, file: LocalReading, start: int, stop: int) -> None:
    while start < stop:
        data = file.read_in_thread(start, min(READ_SIZE, stop - start))
        if not data:
            raise Unavailable(file.path, "the file has become shorter")
        hasher.update(data)
        start += len(data)
