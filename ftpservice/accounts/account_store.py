"""Account stores that can be changed, by the ``ftpservice`` command or an embedding program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zope.interface import Attribute, Interface

from ftpservice.accounts.account_record import AccountRecord

__all__ = [
    "AccountExists",
    "AccountStoreError",
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
    """The store has an account of that name already."""


class InvalidAccount(AccountStoreError):
    """The store cannot represent the record, or what it has of the account cannot be used."""


class StoreUnavailable(AccountStoreError):
    """The store cannot be read or written at the moment."""


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
