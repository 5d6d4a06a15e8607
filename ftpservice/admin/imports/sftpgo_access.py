"""What a user of SFTPGo may do, where and when: permissions, file patterns and hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftpservice.accounts.terms.login_hours import parse_hours
from ftpservice.admin.imports.account_draft import AccountDraft
from ftpservice.admin.imports.dump_values import number, strings, typed
from ftpservice.storage.name_rules.name_patterns import parse_patterns
from ftpservice.storage.rights import (
    NO_RIGHTS_WORD,
    PRESETS,
    DirectoryRights,
    Right,
    parse_directory_rights,
    rights_words,
)
from ftpservice.wire.glob import WILDCARDS

__all__ = ["read_hours", "read_patterns", "read_permissions"]

RIGHTS = {
    "list": {Right.LIST},
    "download": {Right.READ},
    "upload": {Right.CREATE},
    "delete": {Right.DELETE, Right.RMDIR},
    "delete_files": {Right.DELETE},
    "delete_dirs": {Right.RMDIR},
    "rename": {Right.RENAME},
    "create_dirs": {Right.MKDIR},
}
"""The rights that a permission alone gives."""
JOINT_RIGHTS: tuple[tuple[set[str], set[Right]], ...] = (
    ({"upload", "overwrite"}, {Right.OVERWRITE, Right.APPEND}),
    ({"rename_files", "rename_dirs"}, {Right.RENAME}),
    ({"chmod", "chtimes"}, {Right.ATTRIBUTES}),
)
"""Rights that would allow more than each of these permissions alone."""
WITHOUT_RIGHT = {"create_symlinks", "chown", "copy"}
DAY_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
LAST_MINUTE = "23:59"
"""The end of a whole day, which has no other form there."""
NO_LINKS_TEXT = "symbolic links are no longer followed for it"


def read_permissions(draft: AccountDraft, permissions: Mapping[str, Any]) -> None:
    """Set the rights of ``/`` and those of other directories; lock the account if it cannot."""
    if not permissions.get("/"):
        raise ValueError("it has no permissions for '/'")
    draft.values["rights"] = _carried_rights(draft, permissions, "/")
    ruled: list[DirectoryRights] = []
    for path in permissions:
        if path == "/":
            continue
        words = ",".join(rights_words(_carried_rights(draft, permissions, path)))
        try:
            if not WILDCARDS.isdisjoint(path):
                raise ValueError("it is a pattern of paths")
            ruled.append(parse_directory_rights(f"{path}: {words or NO_RIGHTS_WORD}"))
        except ValueError as error:
            draft.lock(f"its permissions in {path} are not carried over: {error}")
    if len({one.path for one in ruled}) < len(ruled):
        draft.lock("its permissions in a directory are given twice")
    elif ruled:
        draft.values["directory_rights"] = tuple(ruled)
        draft.warn(NO_LINKS_TEXT)


def _carried_rights(
    draft: AccountDraft, permissions: Mapping[str, Any], path: str
) -> frozenset[Right]:
    """Return the rights in a directory; report permissions that give none."""
    given = set(strings(permissions, path))
    lost = sorted((given & WITHOUT_RIGHT) | _without_effect(given))
    if lost:
        where = "" if path == "/" else f" in {path}"
        draft.warn(f"the permissions {', '.join(lost)}{where} are not carried over")
    return _rights(given)


def read_patterns(draft: AccountDraft, filters: Mapping[str, Any]) -> None:
    """Hide the names that are denied; lock the account if only some names are allowed."""
    hidden: dict[str, None] = {}
    for rule in typed(filters, "file_patterns", list, []):
        if not isinstance(rule, dict):
            raise ValueError("file_patterns is not a list of objects")
        path = typed(rule, "path", str, "/")
        if strings(rule, "allowed_patterns"):
            draft.lock(f"the file patterns allowed in {path} are not carried over")
        if strings(rule, "denied_patterns"):
            hidden |= _hidden_by(draft, rule, path)
    if hidden:
        draft.values["hidden_names"] = tuple(hidden)
        if "directory_rights" not in draft.values:
            draft.warn(NO_LINKS_TEXT)


def _hidden_by(draft: AccountDraft, rule: Mapping[str, Any], path: str) -> dict[str, None]:
    """Return the patterns that are denied in a directory; report how they differ."""
    try:
        patterns = dict.fromkeys(map(_one_pattern, strings(rule, "denied_patterns")))
    except ValueError as error:
        draft.lock(f"the file patterns denied in {path} are not carried over: {error}")
        return {}
    if path != "/":
        draft.warn(f"the file patterns denied in {path} now hold in all directories")
    if not number(rule, "deny_policy"):
        draft.warn(f"files with the patterns denied in {path} were listed, and are hidden now")
    return patterns


def _one_pattern(text: str) -> str:
    patterns = parse_patterns(text)
    if len(patterns) > 1 or "[!" in text:
        raise ValueError(f"the pattern {text!r} cannot be represented")
    return patterns[0]


def read_hours(draft: AccountDraft, filters: Mapping[str, Any]) -> None:
    """Set the hours of logins, which are in UTC; lock the account if they are malformed."""
    days: dict[str, list[str]] = {}
    for period in typed(filters, "access_time", list, []):
        if not isinstance(period, dict):
            raise ValueError("access_time is not a list of objects")
        end = typed(period, "to", str, "")
        times = f"{typed(period, 'from', str, '')}-{'24:00' if end == LAST_MINUTE else end}"
        day = number(period, "day_of_week")
        days.setdefault(times, []).append(DAY_NAMES[day] if day < len(DAY_NAMES) else "?")
    if not days:
        return
    text = "; ".join(f"{' '.join(names)} {times}" for times, names in days.items())
    try:
        draft.values["hours"] = parse_hours(f"{text} UTC")
    except ValueError as error:
        draft.lock(f"its hours of logins ({text}) are not carried over: {error}")
    else:
        draft.warn(f"its hours of logins are read as UTC: {text}")


def _rights(permissions: set[str]) -> frozenset[Right]:
    if "*" in permissions:
        return PRESETS["full"]
    held: set[Right] = set()
    for name in permissions & RIGHTS.keys():
        held |= RIGHTS[name]
    for names, rights in JOINT_RIGHTS:
        if names <= permissions:
            held |= rights
    return frozenset(held)


def _without_effect(permissions: set[str]) -> set[str]:
    """Return the permissions that give no right, because another one is missing."""
    if "*" in permissions:
        return set()
    lost = permissions - RIGHTS.keys() - WITHOUT_RIGHT
    for names, _ in JOINT_RIGHTS:
        if names <= permissions:
            lost -= names
    return lost - ({"rename_files", "rename_dirs"} if "rename" in permissions else set())
