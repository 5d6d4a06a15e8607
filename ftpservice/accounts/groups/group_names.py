"""Names of groups: in stores they have a mark, so that nothing takes them for accounts."""

from __future__ import annotations

from ftpservice.accounts.groups.home_template import require_plain_name

__all__ = [
    "GROUP_HASH",
    "GROUP_MARK",
    "MAX_LISTED_NAMES",
    "check_group_name",
    "described",
    "is_group",
    "listed_accounts",
]

GROUP_MARK = "@"
"""The first character of the name of a group where a store has the names of accounts."""
GROUP_HASH = "*"
"""In place of the password hash of a group: no version takes it for the hash of a password."""
MAX_LISTED_NAMES = 5
"""Names in a message about several accounts."""


def is_group(name: str) -> bool:
    """Return whether the name of a record is that of a group."""
    return name.startswith(GROUP_MARK)


def check_group_name(name: str) -> None:
    """Raise `ValueError` for a name, without mark, that a group cannot have.

    It may become a part of a root.
    """
    try:
        require_plain_name(name)
    except ValueError:
        raise ValueError(f"{name!r} cannot be the name of a group") from None
    if not frozenset(",;=@").isdisjoint(name) or name.startswith("#"):
        raise ValueError(f"the name of a group has none of ',;=@', unlike {name!r}")


def described(name: str) -> str:
    """Return what a name in a store stands for, for a message: ``account 'ann'``."""
    return f"group {name.removeprefix(GROUP_MARK)!r}" if is_group(name) else f"account {name!r}"


def listed_accounts(names: list[str]) -> str:
    """Return accounts for a message, the first ones of many."""
    shown = ", ".join(map(repr, names[:MAX_LISTED_NAMES]))
    more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
    return f"{'accounts' if len(names) > 1 else 'account'} {shown}{more}"
