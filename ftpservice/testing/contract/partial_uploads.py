"""What a storage must do with interrupted uploads: tell, resume and remove them, lose none."""

# ruff: noqa: D102 (the name of a test says what must hold)

from __future__ import annotations

from ftpservice.storage.errors import (
    BadOffset,
    BeingUploaded,
    HasUploads,
    NoSpace,
    PathNotFound,
)
from ftpservice.storage.interfaces import (
    IPartials,
    IStorage,
    PartialUpload,
    WriteMode,
    WriteRequest,
)
from ftpservice.testing.contract.case import (
    ContractCase,
    arrived,
    at,
    begin,
    checks,
    content,
    listed,
    make,
    partial,
    refused,
    supports,
    upload,
)

__all__ = ["ActiveUploadContract", "FullRecoveryContract", "InterruptedUploadContract"]


async def told(storage: IStorage, everybody: bool = False) -> list[PartialUpload]:
    """Return what the storage tells of all partials, sorted by path."""
    partials = IPartials(storage)
    return sorted(await partials.all_partials(everybody), key=lambda one: str(one.path))


class InterruptedUploadContract(ContractCase):
    """Nothing is mixed, and what an owner is told of the owner can remove."""

    @checks
    async def test_beyond_a_partial_nothing_of_the_file_is_kept(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await make(storage, "/file", b"A" * 30)
        await (await begin(storage, "/file", b"B" * 10)).abandon()
        for how in (WriteRequest(offset=30), WriteRequest(offset=15)):
            await refused(begin(storage, "/file", b"", how), BadOffset)
        self.assertEqual(await partial(storage, "/file"), 10)
        await make(storage, "/file", b"B" * 70, WriteRequest(offset=10))
        self.assertEqual(await content(storage, "/file"), b"B" * 80)

    @checks
    async def test_what_counts_in_the_partial_is_not_filled_from_the_file(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await make(storage, "/file", b"A" * 30)
        request = WriteRequest(offset=10, partial_only=True)
        await refused(begin(storage, "/file", b"", request), BadOffset)
        self.assertEqual(await content(storage, "/file"), b"A" * 30)

    @checks
    async def test_removing_what_never_became_a_file_removes_the_partial(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin(storage, "/file", b"half")).abandon()
        await storage.remove_file(at("/file"))
        self.assertIsNone(await partial(storage, "/file"))
        await refused(storage.remove_file(at("/file")), PathNotFound)

    @checks
    async def test_a_removed_file_takes_its_partial_along(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await make(storage, "/file", b"old")
        await (await begin(storage, "/file", b"half of the new")).abandon()
        await storage.remove_file(at("/file"))
        self.assertIsNone(await partial(storage, "/file"))

    @checks
    async def test_partials_are_told_and_dropped_by_path(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        await storage.make_directory(at("/folder"))
        for name in ("/file", "/folder/file"):
            await (await begin(storage, name, b"half")).abandon()
        await make(storage, "/whole", b"whole")
        expected = [(at("/file"), 4, False), (at("/folder/file"), 4, False)]
        self.assertEqual([(one.path, one.size, one.is_active) for one in await told(storage)],
                         expected)  # fmt: skip
        dropped = await partials.drop_partials(at("/folder/file"))
        self.assertEqual([one.path for one in dropped], [at("/folder/file")])
        await refused(partials.drop_partials(at("/folder/file")), PathNotFound)
        self.assertEqual([one.path for one in await told(storage)], [at("/file")])
        self.assertEqual(len(await partials.drop_partials()), 1)
        self.assertEqual(await told(storage), [])
        self.assertEqual(set(await listed(storage)), {"folder", "whole"})

    @checks
    async def test_those_of_others_are_told_and_dropped_on_request(self, storage: IStorage) -> None:
        other, partials = await arrived(self.other_owner_storage()), IPartials(storage, None)
        if other is None or partials is None:
            return
        for one in (storage, other):
            await (await begin(one, "/file", b"half")).abandon()
        self.assertEqual(len(await told(storage)), 1)
        self.assertEqual(len({one.owner for one in await told(storage, everybody=True)}), 2)
        await partials.drop_partials(at("/file"))
        self.assertEqual(await partial(other, "/file"), 4)
        await partials.drop_partials(at("/file"), everybody=True)
        self.assertIsNone(await partial(other, "/file"))

    @checks
    async def test_a_directory_takes_the_owners_partials_along(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await storage.make_directory(at("/folder"))
        await (await begin(storage, "/folder/file", b"half")).abandon()
        await storage.remove_directory(at("/folder"))
        self.assertEqual(await listed(storage), {})
        await storage.make_directory(at("/folder"))
        self.assertIsNone(await partial(storage, "/folder/file"))

    @checks
    async def test_a_directory_with_partials_of_others_stays(self, storage: IStorage) -> None:
        other = await arrived(self.other_owner_storage())
        if other is None or IPartials(storage, None) is None:
            return
        await storage.make_directory(at("/folder"))
        await (await begin(storage, "/folder/mine", b"half")).abandon()
        await (await begin(other, "/folder/theirs", b"half")).abandon()
        await refused(storage.remove_directory(at("/folder")), HasUploads)
        self.assertEqual(await partial(storage, "/folder/mine"), 4)
        self.assertEqual(await partial(other, "/folder/theirs"), 4)
        await other.remove_file(at("/folder/theirs"))
        await storage.remove_directory(at("/folder"))

    @checks
    async def test_a_renamed_directory_takes_its_partials_along(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await storage.make_directory(at("/folder"))
        await (await begin(storage, "/folder/file", b"half")).abandon()
        await storage.rename(at("/folder"), at("/moved"))
        self.assertEqual(await partial(storage, "/moved/file"), 4)


class ActiveUploadContract(ContractCase):
    """Uploads under way, while others change what is around them."""

    @checks
    async def test_an_upload_under_way_is_not_resumed(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await make(storage, "/file", b"old" * 10)
        writing = await begin(storage, "/file", b"new" * 30_000)
        await refused(begin(storage, "/file", b"", WriteRequest(offset=3)), BeingUploaded)
        await writing.write(b"end")
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"new" * 30_000 + b"end")

    @checks
    async def test_an_upload_under_way_is_not_removed(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        writing = await begin(storage, "/file", b"new" * 30_000)
        await refused(storage.remove_file(at("/file")), BeingUploaded)
        await refused(partials.drop_partials(at("/file")), BeingUploaded)
        self.assertEqual([one.is_active for one in await told(storage)], [True])
        self.assertEqual(await partials.drop_partials(), [])
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"new" * 30_000)
        self.assertEqual(await told(storage), [])

    @checks
    async def test_an_upload_survives_what_happens_to_the_name(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return  # a storage without transactions: what arrives is seen, and can be renamed
        await make(storage, "/file", b"old")
        await make(storage, "/other", b"other")
        writing = await begin(storage, "/file", b"new")
        await storage.remove_file(at("/file"))
        await storage.rename(at("/other"), at("/file"))
        await writing.commit()
        self.assertEqual(await content(storage, "/file"), b"new")

    @checks
    async def test_an_append_to_a_file_renamed_meanwhile_is_one(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await make(storage, "/file", b"old")
        writing = await begin(storage, "/file", b" and more", WriteRequest(WriteMode.APPEND))
        await storage.rename(at("/file"), at("/renamed"))
        self.assertNotEqual((await writing.commit()).name, "file")
        self.assertEqual(await content(storage, "/renamed"), b"old and more")
        self.assertEqual(set(await listed(storage)), {"renamed"})

    @checks
    async def test_an_append_to_a_file_removed_meanwhile_is_none(self, storage: IStorage) -> None:
        if not await supports(storage, WriteMode.APPEND):
            return
        await make(storage, "/file", b"old")
        writing = await begin(storage, "/file", b" and more", WriteRequest(WriteMode.APPEND))
        await storage.remove_file(at("/file"))
        await refused(writing.commit(), PathNotFound)
        self.assertEqual(await listed(storage), {})


class FullRecoveryContract(ContractCase):
    """A storage that was full."""

    @checks
    async def test_what_did_not_fit_takes_no_space(self, storage: IStorage) -> None:
        small = await arrived(self.small_storage(1000))
        if small is None:
            self.assertEqual(await listed(storage), {})
            return
        await refused(make(small, "/large", b"n" * 1_000_000), NoSpace)
        self.assertIsNone(await partial(small, "/large"))
        await upload(small, "/little", b"n" * 400, WriteMode.REPLACE)
        self.assertEqual(await content(small, "/little"), b"n" * 400)
