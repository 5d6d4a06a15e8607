"""The storage contract for partial uploads: listing, resuming and removing them."""

# ruff: noqa: D102 (the name of a test says what has to hold)

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
from ftpservice.storage.interrupted_uploads import IInterruptedUploads, InterruptedUpload
from ftpservice.testing.contract.case import (
    ContractCase,
    assert_raises,
    begin_upload,
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
    "ActiveUploadContract",
    "InterruptedNoteContract",
    "InterruptedUploadContract",
    "SpaceRecoveryContract",
]


async def list_partials(storage: IStorage, everybody: bool = False) -> list[PartialUpload]:
    """Return all partial uploads that the storage lists, sorted by path."""
    partials = IPartials(storage)
    return sorted(await partials.all_partials(everybody), key=lambda one: str(one.path))


async def kept_note(uploads: IInterruptedUploads, name: str) -> tuple[int, str | None, bool] | None:
    """Return the size and the note of an interrupted upload, and whether it is under way."""
    kept: InterruptedUpload | None = await uploads.interrupted(path_at(name))
    return None if kept is None else (kept.size, kept.note, kept.is_active)


class InterruptedUploadContract(ContractCase):
    """Partial uploads are not mixed, and owners can remove those that they can list."""

    @contract_test
    async def test_an_offset_beyond_the_partial_upload_keeps_nothing_of_the_file(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await create_file(storage, "/file", b"A" * 30)
        await (await begin_upload(storage, "/file", b"B" * 10)).abandon()
        for how in (WriteRequest(offset=30), WriteRequest(offset=15)):
            await assert_raises(begin_upload(storage, "/file", b"", how), BadOffset)
        self.assertEqual(await partial_size(storage, "/file"), 10)
        await create_file(storage, "/file", b"B" * 70, WriteRequest(offset=10))
        self.assertEqual(await read_file(storage, "/file"), b"B" * 80)

    @contract_test
    async def test_an_offset_in_the_partial_upload_is_not_filled_from_the_file(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await create_file(storage, "/file", b"A" * 30)
        request = WriteRequest(offset=10, partial_only=True)
        await assert_raises(begin_upload(storage, "/file", b"", request), BadOffset)
        self.assertEqual(await read_file(storage, "/file"), b"A" * 30)

    @contract_test
    async def test_removing_a_file_that_was_never_complete_removes_the_partial_upload(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await (await begin_upload(storage, "/file", b"half")).abandon()
        await storage.remove_file(path_at("/file"))
        self.assertIsNone(await partial_size(storage, "/file"))
        await assert_raises(storage.remove_file(path_at("/file")), PathNotFound)

    @contract_test
    async def test_removing_a_file_removes_its_partial_upload(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await create_file(storage, "/file", b"old")
        await (await begin_upload(storage, "/file", b"half of the new")).abandon()
        await storage.remove_file(path_at("/file"))
        self.assertIsNone(await partial_size(storage, "/file"))

    @contract_test
    async def test_partial_uploads_are_listed_and_removed_by_path(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        await storage.make_directory(path_at("/folder"))
        for name in ("/file", "/folder/file"):
            await (await begin_upload(storage, name, b"half")).abandon()
        await create_file(storage, "/whole", b"whole")
        expected = [(path_at("/file"), 4, False), (path_at("/folder/file"), 4, False)]
        listed = [(one.path, one.size, one.is_active) for one in await list_partials(storage)]
        self.assertEqual(listed, expected)
        dropped = await partials.drop_partials(path_at("/folder/file"))
        self.assertEqual([one.path for one in dropped], [path_at("/folder/file")])
        await assert_raises(partials.drop_partials(path_at("/folder/file")), PathNotFound)
        self.assertEqual([one.path for one in await list_partials(storage)], [path_at("/file")])
        self.assertEqual(len(await partials.drop_partials()), 1)
        self.assertEqual(await list_partials(storage), [])
        self.assertEqual(set(await list_directory(storage)), {"folder", "whole"})

    @contract_test
    async def test_those_of_other_owners_are_listed_and_removed_on_request(
        self, storage: IStorage
    ) -> None:
        other, partials = await result_of(self.other_owner_storage()), IPartials(storage, None)
        if other is None or partials is None:
            return
        for one in (storage, other):
            await (await begin_upload(one, "/file", b"half")).abandon()
        self.assertEqual(len(await list_partials(storage)), 1)
        self.assertEqual(
            len({one.owner for one in await list_partials(storage, everybody=True)}), 2
        )
        await partials.drop_partials(path_at("/file"))
        self.assertEqual(await partial_size(other, "/file"), 4)
        await partials.drop_partials(path_at("/file"), everybody=True)
        self.assertIsNone(await partial_size(other, "/file"))

    @contract_test
    async def test_removing_a_directory_removes_the_owners_partial_uploads(
        self, storage: IStorage
    ) -> None:
        if IPartials(storage, None) is None:
            return
        await storage.make_directory(path_at("/folder"))
        await (await begin_upload(storage, "/folder/file", b"half")).abandon()
        await storage.remove_directory(path_at("/folder"))
        self.assertEqual(await list_directory(storage), {})
        await storage.make_directory(path_at("/folder"))
        self.assertIsNone(await partial_size(storage, "/folder/file"))

    @contract_test
    async def test_a_directory_with_partial_uploads_of_others_is_not_removed(
        self, storage: IStorage
    ) -> None:
        other = await result_of(self.other_owner_storage())
        if other is None or IPartials(storage, None) is None:
            return
        await storage.make_directory(path_at("/folder"))
        await (await begin_upload(storage, "/folder/mine", b"half")).abandon()
        await (await begin_upload(other, "/folder/theirs", b"half")).abandon()
        await assert_raises(storage.remove_directory(path_at("/folder")), HasUploads)
        self.assertEqual(await partial_size(storage, "/folder/mine"), 4)
        self.assertEqual(await partial_size(other, "/folder/theirs"), 4)
        await other.remove_file(path_at("/folder/theirs"))
        await storage.remove_directory(path_at("/folder"))

    @contract_test
    async def test_a_renamed_directory_keeps_its_partial_uploads(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await storage.make_directory(path_at("/folder"))
        await (await begin_upload(storage, "/folder/file", b"half")).abandon()
        await storage.rename(path_at("/folder"), path_at("/moved"))
        self.assertEqual(await partial_size(storage, "/moved/file"), 4)


class ActiveUploadContract(ContractCase):
    """Uploads under way while other sessions change the tree."""

    @contract_test
    async def test_an_upload_under_way_is_not_resumed(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return
        await create_file(storage, "/file", b"old" * 10)
        writing = await begin_upload(storage, "/file", b"new" * 30_000)
        await assert_raises(
            begin_upload(storage, "/file", b"", WriteRequest(offset=3)), BeingUploaded
        )
        await writing.write(b"end")
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"new" * 30_000 + b"end")

    @contract_test
    async def test_an_upload_under_way_is_not_removed(self, storage: IStorage) -> None:
        partials = IPartials(storage, None)
        if partials is None:
            return
        writing = await begin_upload(storage, "/file", b"new" * 30_000)
        await assert_raises(storage.remove_file(path_at("/file")), BeingUploaded)
        await assert_raises(partials.drop_partials(path_at("/file")), BeingUploaded)
        self.assertEqual([one.is_active for one in await list_partials(storage)], [True])
        self.assertEqual(await partials.drop_partials(), [])
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"new" * 30_000)
        self.assertEqual(await list_partials(storage), [])

    @contract_test
    async def test_an_upload_survives_changes_of_its_name(self, storage: IStorage) -> None:
        if IPartials(storage, None) is None:
            return  # a storage without transactions: what arrives is seen, and can be renamed
        await create_file(storage, "/file", b"old")
        await create_file(storage, "/other", b"other")
        writing = await begin_upload(storage, "/file", b"new")
        await storage.remove_file(path_at("/file"))
        await storage.rename(path_at("/other"), path_at("/file"))
        await writing.commit()
        self.assertEqual(await read_file(storage, "/file"), b"new")

    @contract_test
    async def test_an_append_to_a_file_renamed_meanwhile_succeeds(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(storage, "/file", b" and more", WriteRequest(WriteMode.APPEND))
        await storage.rename(path_at("/file"), path_at("/renamed"))
        self.assertNotEqual((await writing.commit()).name, "file")
        self.assertEqual(await read_file(storage, "/renamed"), b"old and more")
        self.assertEqual(set(await list_directory(storage)), {"renamed"})

    @contract_test
    async def test_an_append_to_a_file_removed_meanwhile_fails(self, storage: IStorage) -> None:
        if not await supports_mode(storage, WriteMode.APPEND):
            return
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(storage, "/file", b" and more", WriteRequest(WriteMode.APPEND))
        await storage.remove_file(path_at("/file"))
        await assert_raises(writing.commit(), PathNotFound)
        self.assertEqual(await list_directory(storage), {})


class SpaceRecoveryContract(ContractCase):
    """A storage that was full, and has space again."""

    @contract_test
    async def test_an_upload_that_did_not_fit_takes_no_space(self, storage: IStorage) -> None:
        small = await result_of(self.small_storage(1000))
        if small is None:
            self.assertEqual(await list_directory(storage), {})
            return
        await assert_raises(create_file(small, "/large", b"n" * 1_000_000), NoSpace)
        self.assertIsNone(await partial_size(small, "/large"))
        await upload_file(small, "/little", b"n" * 400, WriteMode.REPLACE)
        self.assertEqual(await read_file(small, "/little"), b"n" * 400)


class InterruptedNoteContract(ContractCase):
    """The notes of interrupted uploads; tested only with `IInterruptedUploads`."""

    keeps_notes = True
    """Whether what stores the files keeps notes from ``open_writing`` on, if it keeps any."""

    @contract_test
    async def test_an_upload_over_a_file_leaves_its_note_even_if_nothing_arrived(
        self, storage: IStorage
    ) -> None:
        uploads = IInterruptedUploads(storage, None)
        if uploads is None or not self.keeps_notes:
            return
        await create_file(storage, "/file", b"old")
        self.assertIsNone(await uploads.interrupted(path_at("/file")))
        writing = await begin_upload(storage, "/file", b"", WriteRequest(note="me"))
        self.assertEqual(await kept_note(uploads, "/file"), (0, "me", True))
        await writing.abandon()
        self.assertEqual(await kept_note(uploads, "/file"), (0, "me", False))
        self.assertIsNone(await partial_size(storage, "/file"))
        self.assertEqual(await list_partials(storage), [])
        self.assertEqual(await read_file(storage, "/file"), b"old")
        self.assertEqual(set(await list_directory(storage)), {"file"})

    @contract_test
    async def test_the_note_ends_with_the_upload(self, storage: IStorage) -> None:
        uploads = IInterruptedUploads(storage, None)
        if uploads is None or not self.keeps_notes:
            return
        await create_file(storage, "/file", b"old")
        for data in (b"new", b"new" * 30_000):
            await (await begin_upload(storage, "/file", b"", WriteRequest(note="me"))).abandon()
            await create_file(storage, "/file", data, WriteRequest(note="me"))
            self.assertIsNone(await uploads.interrupted(path_at("/file")))
            self.assertEqual(await read_file(storage, "/file"), data)
        await (await begin_upload(storage, "/file", b"", WriteRequest(note="me"))).abandon()
        await storage.remove_file(path_at("/file"))
        self.assertIsNone(await uploads.interrupted(path_at("/file")))

    @contract_test
    async def test_a_note_is_replaced_and_dropped(self, storage: IStorage) -> None:
        uploads = IInterruptedUploads(storage, None)
        if uploads is None or not self.keeps_notes:
            return
        await create_file(storage, "/file", b"old")
        self.assertFalse(await uploads.annotate(path_at("/file"), "me"))
        await (await begin_upload(storage, "/file", b"half", WriteRequest(note="me"))).abandon()
        for note in ("other", ""):
            self.assertTrue(await uploads.annotate(path_at("/file"), note))
            self.assertEqual(await kept_note(uploads, "/file"), (4, note, False))
        await (await begin_upload(storage, "/file", b"", WriteRequest(note="me"))).abandon()
        self.assertTrue(await uploads.annotate(path_at("/file"), ""))
        self.assertIsNone(await uploads.interrupted(path_at("/file")))

    @contract_test
    async def test_a_refused_resume_leaves_the_note(self, storage: IStorage) -> None:
        uploads = IInterruptedUploads(storage, None)
        if uploads is None or not self.keeps_notes:
            return
        await create_file(storage, "/file", b"old" * 10)
        for data in (b"", b"half"):
            await (await begin_upload(storage, "/file", data, WriteRequest(note="me"))).abandon()
            request = WriteRequest(offset=31, note="other")
            await assert_raises(begin_upload(storage, "/file", b"", request), BadOffset)
            self.assertEqual(await kept_note(uploads, "/file"), (len(data), "me", False))

    @contract_test
    async def test_another_owner_finds_no_note(self, storage: IStorage) -> None:
        other, uploads = (
            await result_of(self.other_owner_storage()),
            IInterruptedUploads(storage, None),
        )
        if other is None or uploads is None:
            return
        await create_file(storage, "/file", b"old")
        await (await begin_upload(storage, "/file", b"half", WriteRequest(note="me"))).abandon()
        self.assertIsNone(await IInterruptedUploads(other).interrupted(path_at("/file")))
        await IInterruptedUploads(other).annotate(path_at("/file"), "other")
        if self.keeps_notes:
            self.assertEqual(await kept_note(uploads, "/file"), (4, "me", False))
