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
from ftpservice.storage.quota.ledger import NO_LIMITS, QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.wire.paths import VirtualPath
from tests.support.random_changes import random_change, run

AT_ONCE = True


def on_disk(folder: Path) -> tuple[int, int]:
    """Return the bytes and names below a directory; empty partial uploads do not count."""
    found = [one.lstat() for one in folder.rglob("*") if not _is_empty_partial(one)]
    files = [facts.st_size for facts in found if facts.st_mode & 0o170000 == 0o100000]
    return sum(files), len(found)


def _is_empty_partial(path: Path) -> bool:
    return path.name.startswith(".ftpservice.") and not path.stat().st_size


@pytest.mark.parametrize("seed", range(25))
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
            for place, tree in book.trees.items():
                ledger, folder = tree.ledger, Path("/", *place[1:])
                assert (ledger.size, ledger.files) == on_disk(folder), place
    for writing in writings:
        run(writing.abandon())
