"""The interfaces of account stores.

`IAccountLookup` is what a login needs of a store, `IWatchedAccounts` what puts changes into force
for sessions that run, `IAccountStore` what the command ``ftpservice user`` changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.groups.group_names import listed_accounts

if TYPE_CHECKING:
    from ftpservice.accounts.account import IPeerCredentials

__all__ = [
    "AccountExists",
    "AccountListing",
    "AccountStoreError",
    "ExistingAccounts",
    "FoundAccount",
    "GroupInUse",
    "IAccountLookup",
    "IAccountStore",
    "IAccountStoreFactory",
    "IInterruptibleStore",
    "IPasswordStore",
    "IPeerAccountLookup",
    "IReadOnlyStoreFactory",
    "IWatchedAccounts",
    "InvalidAccount",
    "NoSuchAccount",
    "StoreUnavailable",
    "UnusableAccount",
]


class AccountStoreError(Exception):
    """An operation on a store failed; ``str`` of it is one line that says why. Nothing changed."""


class NoSuchAccount(AccountStoreError):
    """The store has no account of that name."""


class AccountExists(AccountStoreError):
    """The store has an account of that name already.

    ``names`` are all such names, if several accounts were to be added.
    """

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


class InvalidAccount(AccountStoreError):
    """The store cannot represent the record, or what it has of the account cannot be used."""


class GroupInUse(InvalidAccount):
    """A group is to be removed that accounts name."""

    def __init__(self, place: str, group: str, members: Sequence[str]) -> None:
        super().__init__(
            f"{place}: the group {group!r} is one of {listed_accounts(list(members))}, which could"
            " not log in without it; change them first, or use --force"
        )


class StoreUnavailable(AccountStoreError):
    """The store cannot be read or written at the moment."""


class ExistingAccounts(Enum):
    """What to do with accounts to be added whose name is in the store already."""

    REFUSE = "refuse"
    """Add none at all."""
    SKIP = "skip"
    """Leave the account of the store as it is."""
    REPLACE = "replace"


@dataclass(frozen=True)
class UnusableAccount:
    """An account or a group that the store has and that cannot be used."""

    record: AccountRecord
    """As the store has it; locked and with nothing but its name if that cannot be read either."""
    reason: str


@dataclass(frozen=True)
class AccountListing:
    """The accounts of a store, as it was at one time."""

    accounts: Sequence[AccountRecord]
    """All usable accounts with what they inherit, in the order of the store."""
    problems: Sequence[str]
    """A line for each entry that cannot be used, with its place."""
    unusable: Sequence[UnusableAccount] = ()
    """The accounts and groups that cannot be used, in the order of the store."""


@dataclass(frozen=True)
class FoundAccount:
    """What a store has of a name."""

    record: AccountRecord | None = None
    """None if the store has no account of that name."""
    is_right: bool | None = None
    """Whether the password is right; None if its hash in the record is to be checked."""
    unusable: str = ""
    """Why what the store has of the account cannot be used; empty if it can.

    Without a record: why the store refuses a login without telling whether it knows the name.
    """


class IAccountLookup(Interface):
    """A store of accounts as logins use it, by `ftpservice.accounts.stores.store_checker`.

    Its methods block, and are called in several threads at a time. They raise `StoreUnavailable` if
    the store is down or cannot be used. Without an answer for a long time they end by `interrupt`.
    """

    place = Attribute("Where the accounts are, a str for messages, without passwords.")

    def look_up(name: str, password: bytes | None) -> FoundAccount:
        """Return what the store has of a name.

        A store that checks passwords itself checks ``password``; None for a login by certificate.
        It must take as long for an unknown name as for a wrong password. For a store with
        hashes the caller does both.
        """

    def decoy_hash(name: str) -> str:
        """Return the hash to check for an unknown name, from memory: see `DecoyHashes`."""

    def current(names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return the records in force of these names, as `IWatchedAccounts.current`."""

    def problems() -> Sequence[str]:
        """Return what is wrong with the settings of the store, a line each, if it can be used."""

    def interrupt(seconds: float) -> None:
        """Make the calls end that have run for longer than this; does not block.

        A store whose calls end by a time-out of their own does nothing.
        """

    def close() -> None:
        """Close connections, while no other call runs; a later call opens them again."""


class IPeerAccountLookup(IAccountLookup):
    """A store that is also told how the client is connected."""

    def look_up_from(name: str, password: bytes, peer: IPeerCredentials) -> FoundAccount:
        """Return what the store has of a name, as ``look_up``; called for passwords."""


