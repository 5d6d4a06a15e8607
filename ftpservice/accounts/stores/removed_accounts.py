"""What must not be forgotten of removed accounts, in a JSON file of the data directory.

An account with the name of a removed one is another account: it gets neither the trash nor the
interrupted uploads of that one, which storages know by the name of their owner. The file also tells
which removals have begun and not ended, so that a repeat can complete them. All functions block.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountStoreError,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.state_files.private_json import DocumentStore, PrivateJSON

__all__ = ["REMOVED_FILE", "RemovedAccounts", "RemovedAccountsError"]

REMOVED_FILE = "removed-accounts.json"
"""In the data directory."""
MAX_OWNERS = 100_000
"""The latest ones are kept."""


class RemovedAccountsError(Exception):
    """The file cannot be used; ``str`` of it says why."""


class RemovedAccounts:
    """The file at ``path``, which need not exist; ``seconds`` returns the time since the epoch.

    The file is used within ``acting``, for a process that may do more than the owner of the file.
    """

    def __init__(
        self,
        path: Path,
        seconds: Callable[[], float] = time.time,
        acting: Callable[[], AbstractContextManager[None]] = nullcontext,
        documents: DocumentStore | None = None,
    ) -> None:
        self.path = path
        self._acting = acting
        self.file = PrivateJSON(path, documents, _entries)
        """Its content as JSON; `DocumentExchange` brings a copy up to date."""
        self._seconds = seconds

    def remove_from(self, store: IAccountStore, name: str) -> None:
        """Remove an account from a store; one that is gone since an earlier call may be missing.

        `finish` is to be called when everything is removed that belongs to its name. Raises
        `RemovedAccountsError`, and as `IAccountStore.remove` and ``find``.
        """
        try:
            owner = self._begin(store, name)
        except NoSuchAccount:
            if not self.is_unfinished(name):
                raise
            return
        try:
            store.remove(name)
        except StoreUnavailable:  # nobody knows whether it is removed
            raise
        except AccountStoreError:
            with self._changing() as content:
                content["owners"].pop(owner, None)
                _drop(content, name)
            raise

    def _begin(self, store: IAccountStore, name: str) -> str | None:
        """Note that an account is about to be removed; return its owner if it was not noted."""
        try:
            owner = store.find(name).files_owner
        except InvalidAccount:  # it can be removed all the same
            owner = name
        with self._changing() as content:
            owners, unfinished = content["owners"], content["unfinished"]
            is_new = owners.pop(owner, None) is None
            owners[owner] = self._seconds()
            for old in list(owners)[:-MAX_OWNERS]:
                del owners[old]
            if name not in unfinished:
                unfinished.append(name)
        return owner if is_new else None

    def is_unfinished(self, name: str) -> bool:
        """Return whether a removal was begun and not ended; raises `RemovedAccountsError`."""
        return name in self._read()["unfinished"]

    def finish(self, name: str) -> None:
        """Note that a removal is complete; raises `RemovedAccountsError`."""
        if self.is_unfinished(name):
            with self._changing() as content:
                _drop(content, name)

    def new_account(self, record: AccountRecord) -> AccountRecord:
        """Return a new account, with an owner of its own if one of its name was removed.

        Raises `RemovedAccountsError`.
        """
        if record.files_owner not in self._read()["owners"]:
            return record
        return replace(record, owner=f"{record.name}.{secrets.token_hex(4)}")

    def _read(self) -> dict[str, Any]:
        try:
            with self._acting():
                return _entries(self.file.read())
        except OSError as error:
            raise RemovedAccountsError(f"{self.path}: {error.strerror}") from error
        except ValueError:
            raise RemovedAccountsError(f"{self.path} is not a file of removed accounts") from None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Lock the file and yield its content, which is written afterwards."""
        try:
            with self._acting(), self.file.changing() as write:
                content = self._read()
                yield content
                write(content)
        except OSError as error:
            raise RemovedAccountsError(f"{self.path}: {error.strerror}") from error


def _entries(content: dict[str, Any]) -> dict[str, Any]:
    owners, unfinished = content.get("owners", {}), content.get("unfinished", [])
    if not isinstance(owners, dict) or not isinstance(unfinished, list):
        raise ValueError("other values")
    return {"owners": owners, "unfinished": unfinished}


def _drop(content: dict[str, Any], name: str) -> None:
    content["unfinished"] = [one for one in content["unfinished"] if one != name]
