"""No sequence of changes on the disk makes the ledger of a quota drift."""

import contextlib
import random
from pathlib import Path

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
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.support.random_changes import random_change, run, seeds
from tests.support.shared_books import SharedBooks

AT_ONCE = True


def on_disk(folder: Path) -> tuple[int, int]:
    """Return the bytes and names below a directory; empty partial uploads do not count."""
    found = [one.lstat() for one in folder.rglob("*") if not _is_empty_partial(one)]
    files = [facts.st_size for facts in found if facts.st_mode & 0o170000 == 0o100000]
    return sum(files), len(found)


def _is_empty_partial(path: Path) -> bool:
    return path.name.startswith(".ftpservice.") and not path.stat().st_size


def check(*books: QuotaBook) -> None:
    """Compare every ledger with its tree, which is counted once."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for book in books:
        for place, tree in book.trees.items():
            if place not in found:
                found[place] = on_disk(Path("/", *place[1:]))
            ledger = tree.ledger
            assert (ledger.size, ledger.files) == found[place], place
            assert (ledger.held_size, ledger.held_files, tree.counts.changes) == (0, 0, 0)
            assert (ledger.credit_size, ledger.credit_files) == (0, 0)


@pytest.mark.parametrize("seed", seeds(25))
def test_no_sequence_of_changes_makes_a_ledger_drift(tmp_path, seed):
    source = LocalSource(str(tmp_path), Clock(), InlineRunner())
    book, chance = QuotaBook(Clock()), random.Random(seed)
    (tmp_path / "in").mkdir()

    def storage(owner, top, limits):
        inner = run(source.storage(owner, VirtualPath.parse(top)))
        return MeteredStorage(QuotaAccount.of(inner, book, owner, ITreeUsage(inner).place, limits))

    storages = [
        storage("ann", "/", QuotaLimits(60, 9)),
        storage("ben", "/in", QuotaLimits(30, None)),
        storage("root", "/", NO_LIMITS),
    ]
    writings = []
    for _ in range(200):
        with contextlib.suppress(StorageError):
            random_change(storages, writings, chance)
        while writings and chance.random() < 0.1:
            run(writings.pop().abandon())
        if not (tmp_path / "in").is_dir():
            break  # the root of an account was renamed or removed
        if not writings:
            check(book)
    for writing in writings:
        run(writing.abandon())


@pytest.mark.parametrize("seed", seeds(40))
def test_no_sequence_of_changes_by_several_processes_makes_a_ledger_drift(tmp_path, seed):
    books, chance = SharedBooks(tmp_path, 4), random.Random(seed)
    (tmp_path / "in").mkdir()
    storages = [
        books.storage(book, owner, top, limits)
        for book in books.books[1:]
        for owner, top, limits in (
            ("ann", "/", QuotaLimits(60, 9)),
            ("ben", "/in", QuotaLimits(30, None)),
            ("root", "/", NO_LIMITS),
        )
    ]
    writings = []
    for _ in range(200):
        with contextlib.suppress(StorageError):
            random_change(storages, writings, chance)
        while writings and chance.random() < 0.1:
            run(writings.pop().abandon())
        books.clock.advance(0.1)
        if not (tmp_path / "in").is_dir():
            break  # the root of an account was renamed or removed
        size = sum(one.stat().st_size for one in tmp_path.rglob("*") if one.is_file())
        for book in books.books:
            book.directory.sync()
            tree = book.trees["local", *tmp_path.parts[1:]]
            assert tree.ledger.size >= size
        if not writings:
            check(*books.books)
    for writing in writings:
        run(writing.abandon())
    books.close()


@pytest.mark.parametrize("seed", seeds(20))
def test_a_count_makes_the_sums_right_after_processes_have_been_killed(tmp_path, seed):
    books, chance = SharedBooks(tmp_path, 1), random.Random(seed)
    limits = QuotaLimits(60, 9)
    kept = books.storage(books.books[0], limits=limits)
    for _ in range(5):
        book, writings = books.add_process(), []
        storages = [kept, books.storage(book, limits=limits)]
        for _ in range(40):
            with contextlib.suppress(StorageError):
                random_change(storages, writings, chance)
        mine = [one for one in writings if one.room.account.book is not book]
        for writing in mine:
            run(writing.abandon())
        for writing in [one for one in writings if one not in mine]:
            writing.inner.abandon_in_thread()  # what the kernel does: it closes the files
        del storages
        books.end(book)
        books.clock.advance(0.1)
        [tree] = books.books[0].trees.values()
        run(tree.state(limits))
        check(books.books[0])
    assert run(kept.stat(ROOT))
    books.close()
