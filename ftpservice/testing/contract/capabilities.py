"""The storage contract for optional interfaces; those that a storage lacks are not tested."""

# ruff: noqa: D102 (the name of a test says what has to hold)

from __future__ import annotations

import hashlib
import zlib

from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import (
    BadOffset,
    Busy,
    Denied,
    IsDirectory,
    NotEmpty,
    NotSupported,
    PathNotFound,
)
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
    IStorage,
    WriteMode,
    WriteRequest,
)
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
    supports_mode,
)
from ftpservice.wire.entry import Kind

__all__ = ["AttributeContract", "HashContract", "PartialContract", "RemovalContract"]

DAY = 86_400.0


class HashContract(ContractCase):
    """`IHashes`."""

    @contract_test
    async def test_digests_are_right(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        data = bytes(range(256)) * 5000
        await create_file(storage, "/file", data)
        names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
        for algorithm, name in names.items():
            digest = await hashes.hash(path_at("/file"), algorithm, 0, None)
            self.assertEqual(digest.lower(), hashlib.new(name, data).hexdigest())
        digest = await hashes.hash(path_at("/file"), "CRC32", 0, None)
        self.assertEqual(digest.lower(), f"{zlib.crc32(data):08x}")

    @contract_test
    async def test_a_range_of_a_file_can_be_digested(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        await create_file(storage, "/file", b"0123456789")
        for start, end in ((0, 4), (3, 7), (5, None), (10, 10), (0, 0), (10, None)):
            digest = await hashes.hash(path_at("/file"), "SHA-256", start, end)
            wanted = hashlib.sha256(b"0123456789"[start:end]).hexdigest()
            self.assertEqual(digest.lower(), wanted)
        for start, end in ((0, 11), (11, None), (7, 3)):
            await assert_raises(hashes.hash(path_at("/file"), "SHA-256", start, end), BadOffset)

    @contract_test
    async def test_only_files_are_digested(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        await assert_raises(hashes.hash(path_at("/none"), "MD5", 0, None), PathNotFound)
        await assert_raises(hashes.hash(path_at("/"), "MD5", 0, None), IsDirectory)

    @contract_test
    async def test_a_digest_may_be_cancelled(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        await create_file(storage, "/file", b"x" * 3_000_000)
        await cancel(hashes.hash(path_at("/file"), "SHA-512", 0, None))
        await storage.remove_file(path_at("/file"))


class AttributeContract(ContractCase):
    """`ISetTimes`, `ISetMode` and `IFreeSpace`."""

    @contract_test
    async def test_the_modification_time_can_be_set(self, storage: IStorage) -> None:
        times = ISetTimes(storage, None)
        if times is None:
            return
        await create_file(storage, "/file")
        await storage.make_directory(path_at("/folder"))
        for name in ("/file", "/folder"):
            await times.set_times(path_at(name), modified=1_000_000 * DAY / 100)
            entry = await storage.stat(path_at(name))
            self.assertAlmostEqual(entry.modified, 1_000_000 * DAY / 100, delta=1)
        await assert_raises(times.set_times(path_at("/none"), modified=DAY), PathNotFound)

    @contract_test
    async def test_the_creation_time_is_set_or_refused(self, storage: IStorage) -> None:
        times = ISetTimes(storage, None)
        if times is None:
            return
        await create_file(storage, "/file")
        if times.creation:
            await times.set_times(path_at("/file"), created=DAY)
            self.assertEqual((await storage.stat(path_at("/file"))).created, DAY)
        else:
            await assert_raises(times.set_times(path_at("/file"), created=DAY), NotSupported)

    @contract_test
    async def test_permission_bits_can_be_set(self, storage: IStorage) -> None:
        modes = ISetMode(storage, None)
        if modes is None:
            return
        await create_file(storage, "/file")
        await modes.set_mode(path_at("/file"), 0o640)
        self.assertEqual((await storage.stat(path_at("/file"))).mode & 0o777, 0o640)
        await assert_raises(modes.set_mode(path_at("/none"), 0o640), PathNotFound)

    @contract_test
    async def test_the_owner_keeps_access_to_the_root(self, storage: IStorage) -> None:
        modes = ISetMode(storage, None)
        if modes is None:
            return
        before = (await storage.stat(path_at("/"))).mode
        for mode in (0o000, 0o077, 0o600, 0o577):
            await assert_raises(modes.set_mode(path_at("/"), mode), Denied)
        self.assertEqual((await storage.stat(path_at("/"))).mode, before)
        await modes.set_mode(path_at("/"), 0o750)
        self.assertEqual((await storage.stat(path_at("/"))).mode & 0o777, 0o750)

    @contract_test
    async def test_a_new_file_has_the_requested_permission_bits(self, storage: IStorage) -> None:
        if ISetMode(storage, None) is None:
            return
        entry = await create_file(storage, "/file", b"", WriteRequest(mode=0o600))
        self.assertEqual(entry.mode & 0o777, 0o600)

    @contract_test
    async def test_a_replaced_file_keeps_its_permission_bits(self, storage: IStorage) -> None:
        modes = ISetMode(storage, None)
        if modes is None:
            return
        await create_file(storage, "/file", b"old")
        await modes.set_mode(path_at("/file"), 0o640)
        entry = await create_file(storage, "/file", b"new")
        self.assertEqual(entry.mode & 0o777, 0o640)

    @contract_test
    async def test_free_space_is_a_number_of_bytes(self, storage: IStorage) -> None:
        space = IFreeSpace(storage, None)
        if space is not None:
            self.assertGreaterEqual(await space.free_space(path_at("/")), 0)


class PartialContract(ContractCase):
    """`IPartials`."""

    @contract_test
    async def test_a_partial_upload_has_name_size_and_kind(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        await (await begin_upload(storage, "/file", b"half")).abandon()
        entry = await partials.partial(path_at("/file"))
        self.assertEqual((entry.name, entry.size, entry.kind), ("file", 4, Kind.FILE))

    @contract_test
    async def test_without_an_interruption_there_is_no_partial_upload(
        self, storage: IStorage
    ) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        await create_file(storage, "/file", b"whole")
        for name in ("/file", "/none", "/none/file", "/"):
            await assert_raises(partials.partial(path_at(name)), PathNotFound)


class RemovalContract(ContractCase):
    """`IConditionalRemoval`."""

    @contract_test
    async def test_what_nobody_has_touched_is_removed(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            return
        await create_file(storage, "/file", b"old")
        await storage.make_directory(path_at("/folder"))
        for name, entry in (await list_directory(storage)).items():
            await removal.remove_unchanged(path_at(f"/{name}"), entry)
        self.assertEqual(await list_directory(storage), {})

    @contract_test
    async def test_a_file_that_was_replaced_stays(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            return
        await create_file(storage, "/file", b"old")
        entry = (await list_directory(storage))["file"]
        await create_file(storage, "/file", b"new")
        await assert_raises(removal.remove_unchanged(path_at("/file"), entry), Busy)
        self.assertEqual(await read_file(storage, "/file"), b"new")
        self.assertEqual(set(await list_directory(storage)), {"file"})

    @contract_test
    async def test_another_file_under_the_name_stays(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            return
        await create_file(storage, "/file", b"old")
        await create_file(storage, "/other", b"new")
        entry = (await list_directory(storage))["file"]
        await storage.rename(path_at("/other"), path_at("/file"))
        await assert_raises(removal.remove_unchanged(path_at("/file"), entry), Busy)
        self.assertEqual(await read_file(storage, "/file"), b"new")

    @contract_test
    async def test_a_file_that_is_appended_to_stays(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None or not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        entry = (await list_directory(storage))["file"]
        appending = await begin_upload(storage, "/file", b"", WriteRequest(WriteMode.APPEND))
        await assert_raises(removal.remove_unchanged(path_at("/file"), entry), Busy)
        await appending.write(b", and new")
        await assert_raises(removal.remove_unchanged(path_at("/file"), entry), Busy)
        await appending.commit()
        await assert_raises(removal.remove_unchanged(path_at("/file"), entry), Busy)
        self.assertEqual(await read_file(storage, "/file"), b"old, and new")

    @contract_test
    async def test_a_file_that_is_read_can_be_read_to_its_end(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            return
        await create_file(storage, "/file", b"content")
        entry = (await list_directory(storage))["file"]
        reading = await storage.open_reading(path_at("/file"))
        try:
            try:
                await removal.remove_unchanged(path_at("/file"), entry)
            except Busy:
                self.assertEqual(await read_file(storage, "/file"), b"content")
            self.assertEqual(await reading.read(0, 100), b"content")
        finally:
            reading.close()

    @contract_test
    async def test_what_is_gone_is_reported(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            return
        await create_file(storage, "/file", b"old")
        entry = (await list_directory(storage))["file"]
        await storage.remove_file(path_at("/file"))
        await assert_raises(removal.remove_unchanged(path_at("/file"), entry), PathNotFound)
        await assert_raises(removal.remove_unchanged(path_at("/no/file"), entry), PathNotFound)

    @contract_test
    async def test_a_directory_with_anything_in_it_stays(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            return
        await storage.make_directory(path_at("/folder"))
        await create_file(storage, "/folder/file", b"content")
        entry = (await list_directory(storage))["folder"]
        await assert_raises(removal.remove_unchanged(path_at("/folder"), entry), NotEmpty)
        self.assertEqual(await read_file(storage, "/folder/file"), b"content")

    @contract_test
    async def test_partial_uploads_stay(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is None or IPartials(storage, None) is None:
            return
        await storage.make_directory(path_at("/folder"))
        await create_file(storage, "/folder/file", b"old")
        await (await begin_upload(storage, "/folder/file", b"half")).abandon()
        entry = (await list_directory(storage, "/folder"))["file"]
        await removal.remove_unchanged(path_at("/folder/file"), entry)
        self.assertEqual(await partial_size(storage, "/folder/file"), 4)
        folder = (await list_directory(storage))["folder"]
        await assert_raises(removal.remove_unchanged(path_at("/folder"), folder), NotEmpty)
        self.assertEqual(await partial_size(storage, "/folder/file"), 4)

    @contract_test
    async def test_the_root_stays(self, storage: IStorage) -> None:
        removal = IConditionalRemoval(storage, None)
        if removal is not None:
            entry = await storage.stat(path_at("/"))
            await assert_raises(removal.remove_unchanged(path_at("/"), entry), Denied)
