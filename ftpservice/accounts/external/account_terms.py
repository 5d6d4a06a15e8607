"""What an account of another program gets: root, rights and options, in the words of ``passwd.db``.

The store string gives the values for all accounts, and groups of values; the store may give others
for one account, or name its groups. A value that cannot be used makes the account unusable: a limit
must not be ignored by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftpservice.accounts.account_record import AccountRecord, is_storage_string
from ftpservice.accounts.account_store import FoundAccount
from ftpservice.accounts.external.store_string import BadStoreString, StoreString
from ftpservice.accounts.groups.group_names import GROUP_HASH, GROUP_MARK, is_group
from ftpservice.accounts.groups.home_template import fill_template
from ftpservice.accounts.groups.inheritance import DEFAULT_GROUP, AccountGroups
from ftpservice.accounts.passwd_line import (
    LISTS,
    OPTIONS,
    SERIES,
    check_name,
    parse_line,
    parse_option,
    parse_rights_text,
    parse_root,
)
from ftpservice.accounts.storage_problems import check_storages, storage_problems
from ftpservice.backends.mounts.account_mount import AccountMount

__all__ = [
    "ACCOUNT_KEYS",
    "COMMON_KEYS",
    "GROUPS",
    "NO_ACCOUNT",
    "NO_HASH",
    "RIGHTS",
    "ROOT",
    "AccountTerms",
    "is_text",
    "require_plain_name",
    "terms_of",
    "unusable_account",
]

NO_HASH = ""
"""The password hash of records whose password another program checks: matches no password."""
NO_ACCOUNT = FoundAccount(is_right=False)
USER_FIELD = "{user}"
ALL_ACCOUNTS = "all accounts"
"""In place of the name of an account, where what all have in common is looked at."""
ROOT, RIGHTS, MOUNT = "root", "rights", "mount"
GROUPS = "groups"
"""The key of the names of an account's groups."""
DEFINED_GROUPS = "define-group"
"""The key of store strings for groups, as lines of ``passwd.db``."""
OWN_KEYS = ("disabled", "group", "owner")
"""Options that are not in store strings."""
TERM_KEYS = (ROOT, RIGHTS, *(key for key in OPTIONS if key not in OWN_KEYS))
"""Keys of store strings with values for all accounts."""
COMMON_KEYS = ("cache", DEFINED_GROUPS, *TERM_KEYS)
"""Keys of all store strings."""
SPECIAL_CHARACTERS = {MOUNT: frozenset(","), "retention": frozenset(",:;*?[]\\")}
"""Characters with a meaning in the value of an option, by option."""
ACCOUNT_KEYS = (ROOT, RIGHTS, *(key for key in OPTIONS if key not in ("group", "owner")))
FORBIDDEN = frozenset("/\\{}")
MAX_NAME_BYTES = 255
"""The longest name of a directory."""


def require_plain_name(name: str) -> None:
    """Raise `ValueError` for a name that cannot be the name of a directory.

    It must neither leave nor hide in the directory that ``root`` names, nor be filled in again.
    """
    check_name(name)
    is_plain = len(name.encode()) <= MAX_NAME_BYTES and name.isprintable()
    if not is_plain or name.startswith(".") or not FORBIDDEN.isdisjoint(name):
        raise ValueError(f"{name!r} cannot be the name of a directory")


def is_text(password: bytes) -> bool:
    """Return whether a password is UTF-8: others cannot be sent to every program."""
    try:
        password.decode()
    except UnicodeDecodeError:
        return False
    return True


def unusable_account(name: str, is_right: bool | None, reason: str) -> FoundAccount:
    """Return an account that the store has and that cannot be used, and why."""
    record = AccountRecord(name, NO_HASH, rights=frozenset(), disabled=True)
    return FoundAccount(record, is_right, reason)


