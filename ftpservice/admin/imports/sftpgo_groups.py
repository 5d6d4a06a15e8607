"""The groups of SFTPGo: what a user has from its primary group.

A user has the home directory and the limits of its primary group, and what both restrict. A value
that could only be represented by combining those of both locks the account, as do the settings of
secondary groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.groups.group_names import GROUP_MARK
from ftpservice.admin.imports.account_draft import AccountDraft, ImportedAccount
from ftpservice.admin.imports.dump_values import typed

__all__ = ["DumpGroups"]

PRIMARY, SECONDARY = 1, 2
"""Types of groups that change settings of their members; 3 is membership only."""
LISTS = {
    "networks": "addresses",
    "hours": "hours",
    "hidden_names": "file patterns",
    "directory_rights": "permissions of directories",
}
"""Values that SFTPGo adds up, and here one replaces the other."""


@dataclass
class DumpGroups:
    """The groups of a dump."""

    carried: dict[str, ImportedAccount] = field(default_factory=dict)
    """Those with settings, as the groups that they become."""
    empty: set[str] = field(default_factory=set)
    """Those without settings."""

    def gives_root(self, user: Mapping[str, Any]) -> bool:
        """Return whether the home directory of a user is that of its primary group."""
        primary = (
            self.carried.get(str(one.get("name")))
            for one in typed(user, "groups", list, [])
            if isinstance(one, dict) and one.get("type") == PRIMARY
        )
        return any(group is not None and group.record.root for group in primary)

    def join(self, draft: AccountDraft, user: Mapping[str, Any]) -> None:
        """Let an account, whose other values are read, inherit from the groups of a user."""
        for group in typed(user, "groups", list, []):
            name = str(group.get("name")) if isinstance(group, dict) else str(group)
            kind = group.get("type") if isinstance(group, dict) else None
            if name in self.empty or (isinstance(kind, int) and kind > SECONDARY):
                draft.warn(f"its membership in the group {name!r} is not carried over")
            elif kind == PRIMARY and name in self.carried and "groups" not in draft.values:
                _inherit(draft, self.carried[name].record)
            else:
                draft.lock(f"the settings of its group {name!r} are not carried over")


def _inherit(draft: AccountDraft, group: AccountRecord) -> None:
    values, name = draft.values, group.name.removeprefix(GROUP_MARK)
    values["groups"] = (name,)
    if group.root:
        values["root"] = ""
    for one, text in LISTS.items():
        if values.get(one) and getattr(group, one):
            draft.lock(f"its {text} and those of its group {name!r} cannot be combined")
    if not group.rights:
        return
    if values["rights"] >= group.rights and not values.get("directory_rights"):
        values["rights"] = frozenset()  # those of the group
        return
    common = values["rights"] & group.rights
    if not common or group.directory_rights:
        draft.lock(f"its permissions and those of its group {name!r} cannot be combined")
    else:
        values["rights"] = common
        draft.warn(f"its permissions are those that its group {name!r} has too")
