"""The storage contract for entries: of single names, and listings."""

# ruff: noqa: D102 (the name of a test says what has to hold)

from __future__ import annotations

from ftpservice.storage.errors import (
    InvalidName,
    NotDirectory,
    PathNotFound,
)
from ftpservice.storage.interfaces import IStorage
from ftpservice.testing.contract.case import (
    ContractCase,
    assert_raises,
    cancel,
    contract_test,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.wire.entry import Kind

__all__ = ["ListingContract", "StatContract"]


class StatContract(ContractCase):
    """Entries of single names."""

    @contract_test
    async def test_the_root_is_a_directory_without_a_name(self, storage: IStorage) -> None:
        entry = await storage.stat(path_at("/"))
        self.assertEqual((entry.name, entry.kind), ("", Kind.DIRECTORY))

    @contract_test
    async def test_a_missing_name_is_not_found(self, storage: IStorage) -> None:
        error = await assert_raises(storage.stat(path_at("/none")), PathNotFound)
        self.assertEqual(error.path, path_at("/none"))
        await assert_raises(storage.stat(path_at("/none/deeper")), PathNotFound)

    @contract_test
    async def test_nothing_exists_below_a_file(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        await assert_raises(storage.stat(path_at("/file/below")), PathNotFound, NotDirectory)

    @contract_test
    async def test_a_file_has_its_size_and_kind(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"12345")
        entry = await storage.stat(path_at("/file"))
        self.assertEqual((entry.name, entry.kind, entry.size), ("file", Kind.FILE, 5))
        self.assertGreater(entry.modified, 0)

    @contract_test
    async def test_unusual_names_are_stored_unchanged(self, storage: IStorage) -> None:
        names = ["a b", "-rf", "ü€", "%41", "*?[x]", '"q"', "'", "..x", "~", "\\n", "tab\t", "a:b"]
        for name in names:
            await create_file(storage, "/" + name, name.encode())
        self.assertEqual(sorted(await list_directory(storage)), sorted(names))
        for name in names:
            self.assertEqual(await read_file(storage, "/" + name), name.encode())

    @contract_test
    async def test_a_name_that_is_not_utf8_is_kept_or_refused(self, storage: IStorage) -> None:
        name = b"caf\xe9".decode("utf-8", "surrogateescape")
        try:
            await create_file(storage, "/" + name, b"x")
        except InvalidName:
            return
        self.assertEqual(list(await list_directory(storage)), [name])
        self.assertEqual(await read_file(storage, "/" + name), b"x")

    @contract_test
    async def test_a_name_too_long_is_kept_or_refused_as_invalid(self, storage: IStorage) -> None:
        name = "n" * 5000
        try:
            await create_file(storage, "/" + name, b"x")
        except InvalidName:
            self.assertEqual(await list_directory(storage), {})
        else:
            self.assertEqual(list(await list_directory(storage)), [name])


class ListingContract(ContractCase):
    """Listings of directories."""

    @contract_test
    async def test_an_empty_directory_has_no_entries(self, storage: IStorage) -> None:
        self.assertEqual(await list_directory(storage), {})

    @contract_test
    async def test_entries_equal_those_of_stat(self, storage: IStorage) -> None:
        await create_file(storage, "/file", b"12345")
        await storage.make_directory(path_at("/folder"))
        entries = await list_directory(storage)
        self.assertEqual(set(entries), {"file", "folder"})
        for name, entry in entries.items():
            self.assertEqual(entry, await storage.stat(path_at(name)))

    @contract_test
    async def test_only_directories_can_be_listed(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        await assert_raises(storage.open_listing(path_at("/file")), NotDirectory)
        await assert_raises(storage.open_listing(path_at("/none")), PathNotFound)

    @contract_test
    async def test_batches_after_the_end_are_empty(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        listing = await storage.open_listing(path_at("/"))
        while await listing.next_batch():
            pass
        self.assertEqual(list(await listing.next_batch()), [])
        listing.close()
        listing.close()

    @contract_test
    async def test_a_directory_that_changes_is_read_to_its_end(self, storage: IStorage) -> None:
        for number in range(20):
            await create_file(storage, f"/{number}")
        listing = await storage.open_listing(path_at("/"))
        await storage.remove_file(path_at("/7"))
        await create_file(storage, "/new")
        names = [entry.name for entry in await listing.next_batch()]
        await storage.remove_file(path_at("/8"))
        while batch := await listing.next_batch():
            names += [entry.name for entry in batch]
        listing.close()
        stayed = {str(number) for number in range(20)} - {"7", "8"}
        self.assertLessEqual(stayed, set(names))
        self.assertEqual(len(names), len(set(names)))

    @contract_test
    async def test_many_entries_are_listed_once_each(self, storage: IStorage) -> None:
        for number in range(300):
            await storage.make_directory(path_at(f"/{number}"))
        self.assertEqual(set(await list_directory(storage)), {str(number) for number in range(300)})

    @contract_test
    async def test_a_listing_can_be_closed_at_any_time(self, storage: IStorage) -> None:
        await create_file(storage, "/file")
        late = await cancel(storage.open_listing(path_at("/")))
        if late is not None:
            late.close()
        listing = await storage.open_listing(path_at("/"))
        await cancel(listing.next_batch())
        listing.close()
        await storage.remove_file(path_at("/file"))
