"""Several commits in one call of the pool: a hand-over costs as much as a small file."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.storage.blocking_calls import in_pool_each
from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IBatchCommit, IWriting
from ftpservice.wire.entry import Entry

__all__ = ["commit_batch"]


async def commit_batch(writings: Sequence[IWriting]) -> list[Entry | StorageError]:
    """Commit in order, if possible in one call of the pool; return the entry or error of each.

    A writing whose commit failed may have to be abandoned.
    """
    ready = [IBatchCommit(writing, None) for writing in writings]
    if len(ready) < 2 or None in ready or len({id(one.pool) for one in ready}) > 1:
        return [await _committed(writing) for writing in writings]
    calls = [
        (writing.path, one.commit_in_thread) for writing, one in zip(writings, ready, strict=True)
    ]
    return await in_pool_each(ready[0].pool, calls)


async def _committed(writing: IWriting) -> Entry | StorageError:
    try:
        entry: Entry = await writing.commit()
    except StorageError as error:
        return error
    return entry
