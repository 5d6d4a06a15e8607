"""SFTPGo's dump (``/api/v2/dumpdata``): the users and groups of a JSON document.

Values that are not mentioned here are reported: of a user as a warning, and of its ``filters``,
which may restrict it, as the reason why it is locked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ftpservice.accounts.groups.group_names import GROUP_HASH, GROUP_MARK, check_group_name
from ftpservice.admin.imports.account_draft import AccountDraft, ImportOptions
from ftpservice.admin.imports.dump_values import number, strings, typed
from ftpservice.admin.imports.sftpgo_access import read_hours, read_patterns, read_permissions
from ftpservice.admin.imports.sftpgo_groups import DumpGroups
from ftpservice.wire.units import count_text

__all__ = ["lists_of_dump", "read_dump_groups", "read_dump_user"]

FTP_PROTOCOL = "FTP"
USERNAME_FIELD = "%username%"
BANDWIDTH_UNIT = 1024
MAX_MILLISECONDS = 253_370_764_800_000
"""The last date, in the year 9999."""
DAY_MILLISECONDS = 86_400_000

CARRIED = {
    "username", "password", "home_dir", "status", "permissions", "filters", "filesystem", "groups",
    "expiration_date", "max_sessions", "quota_size", "quota_files", "upload_bandwidth",
    "download_bandwidth", "virtual_folders", "expires_in",
}  # fmt: skip
STATISTICS = {
    "id", "has_password", "created_at", "updated_at", "last_login", "first_download",
    "first_upload", "last_password_change", "last_quota_update", "used_quota_size",
    "used_quota_files", "used_upload_data_transfer", "used_download_data_transfer",
    "deleted_at",
}  # fmt: skip
"""What is no setting; it is not reported."""
LOCKING_FILTERS = {
    "is_anonymous": "it is an anonymous account",
    "require_password_change": "its password must be changed at the next login",
}
READ_FILTERS = {
    "allowed_ip", "denied_ip", "ftp_security", "denied_login_methods", "denied_protocols",
    "two_factor_protocols", "totp_config", "password_expiration", "file_patterns",
    "access_time",
    *LOCKING_FILTERS,
}  # fmt: skip
"""The filters that `_read_filters` reads."""
HARMLESS_FILTERS = {
    "max_upload_file_size", "tls_username", "tls_certs", "hooks", "disable_fs_checks",
    "web_client", "allow_api_key_auth", "user_type", "bandwidth_limits",
    "external_auth_cache_time", "start_directory", "default_shares_expiration",
    "max_shares_expiration", "password_strength", "recovery_codes", "additional_emails",
}  # fmt: skip
"""Filters whose loss gives an account no more than it had, but for limits of consumption."""
EMPTY_VALUES: tuple[object, ...] = (None, False, 0, "", [], {}, "None", "/")


def lists_of_dump(
    data: bytes, notes: list[str]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the users and the groups; raises `ValueError` for another document.

    Adds a note for all else in it.
    """
    groups: object = None
    try:
        dump = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if isinstance(dump, dict):
        for key, value in dump.items():
            if isinstance(value, list) and value and key not in ("users", "groups"):
                notes.append(f"{key} of SFTPGo ({len(value)}) are not carried over")
        groups, dump = dump.get("groups"), dump.get("users")
    if not isinstance(dump, list):
        raise ValueError("it has no list of users")
    return _objects(dump), _objects(groups if isinstance(groups, list) else [])


def _objects(values: list[Any]) -> list[Mapping[str, Any]]:
    return [value if isinstance(value, dict) else {} for value in values]


def read_dump_groups(
    groups: list[Mapping[str, Any]], options: ImportOptions, notes: list[str]
) -> DumpGroups:
    """Read the groups; adds a note for each that cannot be carried over."""
    found = DumpGroups()
    for count, group in enumerate(groups, 1):
        name = str(group.get("name"))
        values = {"password_hash": GROUP_HASH, "root": "", "rights": frozenset()}
        draft = AccountDraft(f"group {count}", GROUP_MARK + name, options, values)
        try:
            check_group_name(name)
            if name in found.empty or name in found.carried:
                raise ValueError("there are two of this name")
            settings = typed(group, "user_settings", dict, {})
            if _is_empty(settings) and not group.get("virtual_folders"):
                found.empty.add(name)
                continue
            _read_group(draft, {**settings, "virtual_folders": group.get("virtual_folders")})
            found.carried[name] = draft.finished()
        except ValueError as error:
            notes.append(f"the group {name!r} of SFTPGo is not carried over: {error}")
    return found


