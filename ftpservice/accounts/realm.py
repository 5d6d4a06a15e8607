"""The realm: returns the `Account` of a name that a checker has accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import Interface, implementer

from ftpservice.accounts.account import Account, IAccount, StorageNames
from ftpservice.accounts.account_record import (
    AccountRecord,
    IAccountRecords,
    IRemoteRecords,
    RecordedName,
    has_records,
    is_storage_string,
)
from ftpservice.accounts.checkers import name_text
from ftpservice.accounts.defence.login_refusal import LoginRefused
from ftpservice.accounts.mounted_account import (
    account_tree,
    limits_of,
    mounted_parts,
    not_following,
)
from ftpservice.backends.directory_check import DirectoryCheck
from ftpservice.backends.gates.gate_rules import AccountGates, GateBook, GatedAccount
from ftpservice.backends.gates.gated_storage import GatedStorage
from ftpservice.backends.mounts.mount_rules import MountRules
from ftpservice.backends.mounts.mount_table import MountTable, Opened
from ftpservice.backends.mounts.mounted_storage import MountedStorage
from ftpservice.backends.strings import directory_of
from ftpservice.concurrency.lock_wait import LockWait, after_lock
from ftpservice.concurrency.task import Task
from ftpservice.events import LoginRefusal
from ftpservice.storage.directory_rights import DirectoryRightsStorage, RightsTable
from ftpservice.storage.errors import RefusedByGate, StorageError, Unavailable
from ftpservice.storage.interfaces import IStorage, IStorageSource, IUnnamedSource
from ftpservice.storage.links import without_links
from ftpservice.storage.name_rules.filtered_storage import FilteredStorage
from ftpservice.storage.name_rules.name_patterns import NameRules
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, Place
from ftpservice.storage.quota.ledgers.tree_record import RecordLocked
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage, QuotaState
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.storage.trash import with_trash
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["ANONYMOUS_NAME", "Realm"]

log = Logger("ftpservice.accounts")

ANONYMOUS_NAME = "anonymous"

Avatar = tuple[type[Interface], Any, Callable[[], None]]


@lru_cache(1024)
def _home(root: str) -> VirtualPath | None:
    """Return the path of a record's root; None for a storage string."""
    return None if is_storage_string(root) else VirtualPath.parse(root)


def _place(storage: IStorage, source: IStorageSource, home: VirtualPath) -> Place:
    """Return the place of the root of a storage, for the ledgers."""
    counting = ITreeUsage(storage, None)
    place: Place = (source, *home.parts) if counting is None else counting.place
    return place


def _restricted(storage: IStorage, record: AccountRecord) -> IStorage:
    """Return a storage that enforces the rights of an account, and its patterns of names."""
    if record.hidden_names or record.refused_names:
        names = NameRules.of(record.hidden_names or (), record.refused_names or ())
        storage = FilteredStorage(storage, names)
    if not record.directory_rights:
        return RestrictedStorage(storage, record.rights)
    rules = {VirtualPath.parse(one.path): one.rights for one in record.directory_rights}
    return DirectoryRightsStorage(storage, RightsTable(record.rights, rules))


async def _pass_gates(gates: AccountGates | None) -> None:
    """Ask the gates of a login; raises `LoginRefused`."""
    if gates is not None:
        try:
            await gates.ask_login()
        except RefusedByGate as error:
            raise LoginRefused(LoginRefusal.GATE, error.detail) from None


async def _found_record(realm: Realm, name: str, rights: frozenset[Right]) -> AccountRecord:
    """Return the record of a name that a checker has accepted, or one with default rights."""
    return await realm.record_of(name) or AccountRecord(name, "", rights=rights)


async def _opened_late(
    opens: Callable[[], Awaitable[IStorage]], quotas: QuotaBook | None, error: RecordLocked
) -> IStorage:
    """Return what ``opens`` returns, when no other process keeps the ledgers locked."""
    assert quotas is not None
    wait: LockWait | None = None
    while True:
        wait = await after_lock(quotas.clock, error, wait)
        with suppress(RecordLocked):
            return await opens()


def _log_unopened(name: str, error: object) -> None:
    log.error("the storage of {name!r} cannot be opened: {error}", name=name, error=error)


def _no_logout() -> None:
    """Release nothing: an account holds no resources."""


