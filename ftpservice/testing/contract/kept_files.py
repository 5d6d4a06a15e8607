"""The trash: what is deleted and overwritten can be restored, and nothing else reaches it."""

# ruff: noqa: D102 (the name of a test says what has to hold)

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.storage.errors import Exists, IsDirectory, PathNotFound
from ftpservice.storage.interfaces import IStorage, WriteMode, WriteRequest
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import IKeepsTrash, ITrash, TrashedFile, TrashRule
from ftpservice.testing.contract.case import (
    ContractCase,
    assert_raises,
    begin_upload,
    contract_test,
    create_file,
    list_directory,
    path_at,
    read_file,
    result_of,
)
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT

__all__ = ["TrashContract"]

RULE = TrashRule(86_400, versions=3)


def keeping(storage: IStorage) -> IStorage | None:
    """Return a storage that keeps what is deleted; None if it cannot."""
    keeps = IKeepsTrash(storage, None)
    if keeps is not None:
        kept: IStorage = keeps.with_trash(RULE)
        return kept
    trash = ITrash(storage, None)
    return storage if trash is not None and trash.rule is not None else None


async def trashed(storage: IStorage, path: str = "/") -> Sequence[TrashedFile]:
    """Return what is in the trash."""
    found: Sequence[TrashedFile] = await ITrash(storage).trashed(path_at(path))
    return found


class TrashContract(ContractCase):
    """`ITrash`."""

    @contract_test
    async def test_a_deleted_file_can_be_restored(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        await create_file(kept, "/file", b"data")
        await kept.remove_file(path_at("/file"))
        self.assertEqual(await list_directory(kept), {})
        [one] = await trashed(kept)
        facts = (one.path, one.kind, one.size, one.was_overwritten)
        self.assertEqual(facts, (path_at("/file"), Kind.FILE, 4, False))
        self.assertAlmostEqual(one.expires - one.deleted, ITrash(kept).rule.seconds, 1)
        entry = await ITrash(kept).restore(one, one.path, False)
        self.assertEqual((entry.name, entry.size), ("file", 4))
        self.assertEqual(await read_file(kept, "/file"), b"data")
        self.assertEqual(await trashed(kept), [])
        await assert_raises(ITrash(kept).restore(one, path_at("/again"), False), PathNotFound)

    @contract_test
    async def test_an_overwritten_file_can_be_restored(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        await create_file(kept, "/file", b"first")
        await create_file(kept, "/file", b"second")
        [one] = await trashed(kept, "/file")
        self.assertTrue(one.was_overwritten)
        await assert_raises(ITrash(kept).restore(one, one.path, False), Exists)
        self.assertEqual(await read_file(kept, "/file"), b"second")
        await ITrash(kept).restore(one, one.path, True)
        self.assertEqual(await read_file(kept, "/file"), b"first")
        [other] = await trashed(kept, "/file")
        self.assertEqual(other.size, len(b"second"))

    @contract_test
    async def test_a_file_that_a_rename_replaces_can_be_restored(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        await create_file(kept, "/old", b"old")
        await create_file(kept, "/new", b"new")
        await kept.rename(path_at("/new"), path_at("/old"))
        [one] = await trashed(kept)
        self.assertEqual((one.path, one.was_overwritten), (path_at("/old"), True))
        await ITrash(kept).restore(one, path_at("/other"), False)
        self.assertEqual(await read_file(kept, "/other"), b"old")
        self.assertEqual(await read_file(kept, "/old"), b"new")

    @contract_test
    async def test_there_are_only_so_many_versions_of_a_name(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        for number in range(8):
            await create_file(kept, "/latest", b"%d" % number)
        found = await trashed(kept)
        self.assertEqual(len(found), ITrash(kept).rule.versions)
        await ITrash(kept).restore(found[0], path_at("/restored"), False)
        self.assertEqual(await read_file(kept, "/restored"), b"6")
        self.assertEqual(await trashed(kept, "/late"), [])

    @contract_test
    async def test_what_is_not_replaced_is_not_kept(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        await create_file(kept, "/file", b"data")
        await (await begin_upload(kept, "/file", b"cut")).abandon()
        await assert_raises(
            begin_upload(kept, "/file", b"", WriteRequest(WriteMode.CREATE)), Exists
        )
        await kept.rename(path_at("/file"), path_at("/renamed"))
        await kept.rename(path_at("/renamed"), path_at("/renamed"))
        await assert_raises(kept.remove_file(path_at("/none")), PathNotFound)
        self.assertEqual(await trashed(kept), [])

    @contract_test
    async def test_a_file_is_restored_to_an_existing_directory(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        await kept.make_directory(path_at("/folder"))
        await create_file(kept, "/folder/file", b"data")
        await kept.remove_file(path_at("/folder/file"))
        await kept.remove_directory(path_at("/folder"))
        [one] = await trashed(kept, "/folder")
        await assert_raises(ITrash(kept).restore(one, one.path, False), PathNotFound)
        await kept.make_directory(path_at("/folder"))
        for taken in ("/", "/folder"):
            await assert_raises(ITrash(kept).restore(one, path_at(taken), True), IsDirectory)
        await ITrash(kept).restore(one, one.path, False)
        self.assertEqual(await read_file(kept, "/folder/file"), b"data")

    @contract_test
    async def test_files_of_the_trash_count_until_they_are_removed(self, storage: IStorage) -> None:
        kept = keeping(storage)
        if kept is None:
            return
        await create_file(kept, "/one", b"12345")
        await create_file(kept, "/two", b"123")
        await kept.remove_file(path_at("/one"))
        await kept.remove_file(path_at("/two"))
        counting = ITreeUsage(kept, None)
        if counting is not None:
            self.assertEqual(tuple(await counting.tree_usage(ROOT)), (8, 2, 0))
        found = await trashed(kept)
        self.assertEqual([one.size for one in found], [3, 5])
        self.assertEqual(list(await ITrash(kept).discard(found)), list(found))
        self.assertEqual(list(await ITrash(kept).discard(found)), [])
        self.assertEqual(await trashed(kept), [])
        if counting is not None:
            self.assertEqual(tuple(await counting.tree_usage(ROOT)), (0, 0, 0))

    @contract_test
    async def test_another_owner_does_not_see_the_trash(self, storage: IStorage) -> None:
        other = await result_of(self.other_owner_storage())
        kept = keeping(storage)
        if kept is None or other is None or ITrash(other, None) is None:
            return
        await create_file(kept, "/file", b"data")
        await kept.remove_file(path_at("/file"))
        [one] = await trashed(kept)
        self.assertEqual(await trashed(other), [])
        await assert_raises(ITrash(other).restore(one, one.path, False), PathNotFound)
        self.assertEqual(list(await ITrash(other).discard([one])), [])
        self.assertEqual(list(await trashed(kept)), [one])
