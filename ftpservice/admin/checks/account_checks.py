"""Checks of the accounts, and of what the data directory has about accounts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from ftpservice.accounts.account_store import AccountStoreError, StoreUnavailable
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.second_factors.factor_file import (
    FACTOR_FILE,
    FactorFile,
    FactorFileError,
)
from ftpservice.accounts.storage_problems import storage_problems
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.admin.checks.finding import Finding, error, good, warning
from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile, ShareFileError
from ftpservice.wire.units import count_text

__all__ = ["check_account_data", "check_accounts"]


def check_accounts(checkers: Sequence[Any]) -> Iterator[Finding]:
    """Check the accounts of all stores."""
    for checker in checkers:
        if isinstance(checker, StoreChecker):
            yield from _store_findings(checker)
        if not isinstance(checker, PasswordFileChecker):
            continue
        store = PasswordFileStore(checker.file.path)
        listing = store.listing()
        problems = [*listing.problems, *storage_problems([*listing.accounts, *store.groups()])]
        for line in problems:
            yield warning("accounts", line, "ftpservice user check")
        if not problems:
            yield good("accounts", f"{store.place}: {count_text(len(listing.accounts), 'account')}")


def _store_findings(checker: StoreChecker) -> Iterator[Finding]:
    try:
        problems = list(checker.problems())
        if checker.store is not None:
            records = [*checker.store.accounts(), *checker.store.groups()]
            problems += storage_problems(records)
    except StoreUnavailable as caught:
        yield error("accounts", str(caught), "its logins are refused with 421 until it answers")
        return
    for line in problems:
        yield warning("accounts", line, "see docs/account-stores.md")
    if not problems:
        yield good("accounts", f"{checker.place} answers")


def check_account_data(directory: str | None, checkers: Sequence[Any]) -> Iterator[Finding]:
    """Find second factors and share links in a data directory that belong to no account.

    An account that gets such a name would have them. Nothing is found if one of the stores cannot
    list its accounts.
    """
    names = _account_names(checkers)
    if names is None or directory is None:
        return
    factors, shares = Path(directory, FACTOR_FILE), Path(directory, SHARE_FILE)
    try:
        if factors.exists():
            for name in sorted(FactorFile(factors).read().keys() - names):
                advice = f"ftpservice user second-factor remove {quote(name)}"
                yield warning("accounts", f"second factors of {name!r}: no such account", advice)
        if shares.exists():
            links = ShareFile(shares, time.time).read().values()
            for name in sorted({link.user for link in links} - names):
                advice = f"ftpservice share remove --user {quote(name)}"
                yield warning("accounts", f"share links of {name!r}: no such account", advice)
    except (OSError, FactorFileError, ShareFileError) as caught:
        yield error("accounts", str(caught), "run this command as the user of the service")


def _account_names(checkers: Sequence[Any]) -> set[str] | None:
    """Return the names of all accounts, also of those that cannot log in; None if unknown."""
    names: set[str] = set()
    for checker in checkers:
        if isinstance(checker, PasswordFileChecker):
            store: Any = PasswordFileStore(checker.file.path)
        else:
            store = getattr(checker, "store", None)
        if store is None:
            return None
        try:
            listing = store.listing()
        except AccountStoreError:
            return None
        names |= {record.name for record in listing.accounts}
        names |= {one.record.name for one in listing.unusable}
    return names
