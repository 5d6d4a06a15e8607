"""Stores whose accounts are changed elsewhere, as the ``ftpservice`` command sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from zope.interface import implementer

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    AccountStoreError,
    ExistingAccounts,
    InvalidAccount,
    IPasswordStore,
    NoSuchAccount,
)
from ftpservice.accounts.external.external_accounts import IExternalAccounts
from ftpservice.accounts.groups.group_names import described, is_group

__all__ = ["ReadOnlyStore"]


@implementer(IPasswordStore)
class ReadOnlyStore:
    """Shows accounts and checks passwords; refuses every change."""

    def __init__(self, accounts: IExternalAccounts) -> None:
        self.place = accounts.place
        self._accounts = accounts

    def listing(self) -> AccountListing:
        """Return all accounts, if the program can list them."""
        found: AccountListing = self._accounts.listing()
        return found

    def accounts(self) -> Sequence[AccountRecord]:
        """Return all accounts, if the program can list them."""
        return self.listing().accounts

    def groups(self) -> Sequence[AccountRecord]:
        """Refuse: there are none."""
        raise AccountStoreError(f"{self.place}: groups are not kept there")

    def members(self, group: str) -> Sequence[str]:  # noqa: ARG002 - the interface has it
        """Refuse: there are none."""
        raise AccountStoreError(f"{self.place}: groups are not kept there")

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the settings; raises `StoreUnavailable`."""
        problems: Sequence[str] = self._accounts.problems()
        return problems

    def find(self, name: str) -> AccountRecord:
        """Return an account; raises as `IAccountStore.find`."""
        if is_group(name):
            raise NoSuchAccount(f"{self.place} has no {described(name)}")
        if not self._accounts.finds_without_password:
            raise AccountStoreError(
                f"{self.place}: accounts are shown {self._accounts.changed_by} only; "
                "ftpservice user check NAME checks a password"
            )
        found = self._accounts.look_up(name, None)
        if found.unusable:
            raise InvalidAccount(f"{self.place}: account {name!r} cannot be used: {found.unusable}")
        if found.record is None:
            raise NoSuchAccount(f"{self.place} has no account {name!r}")
        return found.record

    def check_password(self, name: str, password: bytes) -> Sequence[str]:
        """Return why a login would be refused; see `IPasswordStore`."""
        found = self._accounts.look_up(name, password)
        problems = [found.unusable] if found.unusable else []
        if found.record is None and not problems:
            problems.append(f"no account {name!r}")
        elif found.is_right is False and not problems:
            problems.append(f"wrong password for {name!r}")
        elif found.record is not None and found.record.disabled and not problems:
            problems.append(f"account {name!r} is locked")
        return problems

    def add(self, record: AccountRecord) -> None:  # noqa: ARG002 - the interface has it
        """Refuse."""
        self._refuse()

    def add_many(
        self,
        records: Sequence[AccountRecord],  # noqa: ARG002 - all of them are refused
        existing: ExistingAccounts = ExistingAccounts.REFUSE,  # noqa: ARG002 - the interface has it
        dry_run: bool = False,  # noqa: ARG002 - the interface has it
    ) -> Sequence[AccountRecord]:
        """Refuse."""
        self._refuse()

    def replace_hashes(
        self,
        hashes: Mapping[str, tuple[str, str]],  # noqa: ARG002 - passwords are not kept here
    ) -> Sequence[str]:
        """Refuse."""
        self._refuse()

    def change(
        self,
        name: str,  # noqa: ARG002 - every account is refused
        changes: Mapping[str, Any],  # noqa: ARG002 - the interface has it
    ) -> AccountRecord:
        """Refuse."""
        self._refuse()

    def remove(self, name: str, force: bool = False) -> None:  # noqa: ARG002 - all are refused
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise AccountStoreError(
            f"{self.place}: accounts are changed {self._accounts.changed_by}, not by this command"
        )