@implementer(IRealm)
class Realm:
    """Returns accounts with the storage, rights and limits of their records.

    A name without a record, which another checker has accepted, gets ``default_rights`` on the
    root of ``source``. Anonymous users get the directory ``anonymous``; None refuses them.
    ``open_source`` opens the storage strings of records; it raises `ValueError` or `OSError`.
    Raises `TypeError` for a source that is none, such as a storage string.
    """

    def __init__(
        self,
        source: IStorageSource,
        records: Sequence[IAccountRecords | IRemoteRecords] = (),
        *,
        open_source: Callable[[str], IStorageSource],
        anonymous: VirtualPath | None = None,
        default_rights: frozenset[Right] = PRESETS["full"],
    ) -> None:
        if not IStorageSource.providedBy(source):
            raise TypeError(f"source is an IStorageSource (see build_source), not {source!r}")
        if isinstance(default_rights, str):
            raise TypeError(f"default_rights is a set of Right, not {default_rights!r}")
        self._source = source
        self._records = tuple(records)
        for one in self._records:
            if not has_records(one):
                raise TypeError(f"records contains {one!r}, which is not an IAccountRecords")
        self._open_source = open_source
        self._anonymous = anonymous
        self._default_rights = default_rights
        self.quotas: QuotaBook | None = None
        """The ledgers; without them, accounts with a quota are refused."""
        self.mount_rules: MountRules | None = None
        """What holds for mounts; without it, accounts with mounts are refused."""
        self.directories: DirectoryCheck | None = None
        """Looks at directories in threads; without it, one that hangs stops the reactor."""
        self.gates: GateBook | None = None
        """What is asked about uploads, deletions and logins."""
        self.watch: Callable[[IStorage, object], IStorage] | None = None
        """Returns what stands around the storage of a client, to watch its calls."""
        self.with_retention: dict[str, AccountRecord] = {}
        """The records of the last logins of accounts whose files are deleted after a time."""
        self._names_of = partial(StorageNames, self._root_of)
        self._opened: dict[tuple[str, str], IStorageSource] = {}
        """By storage string, and by account for `IUnnamedSource`."""

    def requestAvatar(
        self,
        avatarId: Any,
        mind: object,
        *interfaces: type[Interface],
    ) -> Deferred[Avatar]:
        """Return the account; fails with `UnauthorizedLogin`, or `StorageError` without storage.

        ``mind`` is the client, for the gates, or None.
        """
        if IAccount not in interfaces:
            raise NotImplementedError("this realm returns accounts only (IAccount)")
        is_anonymous = avatarId == ()
        found = self._anonymous_avatar(mind) if is_anonymous else self._avatar(avatarId, mind)
        return Task(found).done

    async def stop(self) -> None:
        """Stop every source, including the one of the constructor."""
        if self.quotas is not None:
            self.quotas.stop()
        opened, self._opened = self._opened, {}
        for source in (self._source, *opened.values()):
            await source.stop()
        if self.directories is not None:
            await self.directories.stop()

    async def _anonymous_avatar(self, mind: object) -> Avatar:
        if self._anonymous is None:
            raise LoginRefused(LoginRefusal.NO_ANONYMOUS)
        rights = PRESETS["read"]
        if self.gates is not None:
            await _pass_gates(self.gates.of(GatedAccount(ANONYMOUS_NAME, (), mind)))
        storage = await self._source.storage(ANONYMOUS_NAME, self._anonymous)
        if self.watch is not None:
            storage = self.watch(storage, mind)
        restricted = RestrictedStorage(storage, rights)
        record = AccountRecord(ANONYMOUS_NAME, "", str(self._anonymous), rights=rights)
        account = Account(ANONYMOUS_NAME, restricted, rights, anonymous=True)
        named = replace(account, storage_name=self._names_of(record))
        return IAccount, named, _no_logout

    async def _avatar(self, avatar_id: bytes | str, mind: object) -> Avatar:
        record = (
            avatar_id.record
            if isinstance(avatar_id, RecordedName)
            else await _found_record(self, name_text(avatar_id), self._default_rights)
        )
        if record.disabled:
            raise LoginRefused(LoginRefusal.DISABLED)
        if record.retention is not None:
            self.with_retention[record.name] = record
        gates: AccountGates | None = None
        if self.gates is not None:
            named = self._names_of(record)
            gates = self.gates.of(GatedAccount(record.name, record.groups, mind, named))
            await _pass_gates(gates)
        opened = self._mounted if record.mounts else self._plain
        by_path = gates is not None and gates.depend_on_paths
        try:
            storage = await opened(record, by_path)
        except RecordLocked as error:
            storage = await _opened_late(partial(opened, record, by_path), self.quotas, error)
        if self.watch is not None:
            storage = self.watch(storage, mind)
        if gates is not None and gates.guard_files:
            storage = GatedStorage(storage, gates)
        account = Account(
            record.name,
            _restricted(storage, record),
            record.rights,
            max_sessions=record.max_sessions,
            rate_down=record.rate_down,
            rate_up=record.rate_up,
            tls_required=record.tls_required,
            umask=record.umask,
            ascii=record.ascii,
            groups=record.groups,
            storage_name=self._names_of(record),
            owner=record.owner,
        )
        return IAccount, account, _no_logout

    def _root_of(self, root: str, holder: str) -> tuple[VirtualPath, IStorageSource | None]:
        """Return where the files of a root are: the path in a source; None if that is not open."""
        home = _home(root)
        return (ROOT, self._opened_for(root, holder)) if home is None else (home, self._source)

    async def quota_of(self, name: str, recount: bool = False) -> QuotaState | None:
        """Return what an account uses, and its quota; None without a record.

        With ``recount`` its tree is counted again, and other accounts in it are held to the result.
        Raises `StorageError`.
        """
        record = await self.record_of(name)
        if record is None:
            return None
        counted: object  # the ledger does not keep it
        if record.mounts:
            counted = account_tree(record, self._quotas(record), self.open_root)
            tree = counted.tree
        else:
            storage, place = await self.open_root(record.root, record.files_owner, record.name)
            tree, counted = self._quotas(record).enter(place, storage), storage
        if recount:
            await tree.count()
        return await tree.state(limits_of(record))

    async def _plain(self, record: AccountRecord, by_path: bool) -> IStorage:
        """Return the storage of an account without mounts; ``by_path``: gates depend on paths.

        It enforces a quota if the account or one that shares files has one. An account without a
        quota, far from one, gets the storage itself.
        """
        home, source = await self.home_of(record.root, record.name, record.name)
        owner = record.owner or record.name  # `files_owner`, without its call
        storage = await source.storage(owner, home)
        by_path = by_path or bool(record.directory_rights or record.hidden_names)
        if by_path or record.refused_names:
            storage = without_links(storage)
        if record.trash is not None:
            storage = with_trash(storage, record.trash)
        has_quota = record.quota_bytes is not None or record.quota_files is not None
        quotas = self.quotas
        if quotas is not None and quotas.shared is not None:
            quotas.directory.sync()
        if not (has_quota or (quotas is not None and (record.shares_quota or quotas.trees))):
            return storage
        quotas, place = self._quotas(record), _place(storage, source, home)
        if has_quota:
            owner, limits = record.files_owner, limits_of(record)
            tree = quotas.enter(place, storage)
            quotas.set_limits(tree, record.name, limits)
            return MeteredStorage(QuotaAccount(storage, quotas, owner, place, limits, tree))
        if record.shares_quota or quotas.roots.overlaps(place):
            return MeteredStorage(QuotaAccount.of(storage, quotas, record.files_owner, place))
        return storage

    async def _mounted(self, record: AccountRecord, by_path: bool) -> IStorage:
        """Return the storage of an account with mounts; raises `StorageError` without its root."""
        if self.mount_rules is None:
            log.error("{name!r} has mounts, and the realm has no rules", name=record.name)
            raise Unavailable(ROOT, "no rules for mounts")
        has_quota = limits_of(record) != NO_LIMITS
        quotas = self._quotas(record) if has_quota else self.quotas
        by_path = by_path or bool(record.directory_rights or record.hidden_names)
        follows = not (by_path or record.refused_names)
        opens = self.open_root if follows else not_following(self.open_root)
        parts = mounted_parts(record, quotas, opens)
        await parts[0].storage()
        return MountedStorage(MountTable(parts), self.mount_rules)

    async def open_root(self, root: str, owner: str, holder: str) -> Opened:
        """Open a root or the storage of a mount; for ``holder``, if it is not shared.

        Raises `StorageError`.
        """
        home, source = await self.home_of(root, owner, holder)
        storage = await source.storage(owner, home)
        return storage, _place(storage, source, home)

    async def home_of(
        self, root: str, owner: str, holder: str
    ) -> tuple[VirtualPath, IStorageSource]:
        """Return the path of a root in its source, and the source; raises `StorageError`."""
        home = _home(root)
        if home is None:
            return ROOT, await self._source_for(root, owner, holder)
        return home, self._source

    def _quotas(self, record: AccountRecord) -> QuotaBook:
        if self.quotas is None:
            log.error("{name!r} has a quota, and the realm has no QuotaBook", name=record.name)
            raise Unavailable(ROOT, "no ledgers for quotas")
        return self.quotas

    async def record_of(self, name: str) -> AccountRecord | None:
        """Return the record of the first store that has the name."""
        for records in self._records:
            record: AccountRecord | None
            if IRemoteRecords.providedBy(records):
                record = await records.fetch(name)
            else:
                record = records.lookup(name)
            if record is not None:
                return record
        return None

    async def _source_for(self, text: str, owner: str, holder: str) -> IStorageSource:
        """Return the source of a storage string, opened for ``holder`` if it is not shared.

        A mount that is down is not logged: clients ask for it with each listing.
        """
        if (source := self._opened_for(text, holder)) is not None:
            return source
        directory = directory_of(text)
        if directory and self.directories is not None:
            # Opening it looks at it in the reactor thread, which must not hang.
            try:
                await self.directories.reach(directory)
            except StorageError as error:
                if owner == holder:
                    _log_unopened(owner, error.detail)
                raise
            if (source := self._opened_for(text, holder)) is not None:
                return source
        try:
            source = self._open_source(text)
        except StorageError:
            raise
        except (ValueError, OSError) as error:
            _log_unopened(holder, error)
            raise Unavailable(ROOT, str(error)) from error
        self._opened[(text, holder if IUnnamedSource.providedBy(source) else "")] = source
        return source

    def _opened_for(self, text: str, holder: str) -> IStorageSource | None:
        return self._opened.get((text, "")) or self._opened.get((text, holder))
