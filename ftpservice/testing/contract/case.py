"""The base of the storage contract: hooks for storage authors, and steps shared by its tests."""

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
    "assert_raises",
    "begin_upload",
    "cancel",
    "contract_test",
    "create_file",
    "list_directory",
    "partial_size",
    "path_at",
    "read_file",
    "result_of",
    "supports_mode",
    "upload_file",
]

Result = TypeVar("Result")
Check = Callable[[Any, IStorage], Coroutine[Any, Any, None]]


class ContractCase(Mixed):
    """The hooks of the contract; only ``storage`` has to be defined."""

    def storage(self) -> IStorage | Awaitable[IStorage]:
        """Return a fresh, empty storage; called once for each test."""
        raise NotImplementedError

    def other_owner_storage(self) -> IStorage | Awaitable[IStorage] | None:
        """Return another owner's view of the files that ``storage`` returned last, or None."""
        return None

    def small_storage(
        self,
        capacity: int,  # noqa: ARG002 (for those who override it)
    ) -> IStorage | Awaitable[IStorage] | None:
        """Return a fresh storage that holds ``capacity`` bytes, or None."""
        return None

    def make_link(
        self,
        name: str,  # noqa: ARG002 (for those who override it)
        target: str,  # noqa: ARG002
    ) -> bool | Awaitable[bool]:
        """Make a symbolic link in the root of what ``storage`` returned last; False if impossible.

        ``target`` is a path that begins in the root, such as ``folder/file``.
        """
        return False

    def check_all_closed(self) -> Awaitable[None] | None:
        """Fail if anything is still open (descriptors, threads); called after each test."""
        return None

    def finish(self, test: Deferred[None]) -> Deferred[None] | None:
        """End a test: trial's ``TestCase`` waits for it, any other case has to be done by now.

        Override it if something else runs the reactor.
        """
        if isinstance(self, TestCase):
            return test
        cast(SynchronousTestCase, self).successResultOf(test)
        return None


def contract_test(check: Check) -> Callable[[ContractCase], Deferred[None] | None]:
    """Make a test method of a coroutine; it is called with a fresh storage."""

    async def run(case: ContractCase) -> None:
        await check(case, await result_of(case.storage()))
        await result_of(case.check_all_closed())

    @wraps(check)
    def test(case: ContractCase) -> Deferred[None] | None:
        return case.finish(Deferred.fromCoroutine(run(case)))

    return test


async def result_of(value: Result | Awaitable[Result]) -> Result:
    """Return the result of a hook, which may be awaitable."""
    if isinstance(value, Awaitable):
        return await value
    return value


def path_at(text: str) -> VirtualPath:
    """Return the path for an absolute string."""
    return VirtualPath.parse(text)


async def assert_raises(call: Awaitable[object], *kinds: type[StorageError]) -> StorageError:
    """Wait for a call that has to raise one of ``kinds``; return the error."""
    try:
        result = await call
    except kinds as error:
        return error
    raise AssertionError(
        f"returned {result!r} instead of raising one of {[kind.__name__ for kind in kinds]}"
    )


async def begin_upload(
    storage: IStorage, name: str, data: bytes = b"", request: WriteRequest | None = None
) -> IWriting:
    """Open an upload transaction and write ``data``, if any, in two pieces."""
    writing = await storage.open_writing(path_at(name), request or WriteRequest())
    half = len(data) // 2
    try:
        for piece in (data[:half], data[half:]):
            if piece:
                await writing.write(piece)
    except BaseException:
        await writing.abandon()
        raise
    return writing


async def create_file(
    storage: IStorage, name: str, data: bytes = b"", request: WriteRequest | None = None
) -> Entry:
    """Upload a whole file."""
    return await (await begin_upload(storage, name, data, request)).commit()


async def upload_file(
    storage: IStorage, name: str, data: bytes, how: WriteMode, offset: int = 0
) -> Entry:
    """Upload a whole file in a certain mode."""
    return await create_file(storage, name, data, WriteRequest(how, offset))


async def read_file(storage: IStorage, name: str) -> bytes:
    """Download a whole file."""
    reading = await storage.open_reading(path_at(name))
    try:
        pieces = bytearray()
        while piece := await reading.read(len(pieces), 1000):
            pieces += piece
        return bytes(pieces)
    finally:
        reading.close()


async def list_directory(storage: IStorage, name: str = "/") -> dict[str, Entry]:
    """Return a directory's entries by name."""
    listing = await storage.open_listing(path_at(name))
    try:
        entries: dict[str, Entry] = {}
        while batch := await listing.next_batch():
            for entry in batch:
                assert entry.name not in entries, f"{entry.name!r} is listed twice"
                entries[entry.name] = entry
        return entries
    finally:
        listing.close()


async def partial_size(storage: IStorage, name: str) -> int | None:
    """Return the size of the partial upload of a name in bytes; None if there is none."""
    partials = IPartials(storage, None)
    if partials is None:
        return None
    try:
        return int((await partials.partial(path_at(name))).size)
    except StorageError:
        return None


async def supports_mode(storage: IStorage, how: WriteMode) -> bool:
    """Return whether the storage supports a mode of writing."""
    try:
        writing = await storage.open_writing(path_at("/supported"), WriteRequest(how))
    except NotSupported:
        return False
    await writing.abandon()
    return True


async def cancel(call: Awaitable[Result]) -> Result | None:
    """Begin a call and cancel it; return its result if it was available at once."""

    async def begun() -> Result:
        return await call

    working = Deferred.fromCoroutine(begun())
    working.cancel()
    try:
        return await working
    except CancelledError:
        return None
