"""All accounts that may have retention, from the stores of a service."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    IAccountStore,
    InvalidAccount,
    IWatchedAccounts,
)
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.stores.store_checker import StoreChecker

__all__ = ["listed_accounts"]


def listed_accounts(checkers: Iterable[object], seen: Collection[str]) -> list[AccountRecord]:
    """Return the accounts of all stores (blocks).

    Of stores that cannot be listed, those of the names that were ``seen``, as of now or, if the
    store cannot be asked about them, of their last login.

    Raises `StoreUnavailable`, and `InvalidAccount` if a store has an account that cannot be used:
    it may have the files of another one, and keep them.
    """
    found: list[AccountRecord] = []
    for checker in checkers:
        if isinstance(checker, PasswordFileChecker):
            found += _in_file(checker)
        elif isinstance(checker, StoreChecker) and checker.store is not None:
            found += _in_store(checker.store)
        elif IWatchedAccounts.providedBy(checker):
            found += _seen(IWatchedAccounts(checker), seen) if seen else ()
    return found


def _in_file(checker: PasswordFileChecker) -> Iterable[AccountRecord]:
    contents = checker.file.refresh()
    for line in contents.malformed:
        if line.name not in contents.accounts:
            raise InvalidAccount(f"{checker.place}, {line}")
    for name, reason in contents.unresolved.items():
        raise InvalidAccount(f"{checker.place}, account {name!r}: {reason}")
    return contents.accounts.values()


def _seen(checker: IWatchedAccounts, names: Collection[str]) -> Iterable[AccountRecord]:
    for record in checker.current(names).values():
        if record.disabled and not record.rights:  # what it keeps is not known
            raise InvalidAccount(f"the account {record.name!r} cannot be used")
        yield record


def _in_store(store: IAccountStore) -> Sequence[AccountRecord]:
    listing: AccountListing = store.listing()
    for problem in listing.problems:
        raise InvalidAccount(problem)
    return listing.accounts
