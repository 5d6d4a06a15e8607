"""Storages of accounts that cannot work: an unknown scheme, a directory that is not there.

For the commands: a login opens the storage, and says itself what is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from threading import Thread

from ftpservice.accounts.account_record import AccountRecord, is_storage_string
from ftpservice.accounts.groups.group_names import described, is_group, listed_accounts
from ftpservice.accounts.groups.home_template import has_fields
from ftpservice.backends.strings import check_storage_string, directory_of
from ftpservice.wire.units import seconds_text

__all__ = ["check_storages", "storage_problems", "storages_of"]

CHECK_SECONDS = 3.0
"""How long to wait for a directory, whose disk may hang."""


def storages_of(record: AccountRecord) -> list[str]:
    """Return the storage strings of an account or a group."""
    places = [record.root, *(mount.storage for mount in record.mounts)]
    return [place for place in places if is_storage_string(place)]


def check_storages(record: AccountRecord) -> None:
    """Raise `ValueError` for a storage string that can never be used."""
    for text in storages_of(record):
        check_storage_string(text)


def storage_problems(records: Iterable[AccountRecord]) -> list[str]:
    """Return a line for each storage that cannot be opened, with its accounts (blocks).

    A storage of a group with ``{user}`` in it is looked at by its scheme only.
    """
    names: dict[str, list[str]] = {}
    for record in records:
        for text in dict.fromkeys(storages_of(record)):
            names.setdefault(text, []).append(record.name)
    found = []
    for text, owners in names.items():
        problem = _problem(text)
        if problem:
            groups = [described(name) for name in owners if is_group(name)]
            accounts = [name for name in owners if not is_group(name)]
            shown = [*groups, *([listed_accounts(accounts)] if accounts else [])]
            found.append(f"{', '.join(shown)}: {problem}")
    return found


def _problem(text: str) -> str:
    """Return why a storage cannot be opened; empty if that is not known."""
    try:
        check_storage_string(text)
    except ValueError as error:
        return str(error)
    directory = directory_of(text)
    if directory is None or has_fields(directory):
        return ""
    answers: list[str] = []
    look = Thread(target=lambda: answers.append(_directory_problem(directory)), daemon=True)
    look.start()
    look.join(CHECK_SECONDS)
    reason = answers[0] if answers else f"no answer within {seconds_text(CHECK_SECONDS)}"
    return f"storage {text!r}: {reason}" if reason else ""


def _directory_problem(directory: str) -> str:
    if not directory:
        return "the directory is missing: local:/srv/ftp"
    try:
        os.stat(directory)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return f"{reason}; create the directory or give another one"
    except ValueError as error:
        return str(error)
    if not os.path.isdir(directory):
        return "not a directory"
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return "this user cannot read and write it; change its owner or mode"
    return ""
