"""What is remembered of removed accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import InvalidAccount, NoSuchAccount, StoreUnavailable
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.stores.removed_accounts import (
    MAX_OWNERS,
    RemovedAccounts,
    RemovedAccountsError,
)
from tests.accounts.doubles import SECRET


class CutStore(PasswordFileStore):
    """Removes an account, but the connection is cut before it can tell."""

    def remove(self, name: str, force: bool = False) -> None:
        super().remove(name, force)
        raise StoreUnavailable("cut")


@pytest.fixture
def removed(tmp_path: Path) -> RemovedAccounts:
    return RemovedAccounts(tmp_path / "removed.json", lambda: 1.0)


def test_a_removal_whose_outcome_is_unknown_can_be_repeated(
    tmp_path: Path, removed: RemovedAccounts
) -> None:
    store = CutStore(str(tmp_path / "passwd.db"))
    store.add(AccountRecord("ann", SECRET))
    with pytest.raises(StoreUnavailable):
        removed.remove_from(store, "ann")
    removed.remove_from(store, "ann")
    removed.finish("ann")
    with pytest.raises(NoSuchAccount):
        removed.remove_from(store, "ann")


def test_an_account_that_cannot_be_used_is_removed_too(
    tmp_path: Path, removed: RemovedAccounts
) -> None:
    store = PasswordFileStore(str(tmp_path / "passwd.db"))
    store.add(AccountRecord("ann", SECRET))
    path = tmp_path / "passwd.db"
    path.write_text(path.read_text().rstrip("\n") + ":groups=none\n")
    with pytest.raises(InvalidAccount):
        store.find("ann")
    removed.remove_from(store, "ann")
    assert removed.new_account(AccountRecord("ann", "")).owner.startswith("ann.")


def test_the_names_are_bounded(tmp_path: Path, removed: RemovedAccounts) -> None:
    owners = {f"user{number}": 0.0 for number in range(MAX_OWNERS)}
    removed.file.replace({"owners": owners})
    store = PasswordFileStore(str(tmp_path / "passwd.db"))
    store.add(AccountRecord("ann", SECRET))
    removed.remove_from(store, "ann")
    assert removed.new_account(AccountRecord("user0", "")).owner == ""
    assert removed.new_account(AccountRecord("user1", "")).owner
    assert removed.new_account(AccountRecord("ann", "")).owner


@pytest.mark.parametrize("content", ["x", "[]", '{"owners": []}', '{"unfinished": {}}'])
def test_a_damaged_file_is_told(removed: RemovedAccounts, content: str) -> None:
    removed.path.write_text(content)
    with pytest.raises(RemovedAccountsError, match="is not a file of removed accounts"):
        removed.new_account(AccountRecord("ann", ""))
