"""The storage contract for making, removing and renaming."""

# ruff: noqa: D102 (the name of a test says what must hold)

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
    at,
    begin,
    checks,
    content,
    listed,
    make,
    refused,
)
from ftpservice.wire.entry import Kind

__all__ = ["DirectoryContract", "RenameContract"]


class DirectoryContract(ContractCase):
    """Making and removing."""

    @checks
    async def test_a_directory_can_be_made_and_removed(self, storage: IStorage) -> None:
        await storage.make_directory(at("/a"))
        await storage.make_directory(at("/a/b"))
        self.assertEqual((await storage.stat(at("/a/b"))).kind, Kind.DIRECTORY)
        await storage.remove_directory(at("/a/b"))
        self.assertEqual(await listed(storage, "/a"), {})

    @checks
    async def test_a_directory_is_not_made_over_anything(self, storage: IStorage) -> None:
        await make(storage, "/file", b"x")
        await storage.make_directory(at("/folder"))
        for name in ("/file", "/folder", "/"):
            await refused(storage.make_directory(at(name)), Exists)
        self.assertEqual(await content(storage, "/file"), b"x")

    @checks
    async def test_a_directory_needs_its_parent(self, storage: IStorage) -> None:
        await make(storage, "/file")
        await refused(storage.make_directory(at("/none/folder")), PathNotFound)
        await refused(storage.make_directory(at("/file/folder")), NotDirectory)
        self.assertEqual(set(await listed(storage)), {"file"})

    @checks
    async def test_only_an_empty_directory_is_removed(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await make(storage, "/folder/file", b"x")
        await refused(storage.remove_directory(at("/folder")), NotEmpty)
        await refused(storage.remove_directory(at("/folder/file")), NotDirectory)
        await refused(storage.remove_directory(at("/none")), PathNotFound)
        self.assertEqual(await content(storage, "/folder/file"), b"x")

    @checks
    async def test_a_file_can_be_removed(self, storage: IStorage) -> None:
        await make(storage, "/file")
        await storage.remove_file(at("/file"))
        await refused(storage.stat(at("/file")), PathNotFound)
        await refused(storage.remove_file(at("/file")), PathNotFound)

    @checks
    async def test_a_directory_is_not_removed_as_a_file(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await refused(storage.remove_file(at("/folder")), IsDirectory)
        await storage.stat(at("/folder"))

    @checks
    async def test_the_root_stays(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await refused(storage.remove_directory(at("/")), StorageError)
        await refused(storage.remove_file(at("/")), StorageError)
        await refused(storage.rename(at("/"), at("/other")), StorageError)
        await refused(storage.rename(at("/folder"), at("/")), StorageError)
        self.assertEqual(set(await listed(storage)), {"folder"})

    @checks
    async def test_a_directory_holding_only_a_partial_is_empty(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await (await begin(storage, "/folder/file", b"half")).abandon()
        self.assertEqual(await listed(storage, "/folder"), {})
        await storage.remove_directory(at("/folder"))


class RenameContract(ContractCase):
    """Giving other names."""

    @checks
    async def test_a_file_moves_with_its_content(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await make(storage, "/file", b"x")
        await storage.rename(at("/file"), at("/folder/other"))
        self.assertEqual(await content(storage, "/folder/other"), b"x")
        self.assertEqual(set(await listed(storage)), {"folder"})

    @checks
    async def test_a_directory_moves_with_what_it_holds(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await make(storage, "/folder/file", b"x")
        await storage.rename(at("/folder"), at("/moved"))
        self.assertEqual(await content(storage, "/moved/file"), b"x")
        await refused(storage.stat(at("/folder")), PathNotFound)

    @checks
    async def test_a_file_gives_way_to_a_file(self, storage: IStorage) -> None:
        await make(storage, "/new", b"new")
        await make(storage, "/old", b"old")
        await storage.rename(at("/new"), at("/old"))
        self.assertEqual(await content(storage, "/old"), b"new")
        self.assertEqual(set(await listed(storage)), {"old"})

    @checks
    async def test_nothing_gives_way_where_replacing_is_off(self, storage: IStorage) -> None:
        await make(storage, "/new", b"new")
        await make(storage, "/old", b"old")
        await storage.make_directory(at("/folder"))
        for name in ("/old", "/folder"):
            await refused(storage.rename(at("/new"), at(name), replace=False), Exists)
        self.assertEqual(await content(storage, "/old"), b"old")
        self.assertEqual(await content(storage, "/new"), b"new")
        await storage.rename(at("/new"), at("/free"), replace=False)
        self.assertEqual(await content(storage, "/free"), b"new")

    @checks
    async def test_what_is_missing_cannot_move(self, storage: IStorage) -> None:
        await make(storage, "/file")
        await refused(storage.rename(at("/none"), at("/other")), PathNotFound)
        await refused(storage.rename(at("/none"), at("/file")), PathNotFound)
        await refused(storage.rename(at("/file"), at("/none/file")), PathNotFound)

    @checks
    async def test_nothing_moves_below_a_file(self, storage: IStorage) -> None:
        await make(storage, "/file")
        await make(storage, "/other")
        await refused(storage.rename(at("/file"), at("/other/file")), NotDirectory)

    @checks
    async def test_a_directory_gives_no_way_to_a_file(self, storage: IStorage) -> None:
        await make(storage, "/file", b"x")
        await storage.make_directory(at("/folder"))
        await refused(storage.rename(at("/file"), at("/folder")), IsDirectory)
        await refused(storage.rename(at("/folder"), at("/file")), NotDirectory)
        self.assertEqual(await content(storage, "/file"), b"x")

    @checks
    async def test_a_full_directory_gives_no_way_to_another(self, storage: IStorage) -> None:
        await storage.make_directory(at("/one"))
        await storage.make_directory(at("/two"))
        await make(storage, "/two/file", b"x")
        wanted = storage.rename(at("/one"), at("/two"))
        await refused(wanted, NotEmpty, Exists, IsDirectory)
        self.assertEqual(await content(storage, "/two/file"), b"x")

    @checks
    async def test_a_directory_does_not_move_into_itself(self, storage: IStorage) -> None:
        await storage.make_directory(at("/folder"))
        await storage.make_directory(at("/folder/inner"))
        await refused(storage.rename(at("/folder"), at("/folder/new")), InvalidName)
        await refused(storage.rename(at("/folder"), at("/folder/inner/new")), InvalidName)
        self.assertEqual(set(await listed(storage, "/folder")), {"inner"})

    @checks
    async def test_a_file_survives_being_renamed_to_itself(self, storage: IStorage) -> None:
        await make(storage, "/file", b"x")
        await storage.rename(at("/file"), at("/file"))
        self.assertEqual(await content(storage, "/file"), b"x")
