"""Books of quotas as several processes have them, all in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, Place, QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import QUOTA_RECORD
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.wire.paths import VirtualPath
from tests.support.random_changes import run

__all__ = ["SMALL_RECORD", "SharedBooks"]

SMALL_RECORD = RecordLayout(QUOTA_RECORD.name, QUOTA_RECORD.fields, QUOTA_RECORD.values, slots=128)


class SharedBooks:
    """One book for each of ``count`` processes, and the files below ``root``."""

    def __init__(self, root: Path, count: int, record: RecordLayout = SMALL_RECORD) -> None:
        self.root = root
        self.clock = Clock()
        self.table = SharedTable.create([record], columns=8)
        self.books = [QuotaBook(self.clock, 600, SharedQuotas.create(self.table, self.clock))]
        self.tables = [self.table]
        for _ in range(1, count):
            self.add_process()

    def add_process(self) -> QuotaBook:
        """Return the book of another process."""
        table = SharedTable.attach(self.table.descriptor, self.table.claim_column())
        first = self.books[0].shared
        assert first is not None
        book = QuotaBook(self.clock, 600, SharedQuotas.attach(table, first.descriptor, self.clock))
        self.tables.append(table)
        self.books.append(book)
        return book

    def end(self, book: QuotaBook) -> None:
        """Let the process of a book end, as if it were killed."""
        number = self.books.index(book)
        table = self.tables[number]
        self._close(book)
        self.books.pop(number)
        self.tables.pop(number).close()
        self.books[0].process_ended(table.column)
        self.table.clear_column(table.column)

    def storage(
        self, book: QuotaBook, owner: str = "ann", top: str = "/", limits: QuotaLimits = NO_LIMITS
    ) -> Any:
        """Return the storage of a session."""
        inner = self._inner(owner, top)
        place = ITreeUsage(inner).place
        return MeteredStorage(QuotaAccount.of(inner, book, owner, place, limits))

    def place(self, path: str) -> Place:
        """Return the place of a path."""
        place: Place = ITreeUsage(self._inner()).place
        return place + VirtualPath.parse(path).parts

    def _inner(self, owner: str = "ann", top: str = "/") -> Any:
        source = LocalSource(str(self.root), self.clock, InlineRunner())
        return run(source.storage(owner, VirtualPath.parse(top)))

    def close(self) -> None:
        """Release what all of them use."""
        for book in self.books:
            self._close(book)
        for table in self.tables:
            table.close()

    def _close(self, book: QuotaBook) -> None:
        book.stop()
        assert book.shared is not None
        book.shared.close()