class IWatchedAccounts(Interface):
    """A checker that tells which records its accounts have now."""

    place = Attribute("Where the accounts are, a str for messages.")

    def take_logins(names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return what the logins of these names since the last call were checked against.

        If there were several records of a name, the oldest. Does not block; called on the reactor
        thread.
        """

    def current(names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return the records of these names as they are now; those that are gone are left out.

        An account that cannot be used is returned as ``disabled``. Blocks; called in a thread every
        second, by one thread at a time, so it should cost little if nothing has changed. Raises
        `StoreUnavailable`.
        """

    def interrupt() -> None:
        """Make a call of `current` end, because the service stops; does not block."""


class IAccountStore(Interface):
    """Accounts and groups that can be listed and changed.

    A name that begins with ``@`` is that of a group. Its record, and that of an account to be
    written, is as the store has it: without what is inherited.
    All methods block, so call them in a thread. Each change is atomic: readers see the accounts
    before it or after it. Changes by several processes at a time follow one another. Every method
    raises `StoreUnavailable`.
    """

    place = Attribute("Where the accounts are, a str for messages: the path of a file.")

    def listing() -> AccountListing:
        """Return the accounts and the problems; the store is read once.

        A store that cannot list its accounts raises `AccountStoreError` with the reason.
        """

    def accounts() -> Sequence[AccountRecord]:
        """Return the accounts of the `listing`."""

    def groups() -> Sequence[AccountRecord]:
        """Return all usable groups, in the order of the store; their names begin with ``@``."""

    def members(group: str) -> Sequence[str]:
        """Return the names of the accounts that name a group."""

    def problems() -> Sequence[str]:
        """Return the problems of the `listing`, or those of a store that cannot list accounts."""

    def find(name: str) -> AccountRecord:
        """Return an account with what it inherits; raises `NoSuchAccount`, `InvalidAccount`."""

    def add(record: AccountRecord) -> None:
        """Add an account or a group; raises `AccountExists`, `InvalidAccount`.

        An account that could not log in, such as one that names a missing group, is not added.
        """

    def add_many(
        records: Sequence[AccountRecord],
        existing: ExistingAccounts = ExistingAccounts.REFUSE,
        dry_run: bool = False,
    ) -> Sequence[AccountRecord]:
        """Add accounts in one change, all or none; return those that were written.

        With ``dry_run`` nothing is written. Raises `AccountExists` with the names that exist,
        `InvalidAccount`.
        """

    def replace_hashes(hashes: Mapping[str, tuple[str, str]]) -> Sequence[str]:
        """Replace password hashes in one change; return the names whose hash was replaced.

        ``hashes`` has the hash to replace and the new one, by name. An account that has another
        hash by now, or is gone, stays as it is.
        """

    def change(name: str, changes: Mapping[str, Any]) -> AccountRecord:
        """Set fields of an account, its name too; return the new record.

        ``changes`` has values by field of `AccountRecord`, or
        `ftpservice.accounts.groups.inheritance.ValueWord`. Other fields keep what another process
        has set meanwhile. A change of a group that would disable accounts is not made. Raises
        `NoSuchAccount`, `InvalidAccount`, `AccountExists`.
        """

    def remove(name: str, force: bool = False) -> None:
        """Remove an account or a group, also one that cannot be used; raises `NoSuchAccount`.

        A group that accounts need is removed with ``force`` only (`InvalidAccount`); they cannot
        log in then. It stays if an account would get the root of the service without it.
        """


class IInterruptibleStore(IAccountStore):
    """A store whose calls may have to wait for a server."""

    def interrupt() -> None:
        """Make the calls that run end, by `StoreUnavailable`; does not block."""


class IAccountStoreFactory(Interface):
    """A checker factory (`twisted.cred.strcred.ICheckerFactory`) whose accounts can be changed."""

    def openStore(argstring: str) -> IAccountStore:
        """Return the store that ``generateChecker(argstring)`` reads; does not block.

        Raises `twisted.cred.strcred.InvalidAuthArgumentString`.
        """


class IReadOnlyStoreFactory(IAccountStoreFactory):
    """A checker factory whose accounts are changed elsewhere: its stores refuse every change."""


class IPasswordStore(IAccountStore):
    """A store that checks passwords itself: it has no hashes."""

    def check_password(name: str, password: bytes) -> Sequence[str]:
        """Return why a login with this password would be refused; empty if it would not.

        Conditions of the account, such as its networks, are not checked.
        """
