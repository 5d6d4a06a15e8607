"""What an account with several storages uses: one ledger for all of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.concurrency.task import Task
from ftpservice.storage.errors import StorageError, Unavailable
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.count import count_tree
from ftpservice.storage.quota.counted_tree import ledger_text
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["AccountTree", "OpenStorage"]

log = Logger("ftpservice.quota")

OPEN_TIMEOUT_SECONDS = 3.0
"""What a count waits for one storage to open."""

OpenStorage = Callable[[], Coroutine[Any, Any, tuple[IStorage, Place]]]
"""Opens a storage; returns it with the place of its root. Raises `StorageError`."""


@implementer(ITreeUsage)
class AccountTree:
    """The storages of an account, as its ledger counts them.

    A storage that is down, or does not open in time, does not count. When it is used again, the
    account is counted again.
    """

    def __init__(self, book: QuotaBook, key: Place, storages: Sequence[OpenStorage]) -> None:
        self.place = key
        self._book = book
        self._storages = storages
        self.tree = book.enter_account(key, self)  # type: ignore[arg-type]

    def use(self, number: int, place: Place) -> None:
        """Record that a storage, with its root at ``place``, is used from now on."""
        is_new = self._book.add_tree(self.tree, place)
        if number in self.tree.left_out or (is_new and self.tree.counts.is_counted):
            self.tree.counts.disturb()
            self.tree.doubt()

    async def _opened(self, opens: OpenStorage) -> tuple[IStorage, Place]:
        """Open a storage in time; raises `StorageError`."""
        opening = Task(opens())
        timeout = self._book.clock.callLater(OPEN_TIMEOUT_SECONDS, opening.cancel)
        try:
            return await opening
        except CancelledError:
            if timeout.active():
                raise
            raise Unavailable(ROOT, "it does not open in time") from None
        finally:
            if timeout.active():
                timeout.cancel()

    async def tree_usage(self, _path: VirtualPath) -> TreeUsage:
        """Count all storages; one inside another one once."""
        found: dict[Place, IStorage] = {}
        tree = self._book.trees[self.place]
        left_out: set[int] = set()
        for number, opens in enumerate(self._storages):
            try:
                storage, place = await self._opened(opens)
            except StorageError as error:
                left_out.add(number)
                named = ledger_text(self.place)
                log.error("quota of {name}: not counted: {error}", name=named, error=error)
            else:
                found.setdefault(place, storage)
        self._book.set_left_out(tree, left_out)
        for place in found:
            self._book.add_tree(tree, place)
        await tree.when_announced()
        size = files = partials = 0
        for place, storage in found.items():
            if any(place[:depth] in found for depth in range(1, len(place))):
                continue
            usage = await count_tree(storage, ROOT)
            size, files = size + usage.size, files + usage.files
            partials += usage.partials
        return TreeUsage(size, files, partials)
