"""The storage contract for looking: single names, and listings."""

# ruff: noqa: D102 (the name of a test says what must hold)

from __future__ import annotations

from ftpservice.storage.errors import (
    InvalidName,
    NotDirectory,
    PathNotFound,
)
from ftpservice.storage.interfaces import IStorage
from ftpservice.testing.contract.case import (
    ContractCase,
    at,
    checks,
    content,
    cut,
    listed,
    make,
    refused,
)
from ftpservice.wire.entry import Kind

__all__ = ["ListingContract", "StatContract"]


class StatContract(ContractCase):
    """Looking at single names."""

    @checks
    async def test_the_root_is_a_directory_without_a_name(self, storage: IStorage) -> None:
        entry = await storage.stat(at("/"))
        self.assertEqual((entry.name, entry.kind), ("", Kind.DIRECTORY))

    @checks
    async def test_a_missing_name_is_not_found(self, storage: IStorage) -> None:
        error = await refused(storage.stat(at("/none")), PathNotFound)
        self.assertEqual(error.path, at("/none"))
        await refused(storage.stat(at("/none/deeper")), PathNotFound)

    @checks
    async def test_nothing_is_below_a_file(self, storage: IStorage) -> None:
        await make(storage, "/file")
        await refused(storage.stat(at("/file/below")), PathNotFound, NotDirectory)

    @checks
    async def test_a_file_has_its_size_and_kind(self, storage: IStorage) -> None:
        await make(storage, "/file", b"12345")
        entry = await storage.stat(at("/file"))
        self.assertEqual((entry.name, entry.kind, entry.size), ("file", Kind.FILE, 5))
        self.assertGreater(entry.modified, 0)

    @checks
    async def test_odd_names_come_back_as_they_went_in(self, storage: IStorage) -> None:
        names = ["a b", "-rf", "ü€", "%41", "*?[x]", '"q"', "'", "..x", "~", "\\n", "tab\t", "a:b"]
        for name in names:
            await make(storage, "/" + name, name.encode())
        self.assertEqual(sorted(await listed(storage)), sorted(names))
        for name in names:
            self.assertEqual(await content(storage, "/" + name), name.encode())

    @checks
    async def test_a_name_that_is_not_utf8_is_kept_or_refused(self, storage: IStorage) -> None:
        name = b"caf\xe9".decode("utf-8", "surrogateescape")
        try:
            await make(storage, "/" + name, b"x")
        except InvalidName:
            return
        self.assertEqual(list(await listed(storage)), [name])
        self.assertEqual(await content(storage, "/" + name), b"x")

    @checks
    async def test_a_name_too_long_is_kept_or_refused_as_invalid(self, storage: IStorage) -> None:
        name = "n" * 5000
        try:
            await make(storage, "/" + name, b"x")
        except InvalidName:
            self.assertEqual(await listed(storage), {})
        else:
            self.assertEqual(list(await listed(storage)), [name])


class ListingContract(ContractCase):
    """Reading directories."""

    @checks
    async def test_an_empty_directory_has_no_entries(self, storage: IStorage) -> None:
        self.assertEqual(await listed(storage), {})

    @checks
    async def test_entries_say_what_stat_says(self, storage: IStorage) -> None:
        await make(storage, "/file", b"12345")
        await storage.make_directory(at("/folder"))
        entries = await listed(storage)
        self.assertEqual(set(entries), {"file", "folder"})
        for name, entry in entries.items():
            self.assertEqual(entry, await storage.stat(at(name)))

    @checks
    async def test_only_directories_are_listed(self, storage: IStorage) -> None:
        await make(storage, "/file")
        await refused(storage.open_listing(at("/file")), NotDirectory)
        await refused(storage.open_listing(at("/none")), PathNotFound)

    @checks
    async def test_after_the_end_there_is_still_nothing(self, storage: IStorage) -> None:
        await make(storage, "/file")
        listing = await storage.open_listing(at("/"))
        while await listing.next_batch():
            pass
        self.assertEqual(list(await listing.next_batch()), [])
        listing.close()
        listing.close()

    @checks
    async def test_a_directory_that_changes_is_read_to_its_end(self, storage: IStorage) -> None:
        for number in range(20):
            await make(storage, f"/{number}")
        listing = await storage.open_listing(at("/"))
        await storage.remove_file(at("/7"))
        await make(storage, "/new")
        names = [entry.name for entry in await listing.next_batch()]
        await storage.remove_file(at("/8"))
        while batch := await listing.next_batch():
            names += [entry.name for entry in batch]
        listing.close()
        stayed = {str(number) for number in range(20)} - {"7", "8"}
        self.assertLessEqual(stayed, set(names))
        self.assertEqual(len(names), len(set(names)))

    @checks
    async def test_many_entries_come_once_each(self, storage: IStorage) -> None:
        for number in range(300):
            await storage.make_directory(at(f"/{number}"))
        self.assertEqual(set(await listed(storage)), {str(number) for number in range(300)})

    @checks
    async def test_a_listing_may_be_given_up_at_any_time(self, storage: IStorage) -> None:
        await make(storage, "/file")
        late = await cut(storage.open_listing(at("/")))
        if late is not None:
            late.close()
        listing = await storage.open_listing(at("/"))
        await cut(listing.next_batch())
        listing.close()
        await storage.remove_file(at("/file"))
