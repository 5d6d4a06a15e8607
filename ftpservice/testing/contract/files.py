"""The storage contract for files that arrive whole: reading them, and each way of writing them."""

# ruff: noqa: D102 (the name of a test says what must hold)

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
    at,
    begin,
    checks,
    content,
    cut,
    listed,
    make,
    refused,
    supports,
    upload,
)
from ftpservice.wire.entry import Kind

__all__ = ["AppendContract", "ReadingContract", "UniqueContract", "WritingContract"]


class ReadingContract(ContractCase):
    """Files being read."""

    @checks
    async def test_any_stretch_of_a_file_can_be_read(self, storage: IStorage) -> None:
        await make(storage, "/file", b"0123456789")
        reading = await storage.open_reading(at("/file"))
        self.assertEqual(reading.entry.size, 10)
        self.assertEqual(await reading.read(7, 100), b"789")
        self.assertEqual(await reading.read(0, 3), b"012")
        self.assertEqual(await reading.read(10, 5), b"")
        self.assertEqual(await reading.read(99, 5), b"")
        reading.close()
        reading.close()

    @checks
    async def test_only_plain_files_are_read(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await refused(storage.open_reading(at("/folder")), IsDirectory)
        await refused(storage.open_reading(at("/")), IsDirectory)
        await refused(storage.open_reading(at("/none")), PathNotFound)

    @checks
    async def test_who_reads_keeps_what_was_opened(self, storage: IStorage) -> None:
        await make(storage, "/file", b"old content")
        reading = await storage.open_reading(at("/file"))
        await make(storage, "/file", b"new")
        self.assertEqual(await reading.read(0, 3), b"old")
        await storage.remove_file(at("/file"))
        self.assertEqual(await reading.read(3, 100), b" content")
        reading.close()

    @checks
    async def test_a_reading_may_be_given_up_at_any_time(self, storage: IStorage) -> None:
        await make(storage, "/file", b"content")
        late = await cut(storage.open_reading(at("/file")))
        if late is not None:
            late.close()
        reading = await storage.open_reading(at("/file"))
        await cut(reading.read(0, 5))
        reading.close()
        await storage.remove_file(at("/file"))


class WritingContract(ContractCase):
    """New files and new content, by `WriteMode.REPLACE` and `WriteMode.CREATE`."""

    @checks
    async def test_a_new_file_appears_whole_at_commit(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"content")
        self.assertEqual((writing.path, writing.offset), (at("/file"), 0))
        self.assertEqual(await listed(storage), {})
        await refused(storage.stat(at("/file")), PathNotFound)
        await refused(storage.open_reading(at("/file")), PathNotFound)
        entry = await writing.commit()
        self.assertEqual((entry.name, entry.size, entry.kind), ("file", 7, Kind.FILE))
        self.assertEqual(await content(storage, "/file"), b"content")
        self.assertEqual(set(await listed(storage)), {"file"})

    @checks
    async def test_an_empty_file_is_a_file(self, storage: IStorage) -> None:
        self.assertEqual((await make(storage, "/file")).size, 0)
        self.assertEqual(await content(storage, "/file"), b"")

    @checks
    async def test_bytes_arrive_as_they_are(self, storage: IStorage) -> None:
        data = bytes(range(256)) * 1200
        await make(storage, "/file", data)
        self.assertEqual(await content(storage, "/file"), data)

    @checks
    async def test_an_old_file_stays_until_the_new_is_whole(self, storage: IStorage) -> None:
        await make(storage, "/file", b"the old content")
        writing = await begin(storage, "/file", b"new")
        self.assertEqual(await content(storage, "/file"), b"the old content")
        self.assertEqual(set(await listed(storage)), {"file"})
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"new")

    @checks
    async def test_files_need_a_directory_to_be_in(self, storage: IStorage) -> None:
        await make(storage, "/file", b"x")
        await storage.make_directory(at("/folder"))
        await refused(begin(storage, "/none/file"), PathNotFound)
        await refused(begin(storage, "/file/below"), NotDirectory)
        await refused(begin(storage, "/folder"), IsDirectory)
        await refused(begin(storage, "/"), IsDirectory)

    @checks
    async def test_creating_never_replaces(self, storage: IStorage) -> None:
        await make(storage, "/file", b"old")
        await refused(begin(storage, "/file", b"", WriteRequest(WriteMode.CREATE)), Exists)
        await upload(storage, "/other", b"new", WriteMode.CREATE)
        self.assertEqual(await content(storage, "/other"), b"new")

    @checks
    async def test_of_two_that_create_only_one_does(self, storage: IStorage) -> None:
        writing = await begin(storage, "/file", b"late", WriteRequest(WriteMode.CREATE))
        await make(storage, "/file", b"early")
        await refused(writing.commit(), Exists)
        await writing.abandon()
        self.assertEqual(await content(storage, "/file"), b"early")

    @checks
    async def test_of_two_uploads_the_file_is_one(self, storage: IStorage) -> None:
        one = await begin(storage, "/file", b"one")
        try:
            two = await begin(storage, "/file", b"number two")
        except Busy:
            await one.commit()
        else:
            await one.commit()
            await two.commit()
        self.assertIn(await content(storage, "/file"), (b"one", b"number two"))

    @checks
    async def test_a_directory_made_meanwhile_is_not_replaced(self, storage: IStorage) -> None:
        writing = await begin(storage, "/name", b"content")
        await storage.make_directory(at("/name"))
        await refused(writing.commit(), IsDirectory, Exists)
        self.assertEqual((await storage.stat(at("/name"))).kind, Kind.DIRECTORY)

    @checks
    async def test_a_directory_with_an_upload_under_way_stays(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        writing = await begin(storage, "/folder/file", b"content")
        await refused(storage.remove_directory(at("/folder")), HasUploads, NotEmpty)
        await writing.commit()
        self.assertEqual(await content(storage, "/folder/file"), b"content")

    @checks
    async def test_an_announced_size_is_held_to(self, storage: IStorage) -> None:
        await make(storage, "/file", b"old")
        for data in (b"", b"shorter", b"longer than that"):
            writing = await begin(storage, "/file", data, WriteRequest(announced=10))
            await refused(writing.commit(), BadOffset)
        self.assertEqual(await content(storage, "/file"), b"old")
        await make(storage, "/file", b"just right", WriteRequest(announced=10))
        self.assertEqual(await content(storage, "/file"), b"just right")


class AppendContract(ContractCase):
    """`WriteMode.APPEND`."""

    @checks
    async def test_a_file_grows_in_place(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await make(storage, "/file", b"old")
        writing = await begin(storage, "/file", b" and new", WriteRequest(WriteMode.APPEND))
        self.assertEqual(writing.offset, 3)
        self.assertTrue((await content(storage, "/file")).startswith(b"old"))
        self.assertEqual((await writing.commit()).size, 11)
        self.assertEqual(await content(storage, "/file"), b"old and new")

    @checks
    async def test_a_cut_leaves_what_was_there(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await make(storage, "/file", b"old")
        await (await begin(storage, "/file", b" and new", WriteRequest(WriteMode.APPEND))).abandon()
        self.assertTrue(b"old and new".startswith(await content(storage, "/file")))
        self.assertTrue((await content(storage, "/file")).startswith(b"old"))

    @checks
    async def test_appending_to_nothing_makes_the_file(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        writing = await begin(storage, "/file", b"new", WriteRequest(WriteMode.APPEND))
        self.assertEqual(writing.offset, 0)
        await refused(storage.stat(at("/file")), PathNotFound)
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"new")

    @checks
    async def test_only_files_are_appended_to(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await storage.make_directory(at("/folder"))
        append = WriteRequest(WriteMode.APPEND)
        await refused(begin(storage, "/folder", b"", append), IsDirectory)
        await refused(begin(storage, "/none/file", b"", append), PathNotFound)

    @checks
    async def test_an_announced_size_is_told_when_it_was_not_met(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await make(storage, "/file", b"old")
        writing = await begin(storage, "/file", b"new", WriteRequest(WriteMode.APPEND, announced=9))
        await refused(writing.commit(), BadOffset)
        self.assertTrue((await content(storage, "/file")).startswith(b"old"))

    @checks
    async def test_what_was_appended_can_be_taken_back(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await make(storage, "/file", b"old")
        writing = await begin(storage, "/file", b"new", WriteRequest(WriteMode.APPEND))
        retracting = IRetractableWriting(writing, None)
        if retracting is not None:
            self.assertTrue(await retracting.retract())
            await writing.abandon()
            self.assertEqual(await content(storage, "/file"), b"old")
            writing = await begin(storage, "/file", b"ours", WriteRequest(WriteMode.APPEND))
            await make(storage, "/file", b"theirs", WriteRequest(WriteMode.APPEND))
            self.assertFalse(await IRetractableWriting(writing).retract())
            await writing.abandon()
            self.assertTrue((await content(storage, "/file")).endswith(b"theirs"))


class UniqueContract(ContractCase):
    """`WriteMode.UNIQUE`."""

    @checks
    async def test_names_never_collide(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.UNIQUE):
            return
        await make(storage, "/name", b"taken")
        writings = [
            await begin(storage, "/name", str(number).encode(), WriteRequest(WriteMode.UNIQUE))
            for number in range(5)
        ]
        self.assertEqual(set(await listed(storage)), {"name"})
        for number, writing in enumerate(writings):
            self.assertEqual(writing.path.parent, at("/"))
            entry = await writing.commit()
            self.assertEqual(entry.name, writing.path.name)
            self.assertEqual(await content(storage, str(writing.path)), str(number).encode())
        self.assertEqual(len(await listed(storage)), 6)
        self.assertEqual(await content(storage, "/name"), b"taken")

    @checks
    async def test_a_name_taken_meanwhile_is_left_alone(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.UNIQUE):
            return
        writing = await begin(storage, "/name", b"unique", WriteRequest(WriteMode.UNIQUE))
        await make(storage, str(writing.path), b"somebody's")
        taken = str(writing.path)
        try:
            await writing.commit()
        except Exists:
            pass
        else:
            self.assertNotEqual(str(writing.path), taken)
        self.assertEqual(await content(storage, taken), b"somebody's")

    @checks
    async def test_a_cut_leaves_nothing(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.UNIQUE):
            return
        writing = await begin(storage, "/name", b"unique", WriteRequest(WriteMode.UNIQUE))
        await writing.abandon()
        self.assertEqual(await listed(storage), {})
        await refused(begin(storage, str(writing.path), b"", WriteRequest(offset=3)), StorageError)
