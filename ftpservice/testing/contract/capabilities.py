"""The storage contract for optional capabilities; what a storage does not offer is not asked."""

# ruff: noqa: D102 (the name of a test says what must hold)

from __future__ import annotations

import hashlib
import zlib

from ftpservice.storage.errors import BadOffset, Denied, IsDirectory, NotSupported, PathNotFound
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
    IStorage,
    WriteRequest,
)
from ftpservice.testing.contract.case import ContractCase, at, begin, checks, cut, make, refused
from ftpservice.wire.entry import Kind

__all__ = ["AttributeContract", "HashContract", "PartialContract"]

DAY = 86_400.0


class HashContract(ContractCase):
    """`IHashes`."""

    @checks
    async def test_digests_are_right(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        data = bytes(range(256)) * 5000
        await make(storage, "/file", data)
        names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
        for algorithm, name in names.items():
            digest = await hashes.hash(at("/file"), algorithm, 0, None)
            self.assertEqual(digest.lower(), hashlib.new(name, data).hexdigest())
        digest = await hashes.hash(at("/file"), "CRC32", 0, None)
        self.assertEqual(digest.lower(), f"{zlib.crc32(data):08x}")

    @checks
    async def test_a_stretch_of_a_file_can_be_digested(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        await make(storage, "/file", b"0123456789")
        for start, end in ((0, 4), (3, 7), (5, None), (10, 10), (0, 0), (10, None)):
            digest = await hashes.hash(at("/file"), "SHA-256", start, end)
            wanted = hashlib.sha256(b"0123456789"[start:end]).hexdigest()
            self.assertEqual(digest.lower(), wanted)
        for start, end in ((0, 11), (11, None), (7, 3)):
            await refused(hashes.hash(at("/file"), "SHA-256", start, end), BadOffset)

    @checks
    async def test_only_files_are_digested(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        await refused(hashes.hash(at("/none"), "MD5", 0, None), PathNotFound)
        await refused(hashes.hash(at("/"), "MD5", 0, None), IsDirectory)

    @checks
    async def test_a_digest_may_be_cancelled(self, storage: IStorage) -> None:
        hashes = IHashes(storage, None)
        if hashes is None:
            return
        await make(storage, "/file", b"x" * 3_000_000)
        await cut(hashes.hash(at("/file"), "SHA-512", 0, None))
        await storage.remove_file(at("/file"))


class AttributeContract(ContractCase):
    """`ISetTimes`, `ISetMode` and `IFreeSpace`."""

    @checks
    async def test_the_time_of_change_can_be_set(self, storage: IStorage) -> None:
        times = ISetTimes(storage, None)
        if times is None:
            return
        await make(storage, "/file")
        await storage.make_directory(at("/folder"))
        for name in ("/file", "/folder"):
            await times.set_times(at(name), modified=1_000_000 * DAY / 100)
            entry = await storage.stat(at(name))
            self.assertAlmostEqual(entry.modified, 1_000_000 * DAY / 100, delta=1)
        await refused(times.set_times(at("/none"), modified=DAY), PathNotFound)

    @checks
    async def test_the_time_of_creation_is_set_or_refused(self, storage: IStorage) -> None:
        times = ISetTimes(storage, None)
        if times is None:
            return
        await make(storage, "/file")
        if times.creation:
            await times.set_times(at("/file"), created=DAY)
            self.assertEqual((await storage.stat(at("/file"))).created, DAY)
        else:
            await refused(times.set_times(at("/file"), created=DAY), NotSupported)

    @checks
    async def test_permission_bits_can_be_set(self, storage: IStorage) -> None:
        modes = ISetMode(storage, None)
        if modes is None:
            return
        await make(storage, "/file")
        await modes.set_mode(at("/file"), 0o640)
        self.assertEqual((await storage.stat(at("/file"))).mode & 0o777, 0o640)
        await refused(modes.set_mode(at("/none"), 0o640), PathNotFound)

    @checks
    async def test_the_root_keeps_its_owners_bits(self, storage: IStorage) -> None:
        modes = ISetMode(storage, None)
        if modes is None:
            return
        before = (await storage.stat(at("/"))).mode
        for mode in (0o000, 0o077, 0o600, 0o577):
            await refused(modes.set_mode(at("/"), mode), Denied)
        self.assertEqual((await storage.stat(at("/"))).mode, before)
        await modes.set_mode(at("/"), 0o750)
        self.assertEqual((await storage.stat(at("/"))).mode & 0o777, 0o750)

    @checks
    async def test_a_new_file_has_the_bits_asked_for(self, storage: IStorage) -> None:
        if ISetMode(storage, None) is None:
            return
        entry = await make(storage, "/file", b"", WriteRequest(mode=0o600))
        self.assertEqual(entry.mode & 0o777, 0o600)

    @checks
    async def test_a_replaced_file_keeps_its_bits(self, storage: IStorage) -> None:
        modes = ISetMode(storage, None)
        if modes is None:
            return
        await make(storage, "/file", b"old")
        await modes.set_mode(at("/file"), 0o640)
        entry = await make(storage, "/file", b"new")
        self.assertEqual(entry.mode & 0o777, 0o640)

    @checks
    async def test_free_space_is_a_number_of_bytes(self, storage: IStorage) -> None:
        space = IFreeSpace(storage, None)
        if space is not None:
            self.assertGreaterEqual(await space.free_space(at("/")), 0)


class PartialContract(ContractCase):
    """`IPartials`."""

    @checks
    async def test_a_partial_tells_name_size_and_kind(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        await (await begin(storage, "/file", b"half")).abandon()
        entry = await partials.partial(at("/file"))
        self.assertEqual((entry.name, entry.size, entry.kind), ("file", 4, Kind.FILE))

    @checks
    async def test_what_was_never_cut_has_no_partial(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        await make(storage, "/file", b"whole")
        for name in ("/file", "/none", "/none/file", "/"):
            await refused(partials.partial(at(name)), PathNotFound)
