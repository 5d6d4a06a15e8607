"""A file being read: what comes next is requested before it is wanted.

The first block is small and comes with the facts of the file, so a small file costs one request.
What follows of a larger one comes in one of two ways:

- A range is forwarded: the kernel moves it from the connection of the server to that of the client,
  and nothing is kept. The next range is requested before the end of one. If the server breaks the
  connection, the rest is requested; after a few short ranges it is read in blocks.
- Blocks are read ahead: three are under way while another is sent, as far as the memory of the
  source allows; without that, small blocks are requested one by one. Each block is a file in
  memory, which is filled and sent by the kernel (`memory_file`).

Without TLS to the server and to the client the faster one is used (`ReadingRates`), else blocks. A
change of way takes place where the requested blocks or the range end.

All blocks and ranges are of one version of the object; where the bucket keeps no versions and the
file is replaced meanwhile, reading fails.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.backends.s3.api.failures import MISSING, S3Failure
from ftpservice.backends.s3.api.memory_file import ObjectFile
from ftpservice.backends.s3.forwarded_range import ForwardedRange, ForwardedRanges
from ftpservice.backends.s3.tree.bucket_calls import unless_abandoned, while_unchanged
from ftpservice.backends.s3.tree.object_entries import entry_of_facts
from ftpservice.backends.s3.tree.object_lookup import require_no_directory
from ftpservice.backends.s3.tree.reading_rates import BlockMeter
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import IsDirectory, PathNotFound, Unavailable
from ftpservice.storage.interfaces import IPiecewiseReading, IReading, ISendfileSource
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3Reading", "open_file"]

FIRST_BLOCK_SIZE = 1 << 20
BLOCK_SIZE = 8 << 20
SMALL_BLOCK_SIZE = 256 << 10
BLOCKS_AHEAD = 3
RANGE_AHEAD = 8 << 20
"""The next range is requested when so many bytes are left of one."""

T = TypeVar("T")


class FirstBlock(NamedTuple):
    """What is known of a file when it is opened."""

    facts: ObjectFacts
    data: bytes
    """Of a small file all bytes; else none."""
    file: ObjectFile | None
    """The first bytes of a larger one."""


async def open_file(view: BucketView, path: VirtualPath) -> IReading:
    """Open a plain file; raises `PathNotFound`, `IsDirectory`."""
    first = await view.in_thread(path, _first_block, view, path)
    if first.file is None:
        entry = entry_of_facts(view.keys.key(path), first.facts)
        return SmallReading(path, entry, first.data)
    return S3Reading(view, path, first.facts, first.file)


def _first_block(view: BucketView, path: VirtualPath) -> FirstBlock:
    if path.is_root:
        raise IsDirectory(path)
    if not view.keys.can_exist(path):
        raise PathNotFound(path)
    try:
        facts, data = view.bucket.read(view.keys.key(path), 0, FIRST_BLOCK_SIZE)
    except S3Failure as failure:
        if failure.status == MISSING:
            require_no_directory(view, path)
        raise
    if facts.size <= len(data):
        return FirstBlock(facts, data, None)
    file = ObjectFile(len(data))
    file.write(data)
    return FirstBlock(facts, b"", file)


@implementer(IReading)
class SmallReading:
    """A file whose bytes were all read when it was opened."""

    def __init__(self, path: VirtualPath, entry: Entry, data: bytes) -> None:
        self.entry = entry
        self._path = path
        self._data: bytes | None = data

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        if self._data is None:
            raise Unavailable(self._path, "read after close")
        return self._data[offset : offset + size]

    def close(self) -> None:
        """Forget the file."""
        self._data = None


@implementer(IPiecewiseReading)
class S3Reading:
    """A file of which ``first`` was read when it was opened."""

    def __init__(
        self, view: BucketView, path: VirtualPath, facts: ObjectFacts, first: ObjectFile
    ) -> None:
        self._facts = facts
        self._key = view.keys.key(path)
        self.entry = entry_of_facts(self._key, facts)
        self._view = view
        self._path = path
        self._first = _Block(view, 0, first.size, is_counted=False)
        self._first.take(first)
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        """By where they begin, without the first one."""
        self._ranges = ForwardedRanges(view, path, facts)
        self._meter = BlockMeter(view.served.rates)
        self._closed = False

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        if offset >= self.entry.size and not self._closed:
            return b""
        block, file = await self._block_with(offset)
        return file.read(offset - block.start, size)

    async def piece(self, offset: int) -> tuple[S3Piece, int, int]:
        """Return the block with a byte, once all of it is there, and what of it follows."""
        block, file = await self._block_with(offset)
        if block is not self._first and self._ranges.are_wanted:
            self._meter.sent(file.size)
        return S3Piece(self._view, self._path, file), offset - block.start, file.size

    async def forwarded(self, offset: int, end: int) -> tuple[ForwardedRange, int] | None:
        """Return what is received from ``offset`` on; None if it is, or will be, in a block."""
        if self._closed:
            raise Unavailable(self._path, "read after close")
        self._ranges.are_wanted = True
        self._drop_blocks_before(offset)
        block = self._first if offset < self._first.end else next(iter(self._blocks.values()), None)
        if block is not None and block.start <= offset:
            if block.end not in self._blocks:
                self._ranges.request(block.end, end)
            return None
        found = self._ranges.at(offset, end)
        body = None if found is None else await found.body()
        if self._closed:
            raise Unavailable(self._path, "closed while it was read")
        if found is None or body is None:
            return None
        self._meter.reset()
        if body.remaining <= RANGE_AHEAD:
            self._ranges.request(found.end, end)
        return found, min(body.remaining, BLOCK_SIZE)

    async def _block_with(self, offset: int) -> tuple[_Block, ObjectFile]:
        if self._closed:
            raise Unavailable(self._path, "read after close")
        block = self._first if offset < self._first.end else self._block_at(offset)
        self._read_ahead(block.end, 0 if self._ranges.may_forward else BLOCKS_AHEAD)
        file = await block.file()
        if file is None:
            raise Unavailable(self._path, "closed while it was read")
        return block, file

    def close(self) -> None:
        """Forget the file; what is under way is dropped when it comes."""
        self._closed = True
        for block in (self._first, *self._blocks.values()):
            block.drop()
        self._blocks.clear()
        self._ranges.drop()

    def _block_at(self, offset: int) -> _Block:
        """Return the block with a byte; those before it are dropped."""
        self._drop_blocks_before(offset)
        found = next(iter(self._blocks.values()), None)
        if found is None or found.start > offset:
            self._drop_blocks_before(self.entry.size)
            found = self._begin(offset, is_needed=True)
            assert found is not None
        return found

    def _drop_blocks_before(self, offset: int) -> None:
        for start, block in list(self._blocks.items()):
            if block.end <= offset:
                block.drop()
                del self._blocks[start]

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

    async def _fetch(self, start: int, end: int) -> ObjectFile:
        return await self._view.in_thread(self._path, self._read_block, start, end)

    def _read_block(self, start: int, end: int) -> ObjectFile:
        """Read a block, in a thread."""
        file = ObjectFile(end - start)
        with while_unchanged(self._path):
            self._view.bucket.read_into(file, self._key, start, self._facts)
        return file


@implementer(ISendfileSource)
class S3Piece:
    """A block that is there."""

    def __init__(self, view: BucketView, path: VirtualPath, file: ObjectFile) -> None:
        self._file = file
        self._view = view
        self._path = path

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.descriptor

    def is_cached(self, offset: int, size: int) -> bool:  # noqa: ARG002 - the interface has them
        """Return True: it is in memory."""
        return True

    async def cache(self, offset: int, size: int) -> None:
        """Do nothing."""

    async def with_descriptor(self, function: Callable[[int], T]) -> T:
        """Call ``function`` with the descriptor, in a thread."""
        return await in_pool(
            self._view.served.sending_runner, self._path, self._call, function, takes_long=True
        )

    def _call(self, function: Callable[[int], T]) -> T:
        return function(self._file.descriptor)


class _Block:
    """Some bytes of a file that were requested."""

    def __init__(self, view: BucketView, start: int, end: int, is_counted: bool) -> None:
        self.start = start
        self.end = end
        self._view = view
        self._is_counted = is_counted
        self._is_dropped = False
        self._reading: Deferred[ObjectFile] | None = None
        self._result: ObjectFile | Failure | None = None

    def await_read(self, reading: Deferred[ObjectFile]) -> None:
        """Take what is read when it comes."""
        self._reading = reading
        reading.addBoth(self.take)

    async def file(self) -> ObjectFile | None:
        """Return the bytes, None if they are dropped; raises what reading them did."""
        if self._result is None:
            assert self._reading is not None
            await unless_abandoned(self._reading)
        if isinstance(self._result, Failure):
            self._result.raiseException()
        return self._result

    def drop(self) -> None:
        """Free the memory, now or when the bytes come."""
        self._is_dropped = True
        if self._result is not None:
            self._free()

    def take(self, result: ObjectFile | Failure) -> None:
        """Take the bytes, or why they did not come."""
        self._result = result
        if self._is_dropped:
            self._free()

    def _free(self) -> None:
        self._result = None
        if self._is_counted:
            self._is_counted = False
            self._view.served.memory.give_back(self.end - self.start)
