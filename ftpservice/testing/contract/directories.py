"""The storage contract for creating, removing and renaming."""

# ruff: noqa: D102 (the name of a test says what has to hold)

from __future__ import annotations

from ftpservice.storage.errors import (
    Exists,
    InvalidName,
    IsDirectory,
    NotDirectory,
    NotEmpty,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import IStorage
from ftpservice.testing.contract.case import (
    ContractCase,
    assert_raises,
    begin_upload,
    contract_test,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.wire.entry import Kind

__all__ = ["DirectoryContract", "RenameContract"]


class DirectoryContract(ContractCase):
    """Creating and removing directories, and removing files."""

    @contract_test
    async def test_a_directory_can_be_created_and_removed(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/a"))
        await storage.make_directory(path_at("/a/b"))
        self.assertEqual((await storage.stat(path_at("/a/b"))).kind, Kind.DIRECTORY)
        await storage.remove_directory(path_at("/a/b"))
        self.assertEqual(await list_directory(storage, "/a"), {})

    @contract_test
    async def test_a_directory_is_not_created_over_anything(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"x")
        await storage.make_directory(path_at("/folder"))
        for name in ("/file", "/folder", "/"):
            await assert_raises(storage.make_directory(path_at(name)), Exists)
        self.assertEqual(await read_file(storage, "/file"), b"x")

    @contract_test
    async def test_a_directory_needs_its_parent(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        await assert_raises(storage.make_directory(path_at("/none/folder")), PathNotFound)
        await assert_raises(storage.make_directory(path_at("/file/folder")), NotDirectory)
        self.assertEqual(set(await list_directory(storage)), {"file"})

    @contract_test
    async def test_only_an_empty_directory_is_removed(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await create_file(storage, "/folder/file", b"x")
        await assert_raises(storage.remove_directory(path_at("/folder")), NotEmpty)
        await assert_raises(storage.remove_directory(path_at("/folder/file")), NotDirectory)
        await assert_raises(storage.remove_directory(path_at("/none")), PathNotFound)
        self.assertEqual(await read_file(storage, "/folder/file"), b"x")

    @contract_test
    async def test_a_file_can_be_removed(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        await storage.remove_file(path_at("/file"))
        await assert_raises(storage.stat(path_at("/file")), PathNotFound)
        await assert_raises(storage.remove_file(path_at("/file")), PathNotFound)

    @contract_test
    async def test_remove_file_does_not_remove_a_directory(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await assert_raises(storage.remove_file(path_at("/folder")), IsDirectory)
        await storage.stat(path_at("/folder"))

    @contract_test
    async def test_the_root_cannot_be_removed(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await assert_raises(storage.remove_directory(path_at("/")), StorageError)
        await assert_raises(storage.remove_file(path_at("/")), StorageError)
        await assert_raises(storage.rename(path_at("/"), path_at("/other")), StorageError)
        await assert_raises(storage.rename(path_at("/folder"), path_at("/")), StorageError)
        self.assertEqual(set(await list_directory(storage)), {"folder"})

    @contract_test
    async def test_a_directory_with_only_a_partial_upload_is_empty(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await (await begin_upload(storage, "/folder/file", b"half")).abandon()
        self.assertEqual(await list_directory(storage, "/folder"), {})
        await storage.remove_directory(path_at("/folder"))


class RenameContract(ContractCase):
    """Renaming."""

    @contract_test
    async def test_a_renamed_file_keeps_its_content(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await create_file(storage, "/file", b"x")
        await storage.rename(path_at("/file"), path_at("/folder/other"))
        self.assertEqual(await read_file(storage, "/folder/other"), b"x")
        self.assertEqual(set(await list_directory(storage)), {"folder"})

    @contract_test
    async def test_a_renamed_directory_keeps_its_entries(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await create_file(storage, "/folder/file", b"x")
        await storage.rename(path_at("/folder"), path_at("/moved"))
        self.assertEqual(await read_file(storage, "/moved/file"), b"x")
        await assert_raises(storage.stat(path_at("/folder")), PathNotFound)

    @contract_test
    async def test_a_file_replaces_a_file(self, storage: IStorage) -> None:
        await create_file(storage, "/new", b"new")
        await create_file(storage, "/old", b"old")
        await storage.rename(path_at("/new"), path_at("/old"))
        self.assertEqual(await read_file(storage, "/old"), b"new")
        self.assertEqual(set(await list_directory(storage)), {"old"})

    @contract_test
    async def test_without_replace_nothing_is_replaced(self, storage: IStorage) -> None:
        await create_file(storage, "/new", b"new")
        await create_file(storage, "/old", b"old")
        await storage.make_directory(path_at("/folder"))
        for name in ("/old", "/folder"):
            await assert_raises(
                storage.rename(path_at("/new"), path_at(name), replace=False), Exists
            )
        self.assertEqual(await read_file(storage, "/old"), b"old")
        self.assertEqual(await read_file(storage, "/new"), b"new")
        await storage.rename(path_at("/new"), path_at("/free"), replace=False)
        self.assertEqual(await read_file(storage, "/free"), b"new")

    @contract_test
    async def test_a_missing_file_cannot_be_renamed(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        await assert_raises(storage.rename(path_at("/none"), path_at("/other")), PathNotFound)
        await assert_raises(storage.rename(path_at("/none"), path_at("/file")), PathNotFound)
        await assert_raises(storage.rename(path_at("/file"), path_at("/none/file")), PathNotFound)

    @contract_test
    async def test_nothing_can_be_renamed_to_below_a_file(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        await create_file(storage, "/other")
        await assert_raises(storage.rename(path_at("/file"), path_at("/other/file")), NotDirectory)

    @contract_test
    async def test_a_file_does_not_replace_a_directory(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"x")
        await storage.make_directory(path_at("/folder"))
        await assert_raises(storage.rename(path_at("/file"), path_at("/folder")), IsDirectory)
        await assert_raises(storage.rename(path_at("/folder"), path_at("/file")), NotDirectory)
        self.assertEqual(await read_file(storage, "/file"), b"x")

    @contract_test
    async def test_a_directory_does_not_replace_one_with_entries(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/one"))
        await storage.make_directory(path_at("/two"))
        await create_file(storage, "/two/file", b"x")
        wanted = storage.rename(path_at("/one"), path_at("/two"))
        await assert_raises(wanted, NotEmpty, Exists, IsDirectory)
        self.assertEqual(await read_file(storage, "/two/file"), b"x")

    @contract_test
    async def test_a_directory_cannot_be_renamed_into_itself(self, storage: IStorage) -> None:
        await storage.make_directory(path_at("/folder"))
        await storage.make_directory(path_at("/folder/inner"))
        await assert_raises(storage.rename(path_at("/folder"), path_at("/folder/new")), InvalidName)
        await assert_raises(
            storage.rename(path_at("/folder"), path_at("/folder/inner/new")), InvalidName
        )
        self.assertEqual(set(await list_directory(storage, "/folder")), {"inner"})

    @contract_test
    async def test_a_file_can_be_renamed_to_itself(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"x")
        await storage.rename(path_at("/file"), path_at("/file"))
        self.assertEqual(await read_file(storage, "/file"), b"x")
