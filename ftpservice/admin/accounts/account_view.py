"""Accounts as the commands show them: one JSON object each, or lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ftpservice.accounts.account_json import JSON_FIELDS, account_json
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import UnusableAccount
from ftpservice.accounts.password_hash import hash_scheme
from ftpservice.activity.text_table import printable_text, size_text, table_lines
from ftpservice.storage.rights import rights_words
from ftpservice.wire.units import count_text

__all__ = [
    "account_lines",
    "account_table",
    "unusable_text",
    "values_text",
]

RATES = ("rate_down", "rate_up")
SIZES = ("quota_bytes",)
MAX_REASON = 200
MIN_KEY_WIDTH = 13
JOINTS = {
    "mounts": " ",
    "directory_rights": "; ",
    "hidden_names": "; ",
    "refused_names": "; ",
}
"""What is between the values of a list."""


def account_lines(record: AccountRecord, **counts: int) -> list[str]:
    """Return a line for each value that is set or inherited, with the group that it is from."""
    groups, rows = dict(record.inherited), []
    for key, value in account_json(record).items():
        field = JSON_FIELDS.get(key, key)
        if value in (None, [], False):
            if field not in record.without:
                continue
            shown = "none"
        else:
            shown = _text(key, value)
        origin = f"  (group {groups[field]})" if field in groups else ""
        if key == "expires" and record.expires and _is_past(record.expires):
            shown += "  (expired)"
        rows.append((key, f"{shown}{origin}"))
    rows += [(key, str(count)) for key, count in counts.items()]
    width = max(MIN_KEY_WIDTH, *(len(key) + 1 for key, _ in rows))
    return [f"{key.replace('_', ' ') + ':':<{width}} {text}" for key, text in rows]


def values_text(group: AccountRecord) -> str:
    """Return the values of a group in one line."""
    return "; ".join(" ".join(line.split()) for line in account_lines(group)[1:])


def account_table(
    records: Sequence[AccountRecord], unusable: Sequence[UnusableAccount] = ()
) -> list[str]:
    """Return a table of accounts; those that cannot be used come last, with the reason."""
    states = [
        *((record, _state(record)) for record in records),
        *((one.record, unusable_text(one)) for one in unusable),
    ]
    rows = [
        (
            printable_text(record.name, 40),
            printable_text(record.root, 60) or "-",
            ",".join(rights_words(record.rights)) + "; ..." * bool(record.directory_rights) or "-",
            _quota(record),
            hash_scheme(record.password_hash) or "-",
            state,
        )
        for record, state in states
    ]
    return table_lines(("NAME", "ROOT", "RIGHTS", "QUOTA", "HASH", "STATE"), rows)


def _quota(record: AccountRecord) -> str:
    size = record.quota_bytes
    limits = [] if size is None else [size_text(size).partition(" (")[0]]
    if record.quota_files is not None:
        limits.append(count_text(record.quota_files, "file"))
    return ", ".join(limits) or "-"


def unusable_text(one: UnusableAccount) -> str:
    """Return the state of an account or a group that cannot be used."""
    return f"unusable: {printable_text(one.reason, MAX_REASON)}"


def _state(record: AccountRecord) -> str:
    if record.disabled:
        return "locked"
    return _expiry(record.expires) if record.expires else "active"


def _expiry(last_day: date) -> str:
    return f"{'expired' if _is_past(last_day) else 'until'} {last_day.isoformat()}"


def _is_past(day: date) -> bool:
    return day < date.today()


def _text(key: str, value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, list):
        return (JOINTS.get(key, ", ")).join(printable_text(one, 1000) for one in value)
    if key in RATES:
        return f"{size_text(value)}/s"
    return size_text(value) if key in SIZES else printable_text(str(value), 1000)
