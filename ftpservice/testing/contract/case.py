"""What the storage contract is built from: hooks for storage authors, steps that tests share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ftpservice.storage.errors import NotSupported, StorageError
from ftpservice.storage.interfaces import IPartials, IStorage, IWriting, WriteMode, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

if TYPE_CHECKING:
    from unittest import TestCase as Mixed
else:
    Mixed = object

__all__ = [
    "ContractCase",
    "at",
    "begin",
    "checks",
    "content",
    "cut",
    "listed",
    "make",
    "partial",
    "refused",
    "supports",
    "upload",
]

Result = TypeVar("Result")
Check = Callable[[Any, IStorage], Coroutine[Any, Any, None]]


class ContractCase(Mixed):
    """The hooks of the contract; only ``storage`` has to be filled in."""

    def storage(self) -> IStorage | Awaitable[IStorage]:
        """Return a fresh, empty storage; called once for each test."""
        raise NotImplementedError

    def other_owner_storage(self) -> IStorage | Awaitable[IStorage] | None:
        """Return another owner's view of the files that ``storage`` gave last, if possible."""
        return None

    def small_storage(
        self,
        capacity: int,  # noqa: ARG002 (for those who override it)
    ) -> IStorage | Awaitable[IStorage] | None:
        """Return a fresh storage that holds ``capacity`` bytes, if there is such a thing."""
        return None

    def check_all_closed(self) -> Awaitable[None] | None:
        """Fail if anything is still open (descriptors, threads); called after each test."""
        return None

    def finish(self, test: Deferred[None]) -> Deferred[None] | None:
        """End a test: trial's ``TestCase`` waits for it, any other must have it done by now.

        Override it where something else runs the reactor.
        """
        if isinstance(self, TestCase):
            return test
        cast(SynchronousTestCase, self).successResultOf(test)
        return None


def checks(check: Check) -> Callable[[ContractCase], Deferred[None] | None]:
    """Make a test method of a coroutine that is given a fresh storage."""

    async def run(case: ContractCase) -> None:
        await check(case, await arrived(case.storage()))
        await arrived(case.check_all_closed())

    @wraps(check)
    def test(case: ContractCase) -> Deferred[None] | None:
        return case.finish(Deferred.fromCoroutine(run(case)))

    return test


async def arrived(value: Result | Awaitable[Result]) -> Result:
    """Return what a hook gave, at once or later."""
    if isinstance(value, Awaitable):
        return await value
    return value


def at(text: str) -> VirtualPath:
    """Spell a path shortly."""
    return VirtualPath.parse(text)


async def refused(call: Awaitable[object], *kinds: type[StorageError]) -> StorageError:
    """Wait for a call that must raise one of ``kinds``."""
    try:
        result = await call
    except kinds as error:
        return error
    raise AssertionError(f"{result!r} where one of {[kind.__name__ for kind in kinds]} was due")


async def begin(
    storage: IStorage, name: str, data: bytes = b"", request: WriteRequest | None = None
) -> IWriting:
    """Open a transaction, and write ``data`` in two pieces if there is any."""
    writing = await storage.open_writing(at(name), request or WriteRequest())
    half = len(data) // 2
    try:
        for piece in (data[:half], data[half:]):
            if piece:
                await writing.write(piece)
    except BaseException:
        await writing.abandon()
        raise
    return writing


async def make(
    storage: IStorage, name: str, data: bytes = b"", request: WriteRequest | None = None
) -> Entry:
    """Upload a whole file."""
    return await (await begin(storage, name, data, request)).commit()


async def upload(
    storage: IStorage, name: str, data: bytes, how: WriteMode, offset: int = 0
) -> Entry:
    """Upload a whole file in a certain way."""
    return await make(storage, name, data, WriteRequest(how, offset))


async def content(storage: IStorage, name: str) -> bytes:
    """Download a whole file."""
    reading = await storage.open_reading(at(name))
    try:
        pieces = bytearray()
        while piece := await reading.read(len(pieces), 1000):
            pieces += piece
        return bytes(pieces)
    finally:
        reading.close()


async def listed(storage: IStorage, name: str = "/") -> dict[str, Entry]:
    """Return a directory's entries by name."""
    listing = await storage.open_listing(at(name))
    try:
        entries: dict[str, Entry] = {}
        while batch := await listing.next_batch():
            for entry in batch:
                assert entry.name not in entries, f"{entry.name!r} is listed twice"
                entries[entry.name] = entry
        return entries
    finally:
        listing.close()


async def partial(storage: IStorage, name: str) -> int | None:
    """Return the size of the partial kept for a name; None if there is none."""
    partials = IPartials(storage, None)
    if partials is None:
        return None
    try:
        return int((await partials.partial(at(name))).size)
    except StorageError:
        return None


async def supports(storage: IStorage, how: WriteMode) -> bool:
    """Tell whether the storage can write like that at all."""
    try:
        writing = await storage.open_writing(at("/supported"), WriteRequest(how))
    except NotSupported:
        return False
    await writing.abandon()
    return True


async def cut(call: Awaitable[Result]) -> Result | None:
    """Begin a call and cancel it; return its result if that had come at once."""

    async def begun() -> Result:
        return await call

    working = Deferred.fromCoroutine(begun())
    working.cancel()
    try:
        return await working
    except CancelledError:
        return None
