"""What the books of several processes have in common: numbers, names, and what is new."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_lock import TableBusy
from ftpservice.storage.quota.counted_tree import CountedTree, TreeLeases
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.storage.quota.ledgers.path_locks import SharedNames
from ftpservice.storage.quota.ledgers.quota_log import QuotaLog
from ftpservice.storage.quota.ledgers.shared_counts import SharedCounts
from ftpservice.storage.quota.ledgers.shared_ledger import SharedLedger
from ftpservice.storage.quota.ledgers.tree_record import (
    QUOTA_RECORD,
    RecordLocked,
    TreeRecord,
    end_process,
    forget_tree,
)
from ftpservice.wire.paths import ROOT

__all__ = ["SharedQuotas"]

FOLLOW_SECONDS = 0.1
"""How often a process with something in progress reads on."""


class SharedQuotas:
    """The part of one process in the quotas of several.

    ``table`` has the section `QUOTA_RECORD`. ``descriptor`` is inherited by the other processes.
    """

    def __init__(self, table: SharedTable, log: QuotaLog, clock: IReactorTime) -> None:
        self._section = table.section(QUOTA_RECORD.name)
        self.log = log
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self.names = SharedNames(log.descriptor, table.layout.secret)
        self.leases: TreeLeases | None = None
        """In a cluster, what asks the other nodes."""
        self.is_cut_off = False
        """Whether it cannot ask them any more."""
        self.follow: Callable[[], object] = bool
        """Called while something is in progress; reads what is new."""

    @classmethod
    def create(cls, table: SharedTable, clock: IReactorTime) -> SharedQuotas:
        """Begin; in the process with column 0."""
        return cls(table, QuotaLog.create(table.layout.columns), clock)

    @classmethod
    def attach(cls, table: SharedTable, descriptor: int, clock: IReactorTime) -> SharedQuotas:
        """Take part; ``descriptor`` is that of the process which has begun."""
        log = QuotaLog.attach(descriptor, table.column, table.layout.columns)
        return cls(table, log, clock)

    @property
    def descriptor(self) -> int:
        """What other processes inherit, to `attach`."""
        return self.log.descriptor

    def close(self) -> None:
        """Take part no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.log.close()

    def tree(self, key: Place) -> CountedTree:
        """Return the ledger of a tree, which every process is told of by now."""
        record = self._record(key)
        ledger = SharedLedger(record)
        counts = SharedCounts(record, self.log.activity.is_read_by_all)
        tree = CountedTree(key, self._clock, (ledger, counts))
        tree.leases = self.leases
        tree.is_cut_off = ledger.is_cut_off = self.is_cut_off
        return tree

    def _record(self, key: Place) -> TreeRecord:
        return TreeRecord(self._section, json.dumps(key).encode(), self._clock)

    @contextmanager
    def announcing(self) -> Iterator[Callable[..., None]]:
        """Keep others from announcing; provides what appends an entry. Raises `RecordLocked`.

        What is new has to be read before, within the lock.
        """
        try:
            with self.log.locked():
                yield self.log.append
        except TableBusy as error:
            raise RecordLocked(ROOT, str(error)) from error

    def begin(self) -> None:
        """Record that a change or an upload is in progress; what is new has to be read then."""
        self.log.activity.begin()
        if self._timer is None:
            self._timer = self._clock.callLater(FOLLOW_SECONDS, self._follow)

    def _follow(self) -> None:
        self._timer = None
        if self.log.activity.is_active:
            self._timer = self._clock.callLater(FOLLOW_SECONDS, self._follow)
            self.follow()

    def forget(self, key: Place) -> bool:
        """Clear the numbers of a tree, unless a process uses it; tell whether none does."""
        return forget_tree(self._record(key))

    def end_process(self, key: Place, column: int) -> bool:
        """Settle what a process held in a tree; tell whether its sums are in doubt now."""
        return end_process(self._record(key), column)
