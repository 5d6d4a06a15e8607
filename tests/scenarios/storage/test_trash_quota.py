"""No sequence of changes with a trash on the disk makes the ledger of a quota drift."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.errors import StorageError
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import ITrash, TrashRule, restore, with_trash
from ftpservice.testing.contract.case import path_at
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.support.random_changes import random_change, run, seeds
from tests.support.shared_books import SharedBooks

RULE = TrashRule(3600, versions=2)
ACCOUNTS = (
    ("ann", "/", QuotaLimits(60, 12)),
    ("ben", "/in", QuotaLimits(30, None)),
    ("root", "/", NO_LIMITS),
)


def storage_of(book: QuotaBook, inner: Any, owner: str, limits: QuotaLimits) -> Any:
    place = ITreeUsage(inner).place
    kept = with_trash(inner, RULE)
    return MeteredStorage(QuotaAccount.of(kept, book, owner, place, limits))


def trash_change(storages: Sequence[Any], chance: random.Random) -> None:
    """Restore or discard something of a trash."""
    storage = chance.choice(storages)
    found = run(ITrash(storage).trashed(ROOT))
    if not found:
        return
    one = chance.choice(found)
    if chance.random() < 0.7:
        other = path_at("/" + chance.choice(["a", "b", "d/a", "in/a", "new/one"]))
        run(restore(storage, one, chance.choice([None, other]), chance.random() < 0.5))
    else:
        run(ITrash(storage).discard(chance.sample(found, chance.randrange(len(found)) + 1)))


def on_disk(place: tuple[str, ...]) -> tuple[int, int]:
    """Return the bytes and names of a tree."""
    source = LocalSource("/", Clock(), InlineRunner())
    inner = run(source.storage("nobody", VirtualPath(place[1:])))
    found = run(ITreeUsage(inner).tree_usage(ROOT))
    return found.size, found.files


def check(*books: QuotaBook) -> None:
    """Compare every ledger with its tree, which is counted once."""
    counted: dict[tuple[str, ...], tuple[int, int]] = {}
    for book in books:
        for place, tree in book.trees.items():
            if place not in counted:
                counted[place] = on_disk(place)
            ledger = tree.ledger
            assert (ledger.size, ledger.files) == counted[place], place
            assert (ledger.held_size, ledger.held_files, tree.counts.changes) == (0, 0, 0)
            assert (ledger.credit_size, ledger.credit_files) == (0, 0)


def change(storages: Sequence[Any], writings: list[Any], chance: random.Random) -> None:
    with contextlib.suppress(StorageError):
        if chance.random() < 0.25:
            trash_change(storages, chance)
        else:
            random_change(storages, writings, chance)
    while writings and chance.random() < 0.2:
        with contextlib.suppress(StorageError):
            run(writings.pop().commit())


@pytest.mark.parametrize("seed", seeds(25))
def test_no_sequence_of_changes_makes_a_ledger_drift(tmp_path: Path, seed: int) -> None:
    source = LocalSource(str(tmp_path), Clock(), InlineRunner())
    book, chance = QuotaBook(Clock()), random.Random(seed)
    (tmp_path / "in").mkdir()
    storages = [
        storage_of(book, run(source.storage(owner, VirtualPath.parse(top))), owner, limits)
        for owner, top, limits in ACCOUNTS
    ]
    writings: list[Any] = []
    for _ in range(150):
        change(storages, writings, chance)
        if not (tmp_path / "in").is_dir():
            break  # the root of an account was renamed or removed
        if not writings:
            check(book)
    for writing in writings:
        run(writing.abandon())


@pytest.mark.parametrize("seed", seeds(25))
def test_no_sequence_of_changes_by_several_processes_makes_a_ledger_drift(
    tmp_path: Path, seed: int
) -> None:
    books, chance = SharedBooks(tmp_path, 3), random.Random(seed)
    (tmp_path / "in").mkdir()
    source = LocalSource(str(tmp_path), books.clock, InlineRunner())
    storages = [
        storage_of(book, run(source.storage(owner, VirtualPath.parse(top))), owner, limits)
        for book in books.books[1:]
        for owner, top, limits in ACCOUNTS
    ]
    writings: list[Any] = []
    for _ in range(150):
        change(storages, writings, chance)
        books.clock.advance(0.1)
        if not (tmp_path / "in").is_dir():
            break  # the root of an account was renamed or removed
        for book in books.books:
            book.directory.sync()
        if not writings:
            check(*books.books)
    for writing in writings:
        run(writing.abandon())
    books.close()
