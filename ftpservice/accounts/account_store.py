"""Account stores that can be changed, by the ``ftpservice`` command or an embedding program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from zope.interface import Attribute, Interface

from ftpservice.accounts.account_record import AccountRecord

__all__ = [
    "AccountExists",
    "AccountStoreError",
    "ExistingAccounts",
    "IAccountStore",
    "IAccountStoreFactory",
    "InvalidAccount",
    "NoSuchAccount",
    "StoreUnavailable",
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


class StoreUnavailable(AccountStoreError):
    """The store cannot be read or written at the moment."""


class ExistingAccounts(Enum):
    """What to do with accounts to be added whose name is in the store already."""

    REFUSE = "refuse"
    """Add none at all."""
    SKIP = "skip"
    """Leave the account of the store as it is."""
    REPLACE = "replace"


class IAccountStore(Interface):
    """Accounts that can be listed and changed.

    All methods block, so call them in a thread. Each change is atomic: readers see the accounts
    before it or after it. Changes by several processes at a time follow one another. Every method
    raises `StoreUnavailable`.
    """

    place = Attribute("Where the accounts are, a str for messages: the path of a file.")

    def accounts() -> Sequence[AccountRecord]:
        """Return all usable accounts, in the order of the store."""

    def problems() -> Sequence[str]:
        """Return a line for each entry that cannot be used, with its place."""

    def find(name: str) -> AccountRecord:
        """Return an account; raises `NoSuchAccount`, `InvalidAccount`."""

    def add(record: AccountRecord) -> None:
        """Add an account; raises `AccountExists`, `InvalidAccount`."""

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

        ``changes`` has values by field of `AccountRecord`. Other fields keep what another process
        has set meanwhile. Raises `NoSuchAccount`, `InvalidAccount`, `AccountExists`.
        """

    def remove(name: str) -> None:
        """Remove an account, also one that cannot be used; raises `NoSuchAccount`."""


class IAccountStoreFactory(Interface):
    """A checker factory (`twisted.cred.strcred.ICheckerFactory`) whose accounts can be changed."""

    def openStore(argstring: str) -> IAccountStore:
        """Return the store that ``generateChecker(argstring)`` reads; does not block.

        Raises `twisted.cred.strcred.InvalidAuthArgumentString`.
        """
