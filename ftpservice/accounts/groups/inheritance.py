"""What accounts inherit from groups: one rule for all values of an account.

A value is the account's own, or that of the first group which has one, in the order in which the
account names its groups; the group ``default`` comes last, also for accounts that name no group.
Each value is inherited as a whole: networks of an account replace those of its groups.

The fields of a record are the values, but for `PERSONAL`. A new field needs nothing here: it is
inherited when it has its default, which stands for "not given". The rules for fields where that is
not so, and for fields that belong together, are the tables below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, replace
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ftpservice.accounts.groups.group_names import GROUP_MARK, is_group
from ftpservice.accounts.groups.home_template import fill_template, has_fields

__all__ = [
    "DEFAULT_GROUP",
    "NO_RIGHTS_TEXT",
    "ROOT_TAKEN_TEXT",
    "TOP_ROOT",
    "AccountGroups",
    "ValueWord",
    "absent_value",
    "is_own",
    "value_fields",
    "with_changes",
]

DEFAULT_GROUP = "default"
"""The group of all accounts of a store."""
PERSONAL = frozenset(
    {"name", "password_hash", "groups", "without", "inherited", "shares_quota", "line", "owner"}
)
"""The fields of a record that are not inherited."""
ABSENT: Mapping[str, Any] = {"root": "", "rights": frozenset()}
"""What stands for "not given" in fields whose default is a value: nothing that gives rights."""
LEADING = {"directory_rights": "rights"}
"""The field that decides for another one whether it is given."""
TOP_ROOT = "/"
"""The root of an account if nobody gives one."""
ROOT_TAKEN_TEXT = (
    "would have / as root, which is that of the service; give it another one with --root"
)
MISSING_REMEDY = (
    "add it (ftpservice group add), or choose others (ftpservice user set NAME --groups ..., or "
    "--no-groups)"
)
NO_RIGHTS_TEXT = "neither the account nor its groups give it rights"


class ValueWord(Enum):
    """In place of a value in a change."""

    INHERIT = "inherit"
    """No own value: the one of a group, if there is one."""
    NONE = "none"
    """Not set, whatever the groups have."""


class Inheriting(Protocol):
    """A record as this module sees it: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def name(self) -> str:
        """The name of the account."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups, in order."""

    @property
    def without(self) -> frozenset[str]:
        """The fields that are not set, whatever the groups have."""


R = TypeVar("R", bound=Inheriting)
Merged = Mapping[str, tuple[Any, str]]
"""Values by field, and the group that each is from."""


@cache
def value_fields(kind: type[Inheriting]) -> Mapping[str, Any]:
    """Return the fields of a kind of records that are inherited, and what stands for no value."""
    absent: dict[str, Any] = {}
    for one in fields(kind):
        if one.name not in PERSONAL:
            made = one.default if one.default_factory is MISSING else one.default_factory()
            absent[one.name] = ABSENT.get(one.name, made)
    return absent


def absent_value(kind: type[Inheriting], field: str) -> Any:
    """Return the value of a field that stands for "not given"."""
    return value_fields(kind)[field]


def is_own(record: Inheriting, field: str) -> bool:
    """Return whether a record has a value of its own in a field."""
    leading = LEADING.get(field, field)
    given = getattr(record, leading) != value_fields(type(record))[leading]
    return bool(given) or leading in record.without


def with_changes(record: R, changes: Mapping[str, Any], has_defaults: bool) -> R:
    """Return a record, as a store has it, with other values; some may be a `ValueWord`.

    Without groups and with no defaults (``has_defaults``) there is nothing to refuse to inherit.
    """
    values, without = dict(changes), set(record.without)
    for field, value in changes.items():
        without.discard(field)
        if isinstance(value, ValueWord):
            for one in (field, *(name for name, leading in LEADING.items() if leading == field)):
                values[one] = absent_value(type(record), one)
            if value is ValueWord.NONE:
                without.add(field)
    inherits = has_defaults or values.get("groups", record.groups)
    if not (inherits or is_group(record.name)):
        without.clear()
    return replace(record, **values, without=frozenset(without))


