"""A file being read: blocks of it are requested before they are wanted.

The first block is small and comes with the facts of the file, so a small file costs one request.
Of a larger one three blocks are under way while another is sent, as far as the memory of the source
allows; without that, small blocks are requested one by one. All blocks are of one version of the
object; where the bucket keeps no versions and the file is replaced meanwhile, reading fails.
"""

from __future__ import annotations

from collections import OrderedDict

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.backends.s3.api.bucket import ObjectFacts, RangeRead
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.tree.bucket_calls import unless_abandoned
from ftpservice.backends.s3.tree.object_entries import entry_of_facts
from ftpservice.backends.s3.tree.object_lookup import require_no_directory
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.errors import IsDirectory, PathNotFound, Unavailable
from ftpservice.storage.interfaces import IReading
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3Reading", "open_file"]

FIRST_BLOCK_SIZE = 1 << 20
BLOCK_SIZE = 8 << 20
SMALL_BLOCK_SIZE = 256 << 10
BLOCKS_AHEAD = 3


async def open_file(view: BucketView, path: VirtualPath) -> S3Reading:
    """Open a plain file; raises `PathNotFound`, `IsDirectory`."""
    first = await view.in_thread(path, _first_block, view, path)
    return S3Reading(view, path, first)


def _first_block(view: BucketView, path: VirtualPath) -> RangeRead:
    if path.is_root:
        raise IsDirectory(path)
    if not view.keys.can_exist(path):
        raise PathNotFound(path)
    try:
        return view.bucket.read(view.keys.key(path), 0, FIRST_BLOCK_SIZE)
    except S3Failure as failure:
        if failure.status == MISSING:
            require_no_directory(view, path)
        raise


@implementer(IReading)
class S3Reading:
    """A file of which ``first`` was read when it was opened."""

    def __init__(self, view: BucketView, path: VirtualPath, first: RangeRead) -> None:
        self._facts: ObjectFacts = first.facts
        self._key = view.keys.key(path)
        self.entry = entry_of_facts(self._key, first.facts)
        self._view = view
        self._path = path
        self._first = first.data
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        """By where they begin."""
        self._closed = False

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        if self._closed:
            raise Unavailable(self._path, "read after close")
        if offset >= self.entry.size:
            return b""
        if offset < len(self._first):
            self._read_ahead(len(self._first), BLOCKS_AHEAD)
            return self._first[offset : offset + size]
        block = self._block_at(offset)
        self._read_ahead(block.end, BLOCKS_AHEAD)
        data = await block.data()
        if self._closed:
            raise Unavailable(self._path, "closed while it was read")
        position = offset - block.start
        return data[position : position + size]

    def close(self) -> None:
        """Forget the file; what is under way is dropped when it comes."""
        self._closed = True
        for block in self._blocks.values():
            block.drop()
        self._blocks.clear()
        self._first = b""

    def _block_at(self, offset: int) -> _Block:
        """Return the block with a byte; those before it are dropped."""
        for start, block in list(self._blocks.items()):
            if start <= offset < block.end:
                return block
            block.drop()
            del self._blocks[start]
        found = self._begin(offset, is_needed=True)
        assert found is not None
        return found

    def _read_ahead(self, start: int, count: int) -> None:
        for _ in range(count):
            if start >= self.entry.size:
                return
            block = self._blocks.get(start) or self._begin(start, is_needed=False)
            if block is None:
                return
            start = block.end

    def _begin(self, start: int, is_needed: bool) -> _Block | None:
        """Request a block; None without memory for it, if it is not needed yet."""
        end = min(start + BLOCK_SIZE, self.entry.size)
        has_memory = self._view.served.memory.take(end - start)
        if not has_memory:
            if not is_needed:
                return None
            end = min(start + SMALL_BLOCK_SIZE, self.entry.size)
        block = _Block(self._view, start, end, has_memory)
        block.await_read(Deferred.fromCoroutine(self._fetch(start, end)))
        self._blocks[start] = block
        return block

    async def _fetch(self, start: int, end: int) -> bytes:
        return await self._view.in_thread(self._path, self._read_block, start, end)

    def _read_block(self, start: int, end: int) -> bytes:
        """Read a block, in a thread."""
        try:
            found = self._view.bucket.read(self._key, start, end, self._facts)
        except S3Failure as failure:
            if failure.status in (CHANGED, MISSING):
                raise Unavailable(self._path, "replaced or removed while it was read") from None
            raise
        return found.data


class _Block:
    """Some bytes of a file that were requested."""

    def __init__(self, view: BucketView, start: int, end: int, is_counted: bool) -> None:
        self.start = start
        self.end = end
        self._view = view
        self._is_counted = is_counted
        self._is_dropped = False
        self._reading: Deferred[bytes] | None = None
        self._result: bytes | Failure | None = None

    def await_read(self, reading: Deferred[bytes]) -> None:
        """Take what is read when it comes."""
        self._reading = reading
        reading.addBoth(self._read)

    async def data(self) -> bytes:
        """Return the bytes; raises what reading them did."""
        if self._result is None:
            assert self._reading is not None
            await unless_abandoned(self._reading)
        if isinstance(self._result, Failure):
            self._result.raiseException()
        assert isinstance(self._result, bytes)
        return self._result

    def drop(self) -> None:
        """Free the memory, now or when the bytes come."""
        self._is_dropped = True
        if self._result is not None:
            self._free()

    def _read(self, result: bytes | Failure) -> None:
        self._result = result
        if self._is_dropped:
            self._free()

    def _free(self) -> None:
        self._result = b""
        if self._is_counted:
            self._is_counted = False
            self._view.served.memory.give_back(self.end - self.start)
