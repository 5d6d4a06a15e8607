"""The storage contract for uploads that are cut: nothing half is seen, nothing is lost twice."""

# ruff: noqa: D102 (the name of a test says what must hold)

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import CancelledError, Deferred

from ftpservice.storage.errors import (
    BadOffset,
    Exists,
    IsDirectory,
    NoSpace,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import IPartials, IStorage, WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    ContractCase,
    arrived,
    at,
    begin,
    checks,
    content,
    cut,
    listed,
    make,
    partial,
    refused,
    supports,
    upload,
)

__all__ = ["AbortedUploadContract", "FullContract", "OwnerContract", "ResumeContract"]


class AbortedUploadContract(ContractCase):
    """Transactions that end without a commit, or with one that comes too late."""

    @checks
    async def test_a_cut_new_file_is_not_there(self, storage: IStorage) -> None:
        await (await begin(storage, "/file", b"half")).abandon()
        self.assertEqual(await listed(storage), {})
        await refused(storage.stat(at("/file")), PathNotFound)
        await refused(storage.open_reading(at("/file")), PathNotFound)
        with suppress(PathNotFound):  # what arrived may be kept, and can be removed
            await storage.remove_file(at("/file"))
        await refused(storage.remove_file(at("/file")), PathNotFound)

    @checks
    async def test_a_cut_leaves_the_old_file(self, storage: IStorage) -> None:
        await make(storage, "/file", b"old")
        await (await begin(storage, "/file", b"half of the new")).abandon()
        self.assertEqual(await content(storage, "/file"), b"old")
        self.assertEqual(set(await listed(storage)), {"file"})

    @checks
    async def test_abandoning_again_does_nothing(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"half")
        await writing.abandon()
        await make(storage, "/file", b"whole")
        await writing.abandon()
        self.assertEqual(await content(storage, "/file"), b"whole")

    @checks
    async def test_abandoning_what_was_committed_does_nothing(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"whole")
        await writing.commit()
        await writing.abandon()
        self.assertEqual(await content(storage, "/file"), b"whole")
        self.assertIsNone(await partial(storage, "/file"))

    @checks
    async def test_what_was_abandoned_is_not_committed(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"half")
        await writing.abandon()
        await refused(writing.commit(), StorageError)
        await refused(writing.write(b"more"), StorageError)
        self.assertEqual(await listed(storage), {})

    @checks
    async def test_a_cut_may_come_while_writing(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"half")

        async def write() -> None:
            await writing.write(b"x" * 100_000)

        write_in_progress = Deferred.fromCoroutine(write())
        await writing.abandon()
        with suppress(StorageError, CancelledError):
            await write_in_progress
        self.assertEqual(await listed(storage), {})

    @checks
    async def test_opening_may_be_cancelled(self, storage: IStorage) -> None:
        for how in WriteMode:
            if await supports(storage, how):
                late = await cut(storage.open_writing(at("/file"), WriteRequest(how)))
                if late is not None:
                    await late.abandon()
        self.assertEqual(await listed(storage), {})
        await make(storage, "/file", b"content")
        self.assertEqual(await content(storage, "/file"), b"content")

    @checks
    async def test_writing_may_be_cancelled(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"half")
        await cut(writing.write(b"x" * 100_000))
        await writing.abandon()
        self.assertEqual(await listed(storage), {})

    @checks
    async def test_a_cancelled_commit_publishes_all_or_nothing(self, storage: IStorage) -> None:
        await make(storage, "/file", b"old")
        writing = await begin(storage, "/file", b"the new content")
        await cut(writing.commit())
        await writing.abandon()
        self.assertIn(await content(storage, "/file"), (b"old", b"the new content"))
        self.assertEqual(set(await listed(storage)), {"file"})


