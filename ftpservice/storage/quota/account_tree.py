"""What an account with several storages uses: one ledger for all of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.count import count_tree
from ftpservice.storage.quota.ledger import Place
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["AccountTree", "OpenStorage"]

log = Logger("ftpservice.quota")

OpenStorage = Callable[[], Coroutine[Any, Any, tuple[IStorage, Place]]]
"""Opens a storage; returns it with the place of its root. Raises `StorageError`."""


@implementer(ITreeUsage)
class AccountTree:
    """The storages of an account, as its ledger counts them.

    A storage that is down does not count. When it is used again, the account is counted again.
    """

    def __init__(self, book: QuotaBook, key: Place, storages: Sequence[OpenStorage]) -> None:
        self.place = key
        self._book = book
        self._storages = storages
        self.ledger = book.enter_account(key, self)  # type: ignore[arg-type]

    def use(self, place: Place) -> None:
        """Record that the storage at ``place`` is used from now on."""
        if self._book.add_tree(self.ledger, place):
            self.ledger.generation += 1
            self.ledger.doubt()

    async def tree_usage(self, _path: VirtualPath) -> TreeUsage:
        """Count all storages; one inside another one once."""
        found: dict[Place, IStorage] = {}
        for opens in self._storages:
            try:
                storage, place = await opens()
            except StorageError as error:
                log.error("a storage of an account was not counted: {error}", error=error)
            else:
                found.setdefault(place, storage)
        size = files = partials = 0
        for place, storage in found.items():
            self._book.add_tree(self._book.trees[self.place], place)
            if any(place[:depth] in found for depth in range(1, len(place))):
                continue
            usage = await count_tree(storage, ROOT)
            size, files = size + usage.size, files + usage.files
            partials += usage.partials
        return TreeUsage(size, files, partials)
