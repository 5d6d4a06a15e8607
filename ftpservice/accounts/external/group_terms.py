"""What the members of a group of another program get, by the setting ``group`` of its store."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ftpservice.accounts.account_record import is_storage_string
from ftpservice.accounts.external.account_terms import GROUPS, RIGHTS, ROOT, AccountTerms
from ftpservice.accounts.external.store_string import BadStoreString
from ftpservice.accounts.groups.group_names import GROUP_MARK, check_group_name, is_group
from ftpservice.accounts.passwd_line import parse_rights_field, parse_root

__all__ = ["IN_NO_GROUP", "GroupTerms", "parse_group_terms", "require_defined"]

IN_NO_GROUP = "the account is in none of the groups"
GROUP = re.compile(r"(?P<name>[^:]+):\s*(?P<rights>[^:]+?)\s*(:\s*(?P<root>\S.*))?")


@dataclass(frozen=True)
class GroupTerms:
    """A group, and what its members get."""

    name: str
    """As the other program has it: a DN, or the name of a Unix group."""
    rights: str
    """Rights, or the name of a group of the settings, with its mark."""
    root: str | None = None

    @property
    def words(self) -> dict[str, list[str]]:
        """What it gives, for `AccountTerms.record`."""
        roots = {ROOT: [self.root]} if self.root is not None else {}
        if is_group(self.rights):
            return {GROUPS: [self.rights.removeprefix(GROUP_MARK)], **roots}
        return {RIGHTS: [self.rights], **roots}


def parse_group_terms(text: str, kind: str) -> GroupTerms:
    """Parse ``NAME: RIGHTS`` or ``NAME: RIGHTS: ROOT``; ``kind`` says what the name is.

    Raises `BadStoreString`.
    """
    match = GROUP.fullmatch(text.strip())
    if match is None:
        raise BadStoreString(f"'group' is {kind}: RIGHTS or {kind}: RIGHTS: ROOT, not {text!r}")
    try:
        if is_group(match["rights"]):
            check_group_name(match["rights"].removeprefix(GROUP_MARK))
        else:
            parse_rights_field(match["rights"])
        if match["root"] and not is_storage_string(match["root"]):
            parse_root(match["root"])
    except ValueError as error:
        raise BadStoreString(f"the group {match['name']!r}: {error}") from None
    return GroupTerms(match["name"].strip(), match["rights"], match["root"])


def require_defined(groups: Iterable[GroupTerms], terms: AccountTerms) -> None:
    """Raise `BadStoreString` if a group of the settings is missing."""
    for group in groups:
        name = group.rights.removeprefix(GROUP_MARK)
        if is_group(group.rights) and name not in terms.groups:
            raise BadStoreString(f"'group': there is no 'define-group' for {group.rights!r}")
