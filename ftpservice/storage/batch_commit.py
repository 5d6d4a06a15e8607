"""Several commits in one call of the pool: a hand-over costs as much as a small file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftpservice.storage.blocking_calls import in_pool_each
from ftpservice.storage.errors import StorageError, Unavailable
from ftpservice.storage.interfaces import IBatchCommit, IWriting
from ftpservice.storage.quota_interfaces import ISettledCommit
from ftpservice.wire.entry import Entry

__all__ = ["commit_batch"]


async def commit_batch(writings: Sequence[IWriting]) -> list[Entry | StorageError]:
    """Commit in order, if possible in one call of the pool; return the entry or error of each.

    A writing whose commit failed may have to be abandoned.
    """
    ready = [IBatchCommit(writing, None) for writing in writings]
    if len(ready) < 2 or None in ready or len({id(one.pool) for one in ready}) > 1:
        return [await _committed(writing) for writing in writings]
    settled = {ISettledCommit.providedBy(one) for one in ready}
    if len(settled) > 1:  # to mounts with a quota, and without
        return [await _committed(writing) for writing in writings]
    if True in settled:
        return await _settled(writings, ready)
    return await _in_one_call(writings, ready)


async def _settled(
    writings: Sequence[IWriting], ready: Sequence[Any]
) -> list[Entry | StorageError]:
    """Commit in one call those that can begin at once, and then the others."""
    begun = [number for number, one in enumerate(ready) if one.begin()]
    outcomes: dict[int, Entry | StorageError] = {}
    try:
        found = await _in_one_call([writings[n] for n in begun], [ready[n] for n in begun])
        outcomes.update(zip(begun, found, strict=True))
    finally:
        for number in begun:
            lost = Unavailable(writings[number].path, "the commit was cancelled")
            await ready[number].end(outcomes.get(number, lost))
    for number, writing in enumerate(writings):
        if number not in outcomes:
            outcomes[number] = await _committed(writing)
    return [outcomes[number] for number in range(len(writings))]


async def _in_one_call(
    writings: Sequence[IWriting], ready: Sequence[Any]
) -> list[Entry | StorageError]:
    calls = [
        (writing.path, one.commit_in_thread) for writing, one in zip(writings, ready, strict=True)
    ]
    return await in_pool_each(ready[0].pool, calls) if calls else []


async def _committed(writing: IWriting) -> Entry | StorageError:
    try:
        entry: Entry = await writing.commit()
    except StorageError as error:
        return error
    return entry