class ResumeContract(ContractCase):
    """Going on after a cut; what concerns partials is asked only of `IPartials`."""

    @checks
    async def test_an_upload_goes_on_from_its_partial(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin(storage, "/file", b"01234")).abandon()
        self.assertEqual(await partial(storage, "/file"), 5)
        writing = await begin(storage, "/file", b"56", WriteRequest(offset=5))
        self.assertEqual(writing.offset, 5)
        await writing.abandon()
        self.assertEqual(await partial(storage, "/file"), 7)
        self.assertEqual(await listed(storage), {})
        await make(storage, "/file", b"789", WriteRequest(offset=7, announced=3))
        self.assertEqual(await content(storage, "/file"), b"0123456789")
        self.assertIsNone(await partial(storage, "/file"))

    @checks
    async def test_less_than_the_partial_may_be_kept(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin(storage, "/file", b"0123xxxx")).abandon()
        await make(storage, "/file", b"45", WriteRequest(WriteMode.CREATE, offset=4))
        self.assertEqual(await content(storage, "/file"), b"012345")

    @checks
    async def test_a_partial_over_a_file_is_gone_on_from(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await make(storage, "/file", b"old file")
        await (await begin(storage, "/file", b"new")).abandon()
        self.assertEqual(await partial(storage, "/file"), 3)
        await make(storage, "/file", b"er file", WriteRequest(offset=3))
        self.assertEqual(await content(storage, "/file"), b"newer file")

    @checks
    async def test_a_new_start_forgets_the_partial(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin(storage, "/file", b"half of something")).abandon()
        await make(storage, "/file", b"whole")
        self.assertEqual(await content(storage, "/file"), b"whole")
        self.assertIsNone(await partial(storage, "/file"))

    @checks
    async def test_a_size_not_met_keeps_the_partial(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        writing = await begin(storage, "/file", b"01234", WriteRequest(announced=10))
        await refused(writing.commit(), BadOffset)
        self.assertEqual(await partial(storage, "/file"), 5)

    @checks
    async def test_a_name_lost_to_another_keeps_the_partial(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        writing = await begin(storage, "/file", b"01234", WriteRequest(WriteMode.CREATE))
        await storage.make_directory(at("/file"))
        await refused(writing.commit(), Exists, IsDirectory)
        await storage.remove_directory(at("/file"))
        self.assertEqual(await partial(storage, "/file"), 5)

    @checks
    async def test_an_append_to_nothing_goes_on_from_the_partial(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None or not await supports(storage, WriteMode.APPEND):
            return
        await (await begin(storage, "/file", b"012")).abandon()
        writing = await begin(storage, "/file", b"34", WriteRequest(WriteMode.APPEND))
        self.assertEqual(writing.offset, 3)
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"01234")

    @checks
    async def test_without_a_partial_the_file_is_gone_on_from(self, storage: IStorage) -> None:
        await make(storage, "/file", b"0123xxxx")
        writing = await begin(storage, "/file", b"45", WriteRequest(offset=4))
        self.assertEqual(writing.offset, 4)
        self.assertEqual(await content(storage, "/file"), b"0123xxxx")
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"012345")

    @checks
    async def test_a_cut_resume_leaves_the_old_file(self, storage: IStorage) -> None:
        await make(storage, "/file", b"0123xxxx")
        await (await begin(storage, "/file", b"45", WriteRequest(offset=4))).abandon()
        self.assertEqual(await content(storage, "/file"), b"0123xxxx")
        if IPartials(storage, None) is not None:
            self.assertEqual(await partial(storage, "/file"), 6)

    @checks
    async def test_there_must_be_something_to_go_on_from(self, storage: IStorage) -> None:
        resume = WriteRequest(offset=6)
        await refused(begin(storage, "/file", b"", resume), BadOffset)
        await (await begin(storage, "/file", b"01234")).abandon()
        await refused(begin(storage, "/file", b"", resume), BadOffset)
        await make(storage, "/file", b"01234")
        await refused(begin(storage, "/file", b"", resume), BadOffset)
        self.assertEqual(await content(storage, "/file"), b"01234")


class OwnerContract(ContractCase):
    """Several owners of the same files."""

    async def _neighbour(self) -> IStorage | None:
        return await arrived(self.other_owner_storage())

    @checks
    async def test_files_are_shared(self, storage: IStorage) -> None:
        other = await self._neighbour()
        if other is not None:
            await make(storage, "/file", b"content")
            self.assertEqual(await content(other, "/file"), b"content")

    @checks
    async def test_partials_are_not(self, storage: IStorage) -> None:
        other = await self._neighbour()
        if other is None:
            return
        await (await begin(storage, "/file", b"secret")).abandon()
        self.assertEqual(await listed(other), {})
        self.assertIsNone(await partial(other, "/file"))
        await refused(begin(other, "/file", b"", WriteRequest(offset=3)), BadOffset)
        await make(other, "/file", b"theirs")
        self.assertEqual(await content(storage, "/file"), b"theirs")
        if IPartials(storage, None) is not None:
            self.assertEqual(await partial(storage, "/file"), 6)

    @checks
    async def test_unique_names_differ_between_owners(self, storage: IStorage) -> None:
        other = await self._neighbour()
        if other is None or not await supports(storage, WriteMode.UNIQUE):
            return
        mine = await begin(storage, "/name", b"mine", WriteRequest(WriteMode.UNIQUE))
        theirs = await upload(other, "/name", b"theirs", WriteMode.UNIQUE)
        self.assertNotEqual(theirs.name, (await mine.commit()).name)
        self.assertEqual(len(await listed(storage)), 2)


class FullContract(ContractCase):
    """A storage that is full."""

    @checks
    async def test_what_does_not_fit_is_refused(self, storage: IStorage) -> None:
        small = await arrived(self.small_storage(1000))
        if small is None:
            self.assertEqual(await listed(storage), {})
            return
        await make(small, "/old", b"o" * 400)
        await refused(make(small, "/old", b"n" * 1_000_000), NoSpace)
        await refused(make(small, "/new", b"n" * 1_000_000), NoSpace)
        self.assertEqual(await content(small, "/old"), b"o" * 400)
        self.assertEqual(set(await listed(small)), {"old"})
