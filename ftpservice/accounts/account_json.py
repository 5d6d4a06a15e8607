"""Accounts and groups as JSON values."""

from __future__ import annotations

from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.groups.group_names import GROUP_MARK
from ftpservice.accounts.groups.inheritance import is_own, value_fields
from ftpservice.accounts.password_hash import hash_scheme
from ftpservice.storage.rights import rights_words

__all__ = ["JSON_FIELDS", "account_json", "group_json", "origins_json"]

JSON_FIELDS = {"locked": "disabled"}
"""The fields of a record whose name is another one in JSON."""


def account_json(record: AccountRecord) -> dict[str, Any]:
    """Return a record as JSON values; the password hash is not part of it."""
    return {
        "name": record.name.removeprefix(GROUP_MARK),
        "groups": list(record.groups),
        "root": record.root or None,
        "mounts": [str(mount) for mount in record.mounts],
        "rights": rights_words(record.rights),
        "directory_rights": [str(one) for one in record.directory_rights],
        "locked": record.disabled,
        "expires": record.expires.isoformat() if record.expires else None,
        "hours": str(record.hours) if record.hours else None,
        "networks": [str(network) for network in record.networks],
        "max_sessions": record.max_sessions,
        "rate_down": record.rate_down,
        "rate_up": record.rate_up,
        "quota_bytes": record.quota_bytes,
        "quota_files": record.quota_files,
        "umask": None if record.umask is None else f"{record.umask:03o}",
        "ascii": None if record.ascii is None else "on" if record.ascii else "off",
        "hidden_names": list(record.hidden_names or ()),
        "refused_names": list(record.refused_names or ()),
        "retention": str(record.retention) if record.retention else None,
        "trash": str(record.trash) if record.trash else None,
        "owner": record.owner or None,
        "tls_required": record.tls_required,
        "certificate": record.certificate.value if record.certificate else None,
        "hash_scheme": hash_scheme(record.password_hash) or None,
    }


def origins_json(record: AccountRecord) -> dict[str, str]:
    """Return where each value in `account_json` comes from.

    ``account``, ``group:NAME``, or ``default`` for what neither the account nor a group gives.
    """
    groups = dict(record.inherited)
    origins = {}
    for key in account_json(record):
        field = JSON_FIELDS.get(key, key)
        if field in value_fields(AccountRecord):
            given = "account" if is_own(record, field) else "default"
            origins[key] = f"group:{groups[field]}" if field in groups else given
    return origins


def group_json(record: AccountRecord) -> dict[str, Any]:
    """Return a group as JSON values; what it does not give is null, false or empty."""
    shown = account_json(record)
    del shown["groups"], shown["owner"]
    return shown | {"none": sorted(record.without)}
