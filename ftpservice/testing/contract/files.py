"""The storage contract for complete files: reading them, and each mode of writing them."""

# ruff: noqa: D102 (the name of a test says what has to hold)

from __future__ import annotations

from ftpservice.storage.errors import (
    BadOffset,
    Busy,
    Exists,
    HasUploads,
    IsDirectory,
    NotDirectory,
    NotEmpty,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import IRetractableWriting, IStorage, WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    ContractCase,
    assert_raises,
    begin_upload,
    cancel,
    contract_test,
    create_file,
    list_directory,
    path_at,
    read_file,
    supports_mode,
    upload_file,
)
from ftpservice.wire.entry import Kind

__all__ = ["AppendContract", "ReadingContract", "UniqueNameContract", "WritingContract"]


class ReadingContract(ContractCase):
    """Reading files."""

    @contract_test
    async def test_any_range_of_a_file_can_be_read(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"0123456789")
        reading = await storage.open_reading(path_at("/file"))
        self.assertEqual(reading.entry.size, 10)
        self.assertEqual(await reading.read(7, 100), b"789")
        self.assertEqual(await reading.read(0, 3), b"012")
        self.assertEqual(await reading.read(10, 5), b"")
        self.assertEqual(await reading.read(99, 5), b"")
        reading.close()
        reading.close()

    @contract_test
    async def test_only_plain_files_can_be_read(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await assert_raises(storage.open_reading(path_at("/folder")), IsDirectory)
        await assert_raises(storage.open_reading(path_at("/")), IsDirectory)
        await assert_raises(storage.open_reading(path_at("/none")), PathNotFound)

    @contract_test
    async def test_a_reader_keeps_the_content_that_it_opened(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"old content")
        reading = await storage.open_reading(path_at("/file"))
        await create_file(storage, "/file", b"new")
        self.assertEqual(await reading.read(0, 3), b"old")
        await storage.remove_file(path_at("/file"))
        self.assertEqual(await reading.read(3, 100), b" content")
        reading.close()

    @contract_test
    async def test_a_reading_can_be_closed_at_any_time(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"content")
        late = await cancel(storage.open_reading(path_at("/file")))
        if late is not None:
            late.close()
        reading = await storage.open_reading(path_at("/file"))
        await cancel(reading.read(0, 5))
        reading.close()
        await storage.remove_file(path_at("/file"))


class WritingContract(ContractCase):
    """New files and new content, by `WriteMode.REPLACE` and `WriteMode.CREATE`."""

    @contract_test
    async def test_a_new_file_is_visible_and_complete_after_the_commit(
        self, storage: IStorage
    ) -> None:
        writing = await begin_upload(storage, "/file", b"content")
        self.assertEqual((writing.path, writing.offset), (path_at("/file"), 0))
        self.assertEqual(await list_directory(storage), {})
        await assert_raises(storage.stat(path_at("/file")), PathNotFound)
        await assert_raises(storage.open_reading(path_at("/file")), PathNotFound)
        entry = await writing.commit()
        self.assertEqual((entry.name, entry.size, entry.kind), ("file", 7, Kind.FILE))
        self.assertEqual(await read_file(storage, "/file"), b"content")
        self.assertEqual(set(await list_directory(storage)), {"file"})

    @contract_test
    async def test_an_empty_file_is_a_file(self, storage: IStorage) -> None:
        self.assertEqual((await create_file(storage, "/file")).size, 0)
        self.assertEqual(await read_file(storage, "/file"), b"")

    @contract_test
    async def test_bytes_are_stored_unchanged(self, storage: IStorage) -> None:
        data = bytes(range(256)) * 1200
        await create_file(storage, "/file", data)
        self.assertEqual(await read_file(storage, "/file"), data)

    @contract_test
    async def test_an_old_file_stays_until_the_new_one_is_complete(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"the old content")
        writing = await begin_upload(storage, "/file", b"new")
        self.assertEqual(await read_file(storage, "/file"), b"the old content")
        self.assertEqual(set(await list_directory(storage)), {"file"})
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"new")

    @contract_test
    async def test_a_file_needs_a_parent_directory(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"x")
        await storage.make_directory(path_at("/folder"))
        await assert_raises(begin_upload(storage, "/none/file"), PathNotFound)
        await assert_raises(begin_upload(storage, "/file/below"), NotDirectory)
        await assert_raises(begin_upload(storage, "/folder"), IsDirectory)
        await assert_raises(begin_upload(storage, "/"), IsDirectory)

    @contract_test
    async def test_creating_never_replaces(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"old")
        await assert_raises(
            begin_upload(storage, "/file", b"", WriteRequest(WriteMode.CREATE)), Exists
        )
        await upload_file(storage, "/other", b"new", WriteMode.CREATE)
        self.assertEqual(await read_file(storage, "/other"), b"new")

    @contract_test
    async def test_of_two_simultaneous_creations_only_one_succeeds(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/file", b"late", WriteRequest(WriteMode.CREATE))
        await create_file(storage, "/file", b"early")
        await assert_raises(writing.commit(), Exists)
        await writing.abandon()
        self.assertEqual(await read_file(storage, "/file"), b"early")

    @contract_test
    async def test_two_simultaneous_uploads_are_not_mixed(self, storage: IStorage) -> None:
        one = await begin_upload(storage, "/file", b"one")
        try:
            two = await begin_upload(storage, "/file", b"number two")
        except Busy:
            await one.commit()
        else:
            await one.commit()
            await two.commit()
        self.assertIn(await read_file(storage, "/file"), (b"one", b"number two"))

    @contract_test
    async def test_a_directory_created_meanwhile_is_not_replaced(self, storage: IStorage) -> None:
        writing = await begin_upload(storage, "/name", b"content")
        await storage.make_directory(path_at("/name"))
        await assert_raises(writing.commit(), IsDirectory, Exists)
        self.assertEqual((await storage.stat(path_at("/name"))).kind, Kind.DIRECTORY)

    @contract_test
    async def test_a_directory_with_an_upload_under_way_is_not_removed(
        self, storage: IStorage
    ) -> None:
        await storage.make_directory(path_at("/folder"))
        writing = await begin_upload(storage, "/folder/file", b"content")
        await assert_raises(storage.remove_directory(path_at("/folder")), HasUploads, NotEmpty)
        await writing.commit()
        self.assertEqual(await read_file(storage, "/folder/file"), b"content")

    @contract_test
    async def test_an_upload_of_another_size_than_announced_is_refused(
        self, storage: IStorage
    ) -> None:
        await create_file(storage, "/file", b"old")
        for data in (b"", b"shorter", b"longer than that"):
            writing = await begin_upload(storage, "/file", data, WriteRequest(announced=10))
            await assert_raises(writing.commit(), BadOffset)
        self.assertEqual(await read_file(storage, "/file"), b"old")
        await create_file(storage, "/file", b"just right", WriteRequest(announced=10))
        self.assertEqual(await read_file(storage, "/file"), b"just right")


class AppendContract(ContractCase):
    """`WriteMode.APPEND`."""

    @contract_test
    async def test_a_file_grows_in_place(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(storage, "/file", b" and new", WriteRequest(WriteMode.APPEND))
        self.assertEqual(writing.offset, 3)
        self.assertTrue((await read_file(storage, "/file")).startswith(b"old"))
        self.assertEqual((await writing.commit()).size, 11)
        self.assertEqual(await read_file(storage, "/file"), b"old and new")

    @contract_test
    async def test_an_abandoned_append_keeps_the_old_content(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        await (
            await begin_upload(storage, "/file", b" and new", WriteRequest(WriteMode.APPEND))
        ).abandon()
        self.assertTrue(b"old and new".startswith(await read_file(storage, "/file")))
        self.assertTrue((await read_file(storage, "/file")).startswith(b"old"))

    @contract_test
    async def test_an_append_creates_a_missing_file(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        writing = await begin_upload(storage, "/file", b"new", WriteRequest(WriteMode.APPEND))
        self.assertEqual(writing.offset, 0)
        await assert_raises(storage.stat(path_at("/file")), PathNotFound)
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"new")

    @contract_test
    async def test_only_files_can_be_appended_to(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await storage.make_directory(path_at("/folder"))
        append = WriteRequest(WriteMode.APPEND)
        await assert_raises(begin_upload(storage, "/folder", b"", append), IsDirectory)
        await assert_raises(begin_upload(storage, "/none/file", b"", append), PathNotFound)

    @contract_test
    async def test_an_append_of_another_size_than_announced_fails(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(
            storage, "/file", b"new", WriteRequest(WriteMode.APPEND, announced=9)
        )
        await assert_raises(writing.commit(), BadOffset)
        self.assertTrue((await read_file(storage, "/file")).startswith(b"old"))

    @contract_test
    async def test_appended_bytes_can_be_retracted(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(storage, "/file", b"new", WriteRequest(WriteMode.APPEND))
        retracting = IRetractableWriting(writing, None)
        if retracting is not None:
            self.assertTrue(await retracting.retract())
            await writing.abandon()
            self.assertEqual(await read_file(storage, "/file"), b"old")
            writing = await begin_upload(storage, "/file", b"ours", WriteRequest(WriteMode.APPEND))
            await create_file(storage, "/file", b"theirs", WriteRequest(WriteMode.APPEND))
            self.assertFalse(await IRetractableWriting(writing).retract())
            await writing.abandon()
            self.assertTrue((await read_file(storage, "/file")).endswith(b"theirs"))


class UniqueNameContract(ContractCase):
    """`WriteMode.UNIQUE`."""

    @contract_test
    async def test_unique_names_never_collide(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.UNIQUE):
            return
        await create_file(storage, "/name", b"taken")
        writings = [
            await begin_upload(
                storage, "/name", str(number).encode(), WriteRequest(WriteMode.UNIQUE)
            )
            for number in range(5)
        ]
        self.assertEqual(set(await list_directory(storage)), {"name"})
        for number, writing in enumerate(writings):
            self.assertEqual(writing.path.parent, path_at("/"))
            entry = await writing.commit()
            self.assertEqual(entry.name, writing.path.name)
            self.assertEqual(await read_file(storage, str(writing.path)), str(number).encode())
        self.assertEqual(len(await list_directory(storage)), 6)
        self.assertEqual(await read_file(storage, "/name"), b"taken")

    @contract_test
    async def test_a_file_created_meanwhile_is_not_replaced(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.UNIQUE):
            return
        writing = await begin_upload(storage, "/name", b"unique", WriteRequest(WriteMode.UNIQUE))
        await create_file(storage, str(writing.path), b"another's")
        taken = str(writing.path)
        try:
            await writing.commit()
        except Exists:
            pass
        else:
            self.assertNotEqual(str(writing.path), taken)
        self.assertEqual(await read_file(storage, taken), b"another's")

    @contract_test
    async def test_an_abandoned_unique_upload_leaves_nothing(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.UNIQUE):
            return
        writing = await begin_upload(storage, "/name", b"unique", WriteRequest(WriteMode.UNIQUE))
        await writing.abandon()
        self.assertEqual(await list_directory(storage), {})
        await assert_raises(
            begin_upload(storage, str(writing.path), b"", WriteRequest(offset=3)), StorageError
        )
