"""What the data directory of the service has about accounts, for the commands that change them.

Second factors and share links belong to the name of an account: one that gets the name later must
not have them, and one that is renamed must not lose them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import click

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.second_factors.factor_file import (
    FACTOR_FILE,
    FactorFile,
    FactorFileError,
)
from ftpservice.accounts.stores.removed_accounts import (
    REMOVED_FILE,
    RemovedAccounts,
    RemovedAccountsError,
)
from ftpservice.admin.command_output import UNAVAILABLE_STATUS, AdminCommandError, show_warning
from ftpservice.admin.token_commands import configured_directory, configured_documents
from ftpservice.service.settings.directories import acting_as
from ftpservice.state_files.private_json import DocumentStore, DocumentUnavailable, LocalDocuments
from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile, ShareFileError

__all__ = ["AccountData", "data_option"]

Command = Callable[..., Any]
UNKNOWN_TEXT = (
    "without --config and --data-dir, second factors and share links of {} stay; "
    "if there are any: {}"
)
NOT_LOOKED_TEXT = (
    "what a removed account of the same name may have left, such as share links, was not looked "
    "for: {}"
)


@dataclass(frozen=True)
class DataFiles:
    """The files of a data directory; None for one that is not there."""

    factors: FactorFile | None = None
    shares: ShareFile | None = None
    removed: RemovedAccounts | None = None


class AccountData:
    """What ``directory`` has about accounts; None: there is none, or it is not ``is_known``.

    ``documents`` is where its files are in force. All functions raise `AdminCommandError`.
    """

    def __init__(
        self, directory: str | None, is_known: bool, documents: DocumentStore | None = None
    ) -> None:
        self._directory = directory
        self._is_known = is_known
        self._documents = documents or LocalDocuments()

    def check_rename(self, new_name: str) -> None:
        """Make sure that another account can get this name."""
        with self._files() as files:
            text = _left_text(files, new_name)
            if text:
                raise AdminCommandError(text, "NameTaken")

    def new_accounts(
        self, store: IAccountStore, records: list[AccountRecord], as_json: bool
    ) -> tuple[list[AccountRecord], dict[str, str]]:
        """Return accounts as they can be added, and why some of them cannot, by name.

        None of them gets anything of a removed account. Those that ``store`` has already are
        returned as they are.
        """
        if self._directory is None:
            return records, {}
        try:
            os.listdir(self._directory)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                text = NOT_LOOKED_TEXT.format(f"{self._directory}: {error.strerror}")
                show_warning(text, as_json)
            return records, {}
        with self._files() as files:
            left = {record.name: _left_text(files, record.name) for record in records}
            renewed = [
                files.removed.new_account(record) if files.removed else record for record in records
            ]
        new, refused = [], {}
        for record, other in zip(records, renewed, strict=True):
            if (not left[record.name] and other is record) or _has(store, record.name):
                new.append(record)
            elif left[record.name]:
                refused[record.name] = left[record.name]
            else:
                new.append(other)
        return new, refused

    def check(self) -> None:
        """Make sure that the files can be read."""
        with self._files() as files:
            for file in (files.factors, files.shares):
                if file is not None:
                    file.read()

    def rename(self, name: str, new_name: str, as_json: bool) -> None:
        """Give what belongs to a name to the new name of the account."""
        command = f"ftpservice user rename {quote(name)} {quote(new_name)}"
        if not self._is_known:
            remedy = f"{command} --data-dir DIR"
            show_warning(UNKNOWN_TEXT.format(repr(name), remedy), as_json)
        with self._files(f"; then run this again: {command}") as files:
            if files.factors is not None and name in files.factors.read():
                files.factors.rename(name, new_name)
            if files.shares is not None:
                files.shares.rename(name, new_name)

    def finish_rename(self, name: str, new_name: str) -> bool:
        """Complete a rename that was interrupted; return whether there was anything left."""
        with self._files() as files:
            factors, shares = files.factors, files.shares
            has_factors = factors is not None and name in factors.read()
            has_shares = shares is not None and any(
                one.user == name for one in shares.read().values()
            )
            if shares is not None and has_shares:
                shares.rename(name, new_name)
            if factors is not None and has_factors:
                factors.rename(name, new_name)
        return has_factors or has_shares

    def remove(self, store: IAccountStore, name: str, as_json: bool) -> None:
        """Remove an account, and what belongs to its name; raises as `IAccountStore.remove`."""
        with self._files() as files:
            removed = files.removed
        try:
            if removed is None:
                store.remove(name)
            else:
                removed.remove_from(store, name)
        except RemovedAccountsError as error:
            raise AdminCommandError(str(error), type(error).__name__) from None
        if not self._is_known:
            commands = (
                f"ftpservice user second-factor remove {quote(name)} --data-dir DIR; "
                f"ftpservice share remove --user {quote(name)} --data-dir DIR"
            )
            show_warning(UNKNOWN_TEXT.format(repr(name), commands), as_json)
        with self._files(f"; then run this again: ftpservice user remove {quote(name)}") as files:
            if files.factors is not None:
                files.factors.remove(name)
            if files.shares is not None:
                files.shares.remove_of(name)
            if files.removed is not None:
                files.removed.finish(name)

    @contextmanager
    def _files(self, remedy: str = "") -> Iterator[DataFiles]:
        """Act as the owner of the directory, with its files."""
        if self._directory is None:
            yield DataFiles()
            return
        try:
            state = os.stat(self._directory)
            acting = partial(acting_as, (state.st_uid, state.st_gid))
            with acting():
                place, documents = Path(self._directory), self._documents
                factors = FactorFile(place / FACTOR_FILE, documents)
                shares = ShareFile(place / SHARE_FILE, time.time, documents)
                removed = RemovedAccounts(place / REMOVED_FILE, time.time, acting, documents)
                for file in (factors.file, shares.file, removed.file):
                    file.refresh()
                yield DataFiles(
                    factors if factors.path.exists() else None,
                    shares if shares.path.exists() else None,
                    removed,
                )
        except DocumentUnavailable as error:
            text = f"second factors and share links: {error.strerror}{remedy}"
            raise AdminCommandError(text, type(error).__name__, UNAVAILABLE_STATUS) from None
        except OSError as error:
            text = f"second factors: {self._directory}: {error.strerror}{remedy}"
            raise AdminCommandError(text, "NoDataDirectory") from None
        except ShareFileError as error:
            text = f"share links: {error}{remedy}"
            raise AdminCommandError(text, type(error).__name__) from None
        except FactorFileError as error:
            text = f"second factors: {error}{remedy}"
            raise AdminCommandError(text, type(error).__name__) from None
        except RemovedAccountsError as error:
            raise AdminCommandError(f"{error}{remedy}", type(error).__name__) from None
        finally:
            self._documents.close()


def _has(store: IAccountStore, name: str) -> bool:
    try:
        store.find(name)
    except InvalidAccount:
        return True
    except (NoSuchAccount, StoreUnavailable):  # a file that does not exist yet
        return False
    return True


def _left_text(files: DataFiles, name: str) -> str:
    """Return why an account cannot get a name that another one has had; empty: it can."""
    if files.factors is not None and name in files.factors.read():
        return (
            f"there are second factors of another account {name!r}; "
            f"remove them first: ftpservice user second-factor remove {quote(name)}"
        )
    if files.shares is not None and any(one.user == name for one in files.shares.read().values()):
        return (
            f"there are share links of another account {name!r}; "
            f"remove them first: ftpservice share remove --user {quote(name)}"
        )
    return ""


def data_option(function: Command) -> Command:
    """Add ``--data-dir`` to an account command, which gets the `AccountData` as ``data``."""

    def take(context: click.Context, _parameter: object, directory: str | None) -> AccountData:
        config = context.params.get("config")
        if directory is None and config is None:
            return AccountData(None, False)
        path = None if config is None else str(config)
        documents = configured_documents(path)
        return AccountData(directory or configured_directory(str(path)), True, documents)

    return click.option(
        "--data-dir",
        "data",
        metavar="DIR",
        callback=take,
        help="Data directory of the service, which has the second factors and share links "
        "[default: of --config].",
    )(function)
