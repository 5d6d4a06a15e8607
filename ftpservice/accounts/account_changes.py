"""Changes of an account or a group, given as texts by the options of ``ftpservice user set``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.groups.group_names import GROUP_MARK, check_group_name
from ftpservice.accounts.groups.inheritance import DEFAULT_GROUP, ValueWord, with_changes
from ftpservice.accounts.passwd_line import OPTIONS, parse_option, parse_rights_text, parse_root
from ftpservice.accounts.storage_problems import check_storages
from ftpservice.backends.mounts.account_mount import check_mounts

__all__ = ["new_record", "parsed_changes"]

STORAGES = ("root", "mounts")
"""The fields that may name storages."""
VALUE_WORDS = {word.value: word for word in ValueWord}
"""As the value of an option: not set, or as the groups have it."""


def parsed_changes(options: Mapping[str, Any], groups: str | None = None) -> dict[str, Any]:
    """Return the fields that options set; raises `ValueError`.

    A value is a text, a tuple of texts where several may be given, or None: not given.
    """
    changes = _parsed(options)
    mounts = changes.get("mounts")
    if isinstance(mounts, tuple):
        check_mounts(mounts)
    given = {key: changes[key] for key in STORAGES if isinstance(changes.get(key), str | tuple)}
    check_storages(AccountRecord("", "", **given))
    if groups is not None:
        changes["groups"] = _group_names(groups)
    return changes


def new_record(
    store: IAccountStore, record: AccountRecord, changes: Mapping[str, Any]
) -> AccountRecord:
    """Return a new account; what is not given is inherited, if there is something to inherit."""
    has_words = any(isinstance(value, ValueWord) for value in changes.values())
    needs_no_look = {"root", "rights"} <= changes.keys() and not has_words
    inherits = bool(changes.get("groups")) or not (needs_no_look or not _has_defaults(store))
    if inherits:
        nothing = {"root": ValueWord.INHERIT, "rights": ValueWord.INHERIT}
        return with_changes(record, {**nothing, **changes}, has_defaults=True)
    return with_changes(record, changes, has_defaults=False)


def _has_defaults(store: IAccountStore) -> bool:
    try:
        store.find(GROUP_MARK + DEFAULT_GROUP)
    except (NoSuchAccount, StoreUnavailable):  # a file that does not exist yet
        return False
    except InvalidAccount:
        return True
    return True


def _group_names(text: str) -> tuple[str, ...]:
    names = tuple(word.strip() for word in text.split(","))
    for name in names:
        check_group_name(name)
        if names.count(name) > 1:
            raise ValueError(f"the group {name!r} is given twice")
    return names


def _parsed(options: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key, given in options.items():
        for value in given if isinstance(given, tuple) else (given,):
            if value is None:
                continue
            if key == "rights" and value != ValueWord.INHERIT.value:
                changes |= parse_rights_text(value)
                continue
            field, parsed = _field_value(key.replace("_", "-"), value)
            several = [one for one in (changes.get(field), parsed) if one is not None]
            if len(several) > 1 and any(isinstance(one, ValueWord) for one in several):
                raise ValueError(f"--{key}: {value!r} cannot be given with another value")
            changes[field] = changes.get(field, ()) + parsed if len(several) > 1 else parsed
    return changes


def _field_value(key: str, value: str) -> tuple[str, Any]:
    """Return the field of `AccountRecord` that an option sets, and its value."""
    if key in ("root", "rights"):
        is_inherited = value == ValueWord.INHERIT.value
        if value == ValueWord.NONE.value:
            raise ValueError(
                f"--{key} none: every account needs it; 'inherit' makes it that of the groups"
            )
        return key, ValueWord.INHERIT if is_inherited else parse_root(value)
    if value in VALUE_WORDS:
        return OPTIONS[key][0], VALUE_WORDS[value]
    try:
        return parse_option(key, value)
    except ValueError as error:
        reason = str(error).removeprefix(f"the option {f'{key}={value}'!r}: ")
        raise ValueError(f"--{key} {value!r}: {reason}") from None
