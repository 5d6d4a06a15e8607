"""SFTPGo's dump (``/api/v2/dumpdata``): the users of a JSON document.

Values that are not mentioned here are reported: of a user as a warning, and of its ``filters``,
which may restrict it, as the reason why it is locked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ftpservice.admin.imports.account_draft import AccountDraft
from ftpservice.admin.imports.dump_values import number, strings, typed
from ftpservice.admin.imports.sftpgo_access import read_hours, read_patterns, read_permissions

__all__ = ["read_dump_user", "users_of_dump"]

FTP_PROTOCOL = "FTP"
MAX_GROUP_TYPE = 2
"""Groups of type 1 and 2 change settings of their members; 3 is membership only."""
BANDWIDTH_UNIT = 1024
MAX_MILLISECONDS = 253_370_764_800_000
"""The last date, in the year 9999."""
DAY_MILLISECONDS = 86_400_000

CARRIED = {
    "username", "password", "home_dir", "status", "permissions", "filters", "filesystem", "groups",
    "expiration_date", "max_sessions", "quota_size", "quota_files", "upload_bandwidth",
    "download_bandwidth", "virtual_folders",
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


def users_of_dump(data: bytes, notes: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the users; raises `ValueError` for another document. Adds a note for all else in it."""
    try:
        dump = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if isinstance(dump, dict):
        for key, value in dump.items():
            if isinstance(value, list) and value and key != "users":
                notes.append(f"{len(value)} {key} of SFTPGo are not carried over")
        dump = dump.get("users")
    if not isinstance(dump, list):
        raise ValueError("it has no list of users")
    for user in dump:
        yield user if isinstance(user, dict) else {}


def read_dump_user(draft: AccountDraft, user: Mapping[str, Any]) -> None:
    """Read a user; raises `ValueError` if it cannot be used."""
    filters = typed(user, "filters", dict, {})
    if user.get("password"):
        draft.set_hash(typed(user, "password", str, ""))
    else:
        draft.set_no_password("it has no password; set one")
    if user.get("status") != 1:
        draft.lock("it is disabled")
    _read_files(draft, user)
    read_permissions(draft, typed(user, "permissions", dict, {}))
    _read_limits(draft, user)
    _read_groups(draft, user)
    _read_filters(draft, filters, user)
    _report_others(draft, user, filters)


def _read_files(draft: AccountDraft, user: Mapping[str, Any]) -> None:
    draft.set_home(typed(user, "home_dir", str, ""))
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


def _read_groups(draft: AccountDraft, user: Mapping[str, Any]) -> None:
    for group in typed(user, "groups", list, []):
        name = group.get("name") if isinstance(group, dict) else group
        kind = group.get("type") if isinstance(group, dict) else None
        if isinstance(kind, int) and kind > MAX_GROUP_TYPE:
            draft.warn(f"its membership in the group {name!r} is not carried over")
        else:
            draft.lock(f"the settings of its group {name!r} are not carried over")


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
            draft.warn(f"the maximum age of its password ({days} days) is not carried over")


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
