"""The buckets that roots and mounts of accounts are in, for checks before anybody logs in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import AccountStoreError
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.groups.group_names import listed_accounts
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.storage_problems import storages_of
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.strings import bucket_of

__all__ = ["MAX_BUCKETS", "account_buckets", "buckets_of_records"]

MAX_BUCKETS = 10
"""Buckets that are tried: each may take some seconds."""


def account_buckets(checkers: Iterable[Any]) -> list[tuple[str, BucketOptions]]:
    """Return the buckets of the accounts of all stores, each with a text that names these (blocks).

    A store that cannot list its accounts has none here.
    """
    records: list[AccountRecord] = []
    for checker in checkers:
        if isinstance(checker, PasswordFileChecker):
            store: Any = PasswordFileStore(checker.file.path)
        else:
            store = getattr(checker, "store", None)
        if store is not None:
            try:
                records += store.accounts()
            except AccountStoreError:  # which other checks tell
                continue
    return buckets_of_records(records)


def buckets_of_records(records: Iterable[AccountRecord]) -> list[tuple[str, BucketOptions]]:
    """Return each bucket once, whatever its prefixes, as the first of its accounts has it."""
    found: dict[BucketOptions, tuple[BucketOptions, list[str]]] = {}
    for record in records:
        for text in dict.fromkeys(storages_of(record)):
            try:
                options = bucket_of(text)
            except ValueError:  # which other checks tell
                continue
            if options is not None:
                _first, names = found.setdefault(replace(options, prefix=""), (options, []))
                names.append(record.name)
    return [(listed_accounts(list(dict.fromkeys(names))), first) for first, names in found.values()]
