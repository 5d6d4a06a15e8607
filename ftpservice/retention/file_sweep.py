"""Finds the files of one account that are older than their rules allow, and deletes them.

- The age of a file is the time since it was last changed, in content or facts, or created: the
  latest of the times that the storage has. A client can set the time of modification, so it does
  not count alone: a file that was uploaded today is new, whatever time the client gave it.
- Only plain files are deleted, and directories if they are asked for. Links, devices and hidden
  files stay; no link is followed.
- A file that has changed since it was listed, or is in use, stays (`IConditionalRemoval`).
- An error concerns its own file or directory; the others go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from twisted.logger import Logger

from ftpservice.retention.account_files import AccountFiles
from ftpservice.retention.file_owners import FileOwners, SharedDirectory
from ftpservice.retention.pace import Pace
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import Busy, NotEmpty, NotSupported, PathNotFound, StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.storage.quota.upload_room import run_to_the_end
from ftpservice.storage.retention_rules import RetentionRule, RetentionRules
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["ExpiredFile", "FileSweep", "SweepCounts", "SweepTerms", "age_of"]

log = Logger("ftpservice.retention")

ENTRY_SECONDS = 1 / 20_000
"""What looking at one entry of a directory counts for the pace."""
DELETION_SECONDS = 1 / 200
ENTRIES_PER_TURN = 200
"""Entries that are looked at before other work gets a turn."""
MAX_LOGGED_ERRORS = 20
"""Errors of one account that are logged; the others are counted."""


@dataclass(frozen=True)
class ExpiredFile:
    """A file, or a directory, that is older than its rule allows."""

    account: str
    path: VirtualPath
    size: int
    age: float
    """In seconds."""
    rule: RetentionRule
    is_directory: bool = False
    rule_account: str = ""
    """The account whose rule it is, if that is another one."""

    @property
    def rule_text(self) -> str:
        """The rule, and whose it is if it is that of another account."""
        return f"{self.rule} of {self.rule_account!r}" if self.rule_account else str(self.rule)


@dataclass(frozen=True)
class SweepTerms:
    """What holds for all accounts of a run."""

    now: float
    """The time at the start of the run, in seconds since the epoch."""
    is_dry: bool
    """Whether nothing is deleted."""
    with_directories: bool
    """Whether empty directories are deleted, too."""
    pace: Pace
    found: Callable[[ExpiredFile], object]
    """Called with what was deleted, or in a dry run would be."""
    is_stopping: Callable[[], bool]
    listed: set[tuple[Place, bool]] = field(default_factory=set)
    """In a dry run: directories that accounts share, whose files are listed already (False), and
    those that are listed themselves (True)."""


@dataclass
class SweepCounts:
    """What became of the files of one account."""

    files: int = 0
    bytes: int = 0
    directories: int = 0
    kept_by_others: int = 0
    """Files that stayed because another account that reaches them keeps them longer."""
    in_use: int = 0
    """Files that stayed because they were in use or have changed."""
    failed: int = 0
    """Files and directories that could not be looked at or deleted."""


@dataclass(frozen=True)
class _Tree:
    """A storage, and how to remove from it."""

    storage: IStorage
    removal: IConditionalRemoval


class FileSweep:
    """The files of one account; `run` is to be called once."""

    def __init__(
        self,
        account: tuple[str, RetentionRules],
        files: AccountFiles,
        owners: FileOwners,
        terms: SweepTerms,
        fixed: Callable[[VirtualPath, Place], bool] = lambda _path, _place: False,
    ) -> None:
        self.counts = SweepCounts()
        self._account, self._rules = account
        self._files = files
        self._owners = owners
        self._terms = terms
        self._fixed = fixed
        """Tells of directories that stay."""
        self._pending: list[VirtualPath] = [ROOT]
        self._unavailable = {problem.path for problem in files.problems}
        """The mounts that cannot be opened: they have failed already."""

    async def run(self) -> None:
        """Look at all directories in which a rule may delete something."""
        for problem in self._files.problems:
            self._failed(problem)
        storage = self._files.storage
        if storage is None:
            return
        removal = IConditionalRemoval(storage, None)
        if removal is None:
            self._failed(NotSupported(ROOT, "it cannot remove only what nobody has touched"))
            return
        while self._pending and not self._terms.is_stopping():
            directory = self._pending.pop()
            may_delete = self._rules.deletes_below(directory) and directory not in self._unavailable
            if may_delete and self._files.leads_to_writable(directory):
                await self._attempt(self._look(_Tree(storage, removal), directory))

    async def _look(self, tree: _Tree, directory: VirtualPath) -> None:
        """Delete what has expired in one directory; raises `StorageError`."""
        shared = SharedDirectory([])
        if self._files.is_writable(directory):
            shared = self._owners.directory(self._files.place_of(directory))
        is_listed = shared.is_shared and self._is_listed(directory, False)
        try:
            listing = await tree.storage.open_listing(directory)
        except PathNotFound:
            return
        try:
            while batch := await listing.next_batch():
                for start in range(0, len(batch), ENTRIES_PER_TURN):
                    turn = batch[start : start + ENTRIES_PER_TURN]
                    await self._consider_all(tree, directory, turn, shared, is_listed)
        finally:
            listing.close()

    async def _consider_all(
        self,
        tree: _Tree,
        directory: VirtualPath,
        entries: Sequence[Entry],
        shared: SharedDirectory,
        is_listed: bool,
    ) -> None:
        await self._terms.pace.step(len(entries) * ENTRY_SECONDS)
        for entry in entries:
            expired = self._expired(directory.child(entry.name), entry, shared)
            if expired is None or (is_listed and not expired.is_directory):
                continue
            if not self._terms.is_stopping():
                await self._attempt(self._expire(tree, entry, expired))

    def _expired(
        self, path: VirtualPath, entry: Entry, shared: SharedDirectory
    ) -> ExpiredFile | None:
        """Return what has expired; note a directory to be looked at."""
        is_directory = entry.kind is Kind.DIRECTORY
        if is_directory:
            self._pending.append(path)
            is_dated = entry.modified or entry.changed or entry.created
            if not (self._terms.with_directories and is_dated):  # no time tells no age
                return None
            if self._fixed(path, self._files.place_of(path)):
                return None
            rule = shared.rule_for_directory(entry.name)
        else:
            rule = shared.rule_for(entry.name) if entry.kind is Kind.FILE else None
        age = age_of(entry, self._terms.now)
        if rule is None or age < rule.seconds:
            if entry.kind is Kind.FILE and shared.is_shared:
                own = self._rules.at(path.parent).rule_for(entry.name)
                self.counts.kept_by_others += own is not None and age >= own.seconds
            return None
        owner = shared.account_of(rule, entry.name, is_directory) if shared.is_shared else ""
        if owner:
            own = self._own_rule(path, is_directory)
            rule, owner = (own, "") if own and own.seconds == rule.seconds else (rule, owner)
        return ExpiredFile(self._account, path, entry.size, age, rule, is_directory, owner)

    def _own_rule(self, path: VirtualPath, is_directory: bool) -> RetentionRule | None:
        rules = self._rules.at(path.parent)
        return rules.rule_for_directory(path.name) if is_directory else rules.rule_for(path.name)

    def _is_listed(self, path: VirtualPath, itself: bool) -> bool:
        """Return whether a dry run has listed the files of a directory, or it; note that it has."""
        key = (self._files.place_of(path), itself)
        listed = self._terms.listed
        if not self._terms.is_dry or key in listed:
            return self._terms.is_dry
        listed.add(key)
        return False

    async def _expire(self, tree: _Tree, entry: Entry, expired: ExpiredFile) -> None:
        if self._terms.is_dry:
            is_found = not expired.is_directory or (
                await _is_empty(tree.storage, expired.path)
                and not self._is_listed(expired.path, True)
            )
            if is_found:
                self._count(expired)
            return
        await self._terms.pace.step(DELETION_SECONDS)
        # What is deleted is also counted and published, if the run is cancelled meanwhile.
        await run_to_the_end(self._remove(tree.removal, entry, expired))

    async def _remove(
        self, removal: IConditionalRemoval, entry: Entry, expired: ExpiredFile
    ) -> None:
        try:
            await removal.remove_unchanged(expired.path, entry)
        except (PathNotFound, NotEmpty):
            return
        except Busy as error:
            self.counts.in_use += 1
            log.debug("{account}: {error}", account=self._account, error=error)
        else:
            self._count(expired)

    def _count(self, expired: ExpiredFile) -> None:
        if expired.is_directory:
            self.counts.directories += 1
        else:
            self.counts.files += 1
            self.counts.bytes += expired.size
        self._terms.found(expired)

    async def _attempt(self, step: Awaitable[None]) -> None:
        try:
            await step
        except StorageError as error:
            self._failed(error)

    def _failed(self, error: StorageError) -> None:
        self.counts.failed += 1
        if self.counts.failed <= MAX_LOGGED_ERRORS:
            log.error("retention of {name!r}: {error}", name=self._account, error=error)


async def _is_empty(storage: IStorage, path: VirtualPath) -> bool:
    listing = await storage.open_listing(path)
    try:
        return not await listing.next_batch()
    finally:
        listing.close()


def age_of(entry: Entry, now: float) -> float:
    """Return how long ago something was changed or created, in seconds; below 0 for the future."""
    return now - max(entry.modified, entry.changed / 1e9, entry.created or 0.0)