def _read_group(draft: AccountDraft, settings: Mapping[str, Any]) -> None:
    filters = typed(settings, "filters", dict, {})
    home = typed(settings, "home_dir", str, "")
    if home and draft.options.root is None:
        template = home.replace(USERNAME_FIELD, "{user}")
        if "%" in template or "{" in home:
            raise ValueError(f"its home directory {home!r} cannot be represented")
        draft.set_home(template)
    permissions = typed(settings, "permissions", dict, {})
    if permissions:
        read_permissions(draft, permissions)
    if number(settings, "expires_in"):
        draft.lock("the time after which its users expire is not carried over")
    _read_storage(draft, settings)
    _read_limits(draft, settings)
    _read_filters(draft, filters, settings)
    _report_others(draft, settings, filters)


def read_dump_user(draft: AccountDraft, user: Mapping[str, Any], groups: DumpGroups) -> None:
    """Read a user; raises `ValueError` if it cannot be used."""
    filters = typed(user, "filters", dict, {})
    if user.get("password"):
        draft.set_hash(typed(user, "password", str, ""))
    else:
        draft.set_no_password("it has no password; set one")
    if user.get("status") != 1:
        draft.lock("it is disabled")
    home = typed(user, "home_dir", str, "")
    if home or not groups.gives_root(user):
        draft.set_home(home)
    _read_storage(draft, user)
    read_permissions(draft, typed(user, "permissions", dict, {}))
    _read_limits(draft, user)
    _read_filters(draft, filters, user)
    groups.join(draft, user)
    _report_others(draft, user, filters)


def _read_storage(draft: AccountDraft, user: Mapping[str, Any]) -> None:
    if number(typed(user, "filesystem", dict, {}), "provider"):
        draft.lock("its files are not in a plain directory (filesystem.provider)")
    folders = typed(user, "virtual_folders", list, [])
    paths = [folder.get("virtual_path") for folder in folders if isinstance(folder, dict)]
    if folders:
        draft.warn(f"its virtual folders {', '.join(map(str, paths))} are not carried over")


def _read_limits(draft: AccountDraft, user: Mapping[str, Any]) -> None:
    expiry = number(user, "expiration_date")
    if expiry:
        end = datetime.fromtimestamp(min(expiry, MAX_MILLISECONDS) / 1000)
        last = (end + timedelta(seconds=1)).date() - timedelta(1)
        draft.values["expires"] = last
        if (end + timedelta(seconds=1)).time().hour or end.minute not in (0, 59):
            draft.warn(f"it expires at {end:%Y-%m-%d %H:%M}; its last day is {last.isoformat()}")
    if number(user, "max_sessions"):
        draft.values["max_sessions"] = number(user, "max_sessions")
    for key, field in (("upload_bandwidth", "rate_up"), ("download_bandwidth", "rate_down")):
        if number(user, key):
            draft.values[field] = number(user, key) * BANDWIDTH_UNIT
    for key, field in (("quota_size", "quota_bytes"), ("quota_files", "quota_files")):
        quota = number(user, key)
        if quota:
            draft.values[field] = quota


def _read_filters(draft: AccountDraft, filters: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    draft.set_networks(strings(filters, "allowed_ip"), strings(filters, "denied_ip"))
    if number(filters, "ftp_security"):
        draft.values["tls_required"] = True
    if "password" in strings(filters, "denied_login_methods"):
        draft.lock("logins by password are refused")
    if FTP_PROTOCOL in strings(filters, "denied_protocols"):
        draft.lock("FTP is refused")
    codes = typed(filters, "totp_config", dict, {})
    if FTP_PROTOCOL in strings(filters, "two_factor_protocols") or (
        codes.get("enabled") and FTP_PROTOCOL in strings(codes, "protocols")
    ):
        draft.lock("its second factor is not carried over")
    read_patterns(draft, filters)
    read_hours(draft, filters)
    for key, reason in LOCKING_FILTERS.items():
        if filters.get(key):
            draft.lock(reason)
    _read_password_age(draft, filters, user)


def _read_password_age(
    draft: AccountDraft, filters: Mapping[str, Any], user: Mapping[str, Any]
) -> None:
    days = number(filters, "password_expiration")
    if days:
        changed = number(user, "last_password_change")
        if changed + days * DAY_MILLISECONDS < time.time() * 1000:
            draft.lock("its password has expired")
        else:
            draft.warn(
                f"the maximum age of its password ({count_text(days, 'day')}) is not carried over"
            )


def _report_others(
    draft: AccountDraft, user: Mapping[str, Any], filters: Mapping[str, Any]
) -> None:
    """Report all that is set and not carried over."""
    others = [
        key
        for key, value in user.items()
        if key not in CARRIED | STATISTICS and not _is_empty(value)
    ]
    for key, value in filters.items():
        if key in READ_FILTERS or _is_empty(value):
            continue
        others.append(f"filters.{key}")
        if key not in HARMLESS_FILTERS:
            draft.lock(f"filters.{key} is not known and may restrict it")
    if others:
        draft.warn(f"not carried over: {', '.join(others)}")


def _is_empty(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_empty(inner) for inner in value.values())
    return value in EMPTY_VALUES
