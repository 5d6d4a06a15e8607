"""A run of the retention: all accounts, one after the other.

Before anything is deleted it is known of all accounts which files they reach and how long they keep
them. If a store does not answer, or has an account that cannot be used, nothing is deleted at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import AccountStoreError, IInterruptibleStore
from ftpservice.accounts.realm import Realm
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.concurrency.task import drop_tracebacks
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.events import Event, FileExpired
from ftpservice.retention.account_files import named_place, open_account_files
from ftpservice.retention.account_list import listed_accounts
from ftpservice.retention.file_owners import FileOwners
from ftpservice.retention.file_sweep import ExpiredFile, FileSweep, SweepCounts, SweepTerms
from ftpservice.retention.pace import Pace
from ftpservice.storage.errors import StorageError
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.wire.paths import VirtualPath

__all__ = ["CannotRun", "RetentionRun", "RunResult"]

log = Logger("ftpservice.retention")

MAX_LISTED = 10_000
"""Files that the result of a run lists; the others are counted."""
ACCOUNT_SECONDS = 1 / 1000
"""What looking where the files of an account are counts for the pace."""


class CannotRun(Exception):
    """Nothing was looked at or deleted; ``str`` of it says why."""


@dataclass
class RunResult:
    """What a run has deleted or, in a dry run, would delete."""

    is_dry: bool
    started: float
    """In seconds since the epoch."""
    counts: dict[str, SweepCounts] = field(default_factory=dict)
    """By account."""
    expired: list[ExpiredFile] = field(default_factory=list)
    omitted: int = 0
    """Files that are not listed in ``expired``."""

    def add(self, expired: ExpiredFile) -> None:
        """List a file, if there is room."""
        if len(self.expired) < MAX_LISTED:
            self.expired.append(expired)
        else:
            self.omitted += 1

    def total(self, field_name: str) -> int:
        """Return the sum of a field of `SweepCounts`."""
        return sum(getattr(counts, field_name) for counts in self.counts.values())


@dataclass
class _Plan:
    """What is known of all accounts."""

    owners: FileOwners
    fixed_places: frozenset[Place] = frozenset()
    """Directories that stay: the roots of accounts, and those above."""
    swept: set[object] = field(default_factory=set)
    """The files and rules of the accounts that are done."""


class RetentionRun:
    """Runs for the accounts of ``checkers``, whose files ``realm`` opens.

    ``seconds`` returns the time since the epoch; ``publish`` is called with a `FileExpired` for
    each deletion.
    """

    with_directories = False
    """Whether empty directories are deleted, too."""

    def __init__(
        self,
        checkers: Sequence[object],
        realm: Realm,
        reactor: Any,
        seconds: Callable[[], float],
        publish: Callable[[Event], object],
    ) -> None:
        self._checkers = checkers
        self._realm = realm
        self._reactor = reactor
        self._seconds = seconds
        self._publish = publish
        self.new_pool: Callable[[], BlockingRunner] = lambda: BlockingPool(
            reactor, "retention", threads=1
        )
        self.is_stopping = False
        """Whether the run is to end before its next step."""

    def interrupt(self) -> None:
        """Make the calls to account stores end, because the service stops; does not block."""
        for checker in self._checkers:
            store = checker.store if isinstance(checker, StoreChecker) else None
            if IInterruptibleStore.providedBy(store):
                IInterruptibleStore(store).interrupt()

    async def accounts(self) -> list[AccountRecord]:
        """Return all accounts that are known; raises `CannotRun`."""
        pool = self.new_pool()
        try:
            return await pool.run(
                listed_accounts, self._checkers, tuple(self._realm.with_retention)
            )
        except AccountStoreError as error:
            drop_tracebacks(error)
            raise CannotRun(f"not all accounts are known: {error}") from None
        finally:
            await pool.stop()

    async def run(self, name: str | None = None, is_dry: bool = False) -> RunResult:
        """Delete what has expired, of all accounts or of one; raises `CannotRun`."""
        now, pace = self._seconds(), Pace(self._reactor)
        result = RunResult(is_dry, now)
        accounts = await self.accounts()
        with_retention = [one for one in accounts if one.retention is not None]
        chosen = [one for one in with_retention if name in (None, one.name)]
        if name is not None and not chosen:
            is_known = any(one.name == name for one in accounts)
            raise CannotRun(
                f"the account {name!r} has no retention"
                if is_known
                else f"there is no account {name!r}"
            )
        plan = _Plan(await self._owners(with_retention, pace))
        if self.with_directories:
            plan.fixed_places = await self._fixed_places(accounts, pace)

        def found(expired: ExpiredFile) -> None:
            result.add(expired)
            if not is_dry:
                self._publish(_event(expired, self._seconds()))

        terms = SweepTerms(
            now, is_dry, self.with_directories, pace, found, lambda: self.is_stopping
        )
        for record in chosen:
            if not self.is_stopping:
                await self._sweep(record, plan, terms, result)
        return result

    async def _owners(self, records: Sequence[AccountRecord], pace: Pace) -> FileOwners:
        owners = FileOwners()
        for record in records:
            await pace.step(ACCOUNT_SECONDS)
            assert record.retention is not None
            try:
                files = await open_account_files(self._realm, record)
            except StorageError as error:
                drop_tracebacks(error)
                raise _unknown_files(record, error) from None
            owners.add(record.name, record.retention, files.places)
        return owners

    async def _sweep(
        self, record: AccountRecord, plan: _Plan, terms: SweepTerms, result: RunResult
    ) -> None:
        """Delete what has expired of one account; an error concerns no other account."""
        rules = record.retention
        assert rules is not None
        await terms.pace.step(ACCOUNT_SECONDS)
        try:
            files = await open_account_files(self._realm, record)
        except StorageError as error:
            drop_tracebacks(error)
            log.error("retention of {name!r}: {error}", name=record.name, error=error)
            result.counts.setdefault(record.name, SweepCounts()).failed += 1
            return
        key = (files.places, files.read_only, rules)
        if key in plan.swept:
            return  # another account with the same files and the same rules
        plan.swept.add(key)
        sweep = FileSweep((record.name, rules), files, plan.owners, terms, _fixed(record, plan))
        result.counts[record.name] = sweep.counts
        try:
            await sweep.run()
        except StorageError as error:
            drop_tracebacks(error)
            sweep.counts.failed += 1
            log.error("retention of {name!r}: {error}", name=record.name, error=error)
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - a storage of others may fail in any way
            sweep.counts.failed += 1
            log.failure("retention of {name!r} failed", name=record.name)

    async def _fixed_places(self, records: Sequence[AccountRecord], pace: Pace) -> frozenset[Place]:
        """Return where the roots and mounts of all accounts are, and the directories above.

        Raises `CannotRun`.
        """
        found: set[Place] = set()
        for record in records:
            await pace.step(ACCOUNT_SECONDS)
            for root in (record.root, *(mount.storage for mount in record.mounts)):
                try:
                    place = await named_place(self._realm, root, record.name)
                except StorageError as error:
                    drop_tracebacks(error)
                    raise _unknown_files(record, error) from None
                found.update(place[:depth] for depth in range(1, len(place) + 1))
        return frozenset(found)


def _unknown_files(record: AccountRecord, error: StorageError) -> CannotRun:
    return CannotRun(f"the files of {record.name!r} are not known: {error}")


def _fixed(record: AccountRecord, plan: _Plan) -> Callable[[VirtualPath, Place], bool]:
    """Return what tells of directories that stay: named in a rule, or the root of an account."""
    rules = record.retention
    ruled = [one.path for one in record.directory_rights]
    named = [VirtualPath.parse(path) for path in (*ruled, *(one.path for one in record.mounts))]

    def is_fixed(path: VirtualPath, place: Place) -> bool:
        return (
            (rules is not None and rules.names(path))
            or any(one.is_within(path) for one in named)
            or place in plan.fixed_places
        )

    return is_fixed


def _event(expired: ExpiredFile, when: float) -> FileExpired:
    return FileExpired(
        when,
        0,
        "",
        expired.account,
        str(expired.path),
        expired.size,
        expired.age,
        expired.rule_text,
        expired.is_directory,
    )