class AccountGroups(Generic[R]):
    """The groups of a store, by name.

    ``unusable`` are those that the store has and cannot use, and why: their accounts cannot log in,
    because a group may restrict them. ``remedy`` is what to do if a group is missing.
    """

    def __init__(
        self,
        groups: Mapping[str, R],
        unusable: Mapping[str, str] | None = None,
        remedy: str = MISSING_REMEDY,
    ) -> None:
        self.groups = groups
        self._remedy = remedy
        self.unusable: Mapping[str, str] = unusable or {}
        self._merged: dict[tuple[str, ...], Merged] = {}

    @property
    def has_defaults(self) -> bool:
        """Whether there is a group for all accounts."""
        return DEFAULT_GROUP in self.groups or DEFAULT_GROUP in self.unusable

    def with_groups(self, records: Iterable[R]) -> AccountGroups[R]:
        """Return the groups with those among records, as a store has them, in their place."""
        added = {one.name.removeprefix(GROUP_MARK): one for one in records if is_group(one.name)}
        unusable = {name: why for name, why in self.unusable.items() if name not in added}
        return AccountGroups({**self.groups, **added}, unusable)

    def without_group(self, group: str) -> AccountGroups[R]:
        """Return the groups without one of them."""
        rest = {name: one for name, one in self.groups.items() if name != group}
        return AccountGroups(rest, {k: why for k, why in self.unusable.items() if k != group})

    def resolved(self, record: R) -> R:
        """Return an account, as the store has it, with what it inherits.

        Raises `ValueError` with the reason if it cannot be used: a group is missing, nobody gives
        rights, or its name cannot be put into a template.
        """
        values, origins = self._inherited(record)
        if not values.get("rights", getattr(record, "rights")):  # noqa: B009 - no field of R
            raise ValueError(NO_RIGHTS_TEXT)
        if not values.get("root", getattr(record, "root")):  # noqa: B009
            values["root"] = TOP_ROOT
        filled = _filled(values, record)
        return replace(record, **filled, inherited=origins) if filled else record

    def outline(self, record: R) -> R:
        """Return what accounts with these values have in common, whatever their name is.

        Paths end before a template's first field; a storage string keeps its fields. Raises
        `ValueError` for a group that is missing.
        """
        values, origins = self._inherited(record)
        root = values.get("root", getattr(record, "root")) or TOP_ROOT  # noqa: B009
        if root.startswith(TOP_ROOT) and has_fields(root):
            root = root.partition("{")[0].rpartition("/")[0] or TOP_ROOT
        return replace(record, **values | {"root": root}, inherited=origins)

    def takes_root(self, record: R, before: AccountGroups[R], former: R) -> bool:
        """Return whether an account gets the root of the service in place of an inherited one.

        ``former`` is the account, and ``before`` are the groups, before a change. If the account
        could not be used then, such as without its group, its root is unknown; a group has to
        give it the root of the service.
        """
        if getattr(record, "root"):  # noqa: B009 - no field of R
            return False
        resolved = self._usable(record)
        if resolved is None or getattr(resolved, "root") != TOP_ROOT:  # noqa: B009
            return False
        usable = before._usable(former)
        if usable is None:
            return "root" not in dict(getattr(resolved, "inherited"))  # noqa: B009
        return bool(getattr(usable, "root") != TOP_ROOT)  # noqa: B009

    def problem(self, record: R) -> str:
        """Return why an account cannot be used by what it inherits; empty if it can."""
        try:
            self.resolved(record)
        except ValueError as error:
            return str(error)
        return ""

    def _usable(self, record: R) -> R | None:
        try:
            return self.resolved(record)
        except ValueError:
            return None

    def _inherited(self, record: R) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
        """Return the values that an account inherits, and the group of each."""
        merged = self._merged.get(record.groups)
        if merged is None:
            merged = self._merged[record.groups] = self._merge(record.groups)
        origins = tuple(
            (field, group) for field, (_, group) in merged.items() if not is_own(record, field)
        )
        return {field: merged[field][0] for field, _ in origins}, origins

    def _merge(self, names: tuple[str, ...]) -> Merged:
        """Return what accounts inherit that name these groups; raises `ValueError`."""
        merged: dict[str, tuple[Any, str]] = {}
        has_defaults = self.has_defaults and DEFAULT_GROUP not in names
        for name in (*names, DEFAULT_GROUP) if has_defaults else names:
            if name in self.unusable:
                raise ValueError(f"the group {name!r} cannot be used: {self.unusable[name]}")
            group = self.groups.get(name)
            if group is None:
                raise ValueError(f"the group {name!r} does not exist: {self._remedy}")
            for field in value_fields(type(group)):
                if field not in merged and is_own(group, field):
                    merged[field] = getattr(group, field), name
        return merged


def _filled(values: dict[str, Any], record: Inheriting) -> dict[str, Any]:
    """Return inherited values, and the root and the mounts that are templates filled in."""

    def fill(text: str) -> str:
        return fill_template(text, record.name, record.groups[0] if record.groups else None)

    filled = dict(values)
    root = values.get("root", getattr(record, "root"))  # noqa: B009 - no field of R
    mounts = values.get("mounts", getattr(record, "mounts"))  # noqa: B009
    if has_fields(root):
        filled["root"] = fill(root)
    if any(has_fields(mount.storage) for mount in mounts):
        filled["mounts"] = tuple(replace(one, storage=fill(one.storage)) for one in mounts)
    return filled