@dataclass(frozen=True)
class AccountTerms:
    """The root, rights and options of the accounts of one store.

    Values may have ``{user}`` for the name. ``rights`` is None if only the store gives them.
    """

    root: str = "/"
    rights: str | None = None
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The words of ``passwd.db`` by option."""
    groups: Mapping[str, AccountRecord] = field(default_factory=dict)
    """Groups that accounts may be in, by name."""

    def found(
        self, name: str, words: Mapping[str, Sequence[str]], trusts_storages: bool = False
    ) -> FoundAccount:
        """Return an account whose password is right, or why it cannot be used; see `record`."""
        try:
            return FoundAccount(self.record(name, words, trusts_storages), is_right=True)
        except ValueError as error:
            return unusable_account(name, True, str(error))

    def record(
        self, name: str, words: Mapping[str, Sequence[str]], trusts_storages: bool = False
    ) -> AccountRecord:
        """Return the record of an account; raises `ValueError`.

        ``words`` has what the store says of this account, by option, and the names of its groups;
        an option without a value is as one that is missing: no limit of the settings is lifted.
        Only with ``trusts_storages`` may its root and its mounts be storage strings.
        """
        words = {key: values for key, values in words.items() if values}
        if words.get(GROUPS):
            return self._record_with_groups(name, words, trusts_storages)
        made = self.own_values(name, words, trusts_storages)
        for text in (made.root, *(mount.storage for mount in made.mounts)):
            fill_template(text, name, None)  # raises ValueError for {group}
        return made

    def own_values(
        self, name: str, words: Mapping[str, Sequence[str]], trusts_storages: bool = False
    ) -> AccountRecord:
        """Return the record without values of groups, with ``{group}`` left as it is.

        Raises `ValueError`.
        """
        require_plain_name(name)
        found: dict[str, Any] = {}
        for key, values in {**self.options, **words}.items():
            if key not in (ROOT, RIGHTS):
                _check_part(key, name, values)
                given = _option(key, [value.replace(USER_FIELD, name) for value in values])
                if key in words and not trusts_storages:
                    _require_paths(given.get("mounts", ()))
                found |= given
        rights = ",".join(words.get(RIGHTS, ())) or self.rights
        if not rights:
            raise ValueError("the store names no rights, and the setting has no 'rights'")
        root = self._root(name, words.get(ROOT, ()), trusts_storages)
        if ";" in rights and len(words.get(RIGHTS, ())) > 1:
            raise ValueError("rights to directories must be in the same value as the others")
        return AccountRecord(name, NO_HASH, root, **parse_rights_text(rights), **found)

    def storage_problems(self) -> list[str]:
        """Return a line for each storage of these values that cannot be opened now (blocks).

        One with ``{user}`` is not looked at.
        """
        options = {
            key: [value for value in values if USER_FIELD not in value]
            for key, values in self.options.items()
        }
        root = "/" if USER_FIELD in self.root else self.root
        fixed = replace(self, root=root, rights=self.rights or "read", options=options)
        found = storage_problems([fixed.own_values(ALL_ACCOUNTS, {}), *self.groups.values()])
        return [line.removeprefix(f"account {ALL_ACCOUNTS!r}: ") for line in found]

    def _record_with_groups(
        self, name: str, words: Mapping[str, Sequence[str]], trusts_storages: bool
    ) -> AccountRecord:
        """Return what the store says, completed by the groups and then by the settings."""
        given = {key: values for key, values in words.items() if key != GROUPS}
        placed = AccountTerms(rights="read").own_values(name, given, trusts_storages)
        absent: dict[str, Any] = {} if given.get(ROOT) else {"root": ""}
        if not given.get(RIGHTS):
            absent |= {"rights": frozenset()}
        own = replace(placed, groups=tuple(words[GROUPS]), **absent)
        settings = replace(self, rights=self.rights or "read").own_values(name, {})
        rights = settings.rights if self.rights else frozenset()
        defaults = replace(settings, name=GROUP_MARK + DEFAULT_GROUP, rights=rights)
        groups = {**self.groups, DEFAULT_GROUP: defaults}
        return AccountGroups(groups, remedy="define it with define-group").resolved(own)

    def _root(self, name: str, given: Sequence[str], trusts_storages: bool) -> str:
        if len(given) > 1:
            raise ValueError("'root' has several values")
        if given and is_storage_string(given[0]) and not trusts_storages:
            raise ValueError(f"the root {given[0]!r} is a storage and not a path")
        return parse_root((given[0] if given else self.root).replace(USER_FIELD, name))


def _check_part(key: str, name: str, values: Sequence[str]) -> None:
    """Raise `ValueError` for a name that would change the meaning of a value with ``{user}``."""
    special = SPECIAL_CHARACTERS.get(key, frozenset())
    if not special.isdisjoint(name) and any(USER_FIELD in value for value in values):
        raise ValueError(f"{name!r} cannot be part of the value of {key!r}")


def _require_paths(mounts: Sequence[AccountMount]) -> None:
    """Raise `ValueError` for a mount of a storage string, which could be any directory."""
    for mount in mounts:
        if is_storage_string(mount.storage):
            raise ValueError(f"the mount {str(mount)!r} is of a storage and not of a path")


def _option(key: str, values: Sequence[str]) -> dict[str, Any]:
    """Return the field of an option, and its value; nothing without a value."""
    if key in SERIES and values:
        values = ["; ".join(values)]
    parsed = [parse_option(key, value) for value in values]
    if not parsed:
        return {}
    name = parsed[0][0]
    if name in LISTS:
        return {name: tuple(one for _, several in parsed for one in several)}
    if len(parsed) > 1:
        raise ValueError(f"{key!r} has several values")
    return dict(parsed)


def terms_of(described: StoreString, needs_rights: bool = True) -> AccountTerms:
    """Return the values for all accounts in a store string; raises `BadStoreString`.

    Without ``needs_rights`` the store may be the only one that gives rights; otherwise they are
    ``full`` if the string has none.
    """
    rights = ",".join(described.many(RIGHTS)) or ("full" if needs_rights else None)
    root = described.one(ROOT) or "/"
    options = {key: described.many(key) for key in TERM_KEYS[2:] if described.many(key)}
    try:
        check_storages(AccountTerms(root, rights or "read", options).own_values("name", {}))
        groups = _groups(described.many(DEFINED_GROUPS))
        for record in groups.values():
            check_storages(record)
    except ValueError as error:
        raise BadStoreString(str(error)) from None
    return AccountTerms(root, rights, options, groups)


def _groups(lines: Sequence[str]) -> dict[str, AccountRecord]:
    """Return the groups of lines as in ``passwd.db``; raises `ValueError`."""
    groups: dict[str, AccountRecord] = {}
    for line in lines:
        record = parse_line(line)
        name = record.name.removeprefix(GROUP_MARK)
        if not is_group(record.name) or name == DEFAULT_GROUP or name in groups:
            raise ValueError(
                f"{DEFINED_GROUPS!r} is a line of another group each, such as"
                f" '{GROUP_MARK}staff:{GROUP_HASH}:/srv/{USER_FIELD}:read', not {line!r}"
            )
        groups[name] = record
    return groups
