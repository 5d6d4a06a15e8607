"""The storage contract for symbolic links; tested if the test case can make one."""

# ruff: noqa: D102 (the name of a test says what has to hold)

from __future__ import annotations

from collections.abc import Awaitable

from ftpservice.storage.errors import Denied, PathNotFound
from ftpservice.storage.interfaces import ILinks, IStorage, IWithoutLinks, WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    ContractCase,
    assert_raises,
    contract_test,
    create_file,
    list_directory,
    path_at,
    read_file,
    result_of,
)
from ftpservice.wire.entry import Kind

__all__ = ["LinkContract"]


class LinkContract(ContractCase):
    """`ILinks` and `IWithoutLinks`: ``link`` leads to ``folder``, ``short`` to ``folder/file``."""

    async def _has_links(self, storage: IStorage) -> bool:
        await storage.make_directory(path_at("/folder"))
        await create_file(storage, "/folder/file", b"content")
        made = [
            await result_of(self.make_link("link", "folder")),
            await result_of(self.make_link("short", "folder/file")),
        ]
        return all(made)

    @contract_test
    async def test_links_are_shown_as_links_and_followed(self, storage: IStorage) -> None:
        if not await self._has_links(storage):
            return
        for name in ("link", "short"):
            entry = await ILinks(storage).lstat(path_at(f"/{name}"))
            self.assertEqual(entry.kind, Kind.LINK)
        await assert_raises(ILinks(storage).lstat(path_at("/none")), PathNotFound)
        listed = await list_directory(storage)
        self.assertEqual(listed["link"].kind, Kind.LINK)
        self.assertEqual(listed["folder"].kind, Kind.DIRECTORY)
        self.assertEqual((await storage.stat(path_at("/link"))).kind, Kind.DIRECTORY)
        self.assertEqual(await read_file(storage, "/link/file"), b"content")
        self.assertEqual(await read_file(storage, "/short"), b"content")

    @contract_test
    async def test_without_links_none_is_followed(self, storage: IStorage) -> None:
        same = IWithoutLinks(storage, None)
        if same is None or not await self._has_links(storage):
            return
        closed: IStorage = same.without_links()
        append = WriteRequest(WriteMode.APPEND)
        calls: list[Awaitable[object]] = [
            list_directory(closed, "/link"),
            read_file(closed, "/link/file"),
            read_file(closed, "/short"),
            create_file(closed, "/link/new", b"x"),
            create_file(closed, "/short", b"x"),
            create_file(closed, "/short", b"x", append),
            closed.make_directory(path_at("/link/directory")),
            closed.remove_file(path_at("/link/file")),
            closed.rename(path_at("/link/file"), path_at("/taken")),
            closed.rename(path_at("/folder/file"), path_at("/link/given")),
        ]
        for call in calls:
            await assert_raises(call, Denied)
        self.assertEqual(set(await list_directory(storage, "/folder")), {"file"})
        self.assertEqual(await read_file(closed, "/folder/file"), b"content")

    @contract_test
    async def test_without_links_they_are_shown_and_removed(self, storage: IStorage) -> None:
        same = IWithoutLinks(storage, None)
        if same is None or not await self._has_links(storage):
            return
        closed: IStorage = same.without_links()
        self.assertEqual((await closed.stat(path_at("/short"))).kind, Kind.LINK)
        self.assertEqual((await ILinks(closed).lstat(path_at("/link"))).kind, Kind.LINK)
        self.assertEqual((await list_directory(closed))["link"].kind, Kind.LINK)
        await closed.rename(path_at("/short"), path_at("/moved"))
        await closed.remove_file(path_at("/moved"))
        await closed.remove_file(path_at("/link"))
        self.assertEqual(set(await list_directory(storage)), {"folder"})
        self.assertEqual(await read_file(storage, "/folder/file"), b"content")
