"""The storage contract for interrupted uploads: nothing incomplete is visible or lost."""

# ruff: noqa: D102 (the name of a test says what has to hold)

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
    assert_raises,
    begin_upload,
    cancel,
    contract_test,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
    result_of,
    supports_mode,
    upload_file,
)

__all__ = [
    "AbortedUploadContract",
    "FullStorageContract",
    "ResumeContract",
    "SeveralOwnersContract",
]


class AbortedUploadContract(ContractCase):
    """Upload transactions that end without a commit, or with one that comes too late."""

    @contract_test
    async def test_an_abandoned_new_file_is_not_visible(self, storage: IStorage) -> None:
        await (await begin_upload(storage, "/file", b"half")).abandon()
        self.assertEqual(await list_directory(storage), {})
        await assert_raises(storage.stat(path_at("/file")), PathNotFound)
        await assert_raises(storage.open_reading(path_at("/file")), PathNotFound)
        with suppress(PathNotFound):  # what arrived may be kept, and can be removed
            await storage.remove_file(path_at("/file"))
        await assert_raises(storage.remove_file(path_at("/file")), PathNotFound)

    @contract_test
    async def test_an_abandoned_upload_keeps_the_old_file(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"old")
        await (await begin_upload(storage, "/file", b"half of the new")).abandon()
        self.assertEqual(await read_file(storage, "/file"), b"old")
        self.assertEqual(set(await list_directory(storage)), {"file"})

    @contract_test
    async def test_abandoning_again_does_nothing(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/file", b"half")
        await writing.abandon()
        await create_file(storage, "/file", b"whole")
        await writing.abandon()
        self.assertEqual(await read_file(storage, "/file"), b"whole")

    @contract_test
    async def test_abandoning_after_a_commit_does_nothing(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/file", b"whole")
        await writing.commit()
        await writing.abandon()
        self.assertEqual(await read_file(storage, "/file"), b"whole")
        self.assertIsNone(await partial_size(storage, "/file"))

    @contract_test
    async def test_a_commit_after_abandoning_fails(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/file", b"half")
        await writing.abandon()
        await assert_raises(writing.commit(), StorageError)
        await assert_raises(writing.write(b"more"), StorageError)
        self.assertEqual(await list_directory(storage), {})

    @contract_test
    async def test_an_upload_can_be_abandoned_during_a_write(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/file", b"half")

        async def write() -> None:
            await writing.write(b"x" * 100_000)

        write_in_progress = Deferred.fromCoroutine(write())
        await writing.abandon()
        with suppress(StorageError, CancelledError):
            await write_in_progress
        self.assertEqual(await list_directory(storage), {})

    @contract_test
    async def test_opening_can_be_cancelled(self, storage: IStorage) -> None:
        for how in WriteMode:
            if await supports_mode(storage, how):
                late = await cancel(storage.open_writing(path_at("/file"), WriteRequest(how)))
                if late is not None:
                    await late.abandon()
        self.assertEqual(await list_directory(storage), {})
        await create_file(storage, "/file", b"content")
        self.assertEqual(await read_file(storage, "/file"), b"content")

    @contract_test
    async def test_a_write_can_be_cancelled(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/file", b"half")
        await cancel(writing.write(b"x" * 100_000))
        await writing.abandon()
        self.assertEqual(await list_directory(storage), {})

    @contract_test
    async def test_a_cancelled_commit_publishes_all_or_nothing(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(storage, "/file", b"the new content")
        await cancel(writing.commit())
        await writing.abandon()
        self.assertIn(await read_file(storage, "/file"), (b"old", b"the new content"))
        self.assertEqual(set(await list_directory(storage)), {"file"})


class ResumeContract(ContractCase):
    """Resuming interrupted uploads; partial uploads are tested only with `IPartials`."""

    @contract_test
    async def test_an_upload_resumes_its_partial_upload(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin_upload(storage, "/file", b"01234")).abandon()
        self.assertEqual(await partial_size(storage, "/file"), 5)
        writing = await begin_upload(storage, "/file", b"56", WriteRequest(offset=5))
        self.assertEqual(writing.offset, 5)
        await writing.abandon()
        self.assertEqual(await partial_size(storage, "/file"), 7)
        self.assertEqual(await list_directory(storage), {})
        await create_file(storage, "/file", b"789", WriteRequest(offset=7, announced=3))
        self.assertEqual(await read_file(storage, "/file"), b"0123456789")
        self.assertIsNone(await partial_size(storage, "/file"))

    @contract_test
    async def test_a_smaller_offset_than_the_partial_upload_is_kept(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin_upload(storage, "/file", b"0123xxxx")).abandon()
        await create_file(storage, "/file", b"45", WriteRequest(WriteMode.CREATE, offset=4))
        self.assertEqual(await read_file(storage, "/file"), b"012345")

    @contract_test
    async def test_a_partial_upload_is_resumed_though_there_is_a_file(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await create_file(storage, "/file", b"old file")
        await (await begin_upload(storage, "/file", b"new")).abandon()
        self.assertEqual(await partial_size(storage, "/file"), 3)
        await create_file(storage, "/file", b"er file", WriteRequest(offset=3))
        self.assertEqual(await read_file(storage, "/file"), b"newer file")

    @contract_test
    async def test_an_upload_without_an_offset_discards_the_partial_upload(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin_upload(storage, "/file", b"half of something")).abandon()
        await create_file(storage, "/file", b"whole")
        self.assertEqual(await read_file(storage, "/file"), b"whole")
        self.assertIsNone(await partial_size(storage, "/file"))

    @contract_test
    async def test_another_size_than_announced_keeps_the_partial_upload(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        writing = await begin_upload(storage, "/file", b"01234", WriteRequest(announced=10))
        await assert_raises(writing.commit(), BadOffset)
        self.assertEqual(await partial_size(storage, "/file"), 5)

    @contract_test
    async def test_a_commit_that_finds_the_name_taken_keeps_the_partial_upload(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        writing = await begin_upload(storage, "/file", b"01234", WriteRequest(WriteMode.CREATE))
        await storage.make_directory(path_at("/file"))
        await assert_raises(writing.commit(), Exists, IsDirectory)
        await storage.remove_directory(path_at("/file"))
        self.assertEqual(await partial_size(storage, "/file"), 5)

    @contract_test
    async def test_an_append_without_a_file_resumes_the_partial_upload(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None or not await supports_mode(storage, WriteMode.APPEND):
            return
        await (await begin_upload(storage, "/file", b"012")).abandon()
        writing = await begin_upload(storage, "/file", b"34", WriteRequest(WriteMode.APPEND))
        self.assertEqual(writing.offset, 3)
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"01234")

    @contract_test
    async def test_without_a_partial_upload_the_file_is_resumed(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"0123xxxx")
        writing = await begin_upload(storage, "/file", b"45", WriteRequest(offset=4))
        self.assertEqual(writing.offset, 4)
        self.assertEqual(await read_file(storage, "/file"), b"0123xxxx")
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"012345")

    @contract_test
    async def test_an_abandoned_resume_keeps_the_old_file(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"0123xxxx")
        await (await begin_upload(storage, "/file", b"45", WriteRequest(offset=4))).abandon()
        self.assertEqual(await read_file(storage, "/file"), b"0123xxxx")
        if IPartials(storage, None) is not None:
            self.assertEqual(await partial_size(storage, "/file"), 6)

    @contract_test
    async def test_an_offset_beyond_everything_is_refused(self, storage: IStorage) -> None:
        resume = WriteRequest(offset=6)
        await assert_raises(begin_upload(storage, "/file", b"", resume), BadOffset)
        await (await begin_upload(storage, "/file", b"01234")).abandon()
        await assert_raises(begin_upload(storage, "/file", b"", resume), BadOffset)
        await create_file(storage, "/file", b"01234")
        await assert_raises(begin_upload(storage, "/file", b"", resume), BadOffset)
        self.assertEqual(await read_file(storage, "/file"), b"01234")


class SeveralOwnersContract(ContractCase):
    """Several owners of the same files."""

    async def _neighbour(self) -> IStorage | None:
        return await result_of(self.other_owner_storage())

    @contract_test
    async def test_files_are_shared(self, storage: IStorage) -> None:
        other = await self._neighbour()
        if other is not None:
            await create_file(storage, "/file", b"content")
            self.assertEqual(await read_file(other, "/file"), b"content")

    @contract_test
    async def test_partial_uploads_are_not_shared(self, storage: IStorage) -> None:
        other = await self._neighbour()
        if other is None:
            return
        await (await begin_upload(storage, "/file", b"secret")).abandon()
        self.assertEqual(await list_directory(other), {})
        self.assertIsNone(await partial_size(other, "/file"))
        await assert_raises(begin_upload(other, "/file", b"", WriteRequest(offset=3)), BadOffset)
        await create_file(other, "/file", b"theirs")
        self.assertEqual(await read_file(storage, "/file"), b"theirs")
        if IPartials(storage, None) is not None:
            self.assertEqual(await partial_size(storage, "/file"), 6)

    @contract_test
    async def test_unique_names_differ_between_owners(self, storage: IStorage) -> None:
        other = await self._neighbour()
        if other is None or not await supports_mode(storage, WriteMode.UNIQUE):
            return
        mine = await begin_upload(storage, "/name", b"mine", WriteRequest(WriteMode.UNIQUE))
        theirs = await upload_file(other, "/name", b"theirs", WriteMode.UNIQUE)
        self.assertNotEqual(theirs.name, (await mine.commit()).name)
        self.assertEqual(len(await list_directory(storage)), 2)


class FullStorageContract(ContractCase):
    """A storage that is full."""

    @contract_test
    async def test_an_upload_that_does_not_fit_is_refused(self, storage: IStorage) -> None:
        small = await result_of(self.small_storage(1000))
        if small is None:
            self.assertEqual(await list_directory(storage), {})
            return
        await create_file(small, "/old", b"o" * 400)
        await assert_raises(create_file(small, "/old", b"n" * 1_000_000), NoSpace)
        await assert_raises(create_file(small, "/new", b"n" * 1_000_000), NoSpace)
        self.assertEqual(await read_file(small, "/old"), b"o" * 400)
        self.assertEqual(set(await list_directory(small)), {"old"})
