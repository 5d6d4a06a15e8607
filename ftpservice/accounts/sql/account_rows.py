"""Account records as rows: each column has a field of ``passwd.db`` or one of its options.

A row is converted by way of a line of ``passwd.db``, so both have one grammar, and an option that
is new there can be used in the column ``options`` at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from ftpservice.accounts.account_record import AccountRecord, claimed_owners
from ftpservice.accounts.account_store import InvalidAccount
from ftpservice.accounts.groups.group_names import GROUP_MARK, is_group
from ftpservice.accounts.groups.inheritance import AccountGroups
from ftpservice.accounts.passwd_line import (
    INHERIT_WORD,
    NONE_WORD,
    check_name,
    format_line,
    parse_line,
)

__all__ = ["claims_of", "groups_of", "is_storable", "record_of", "row_of"]

OPTION_COLUMNS = {
    "disabled": "disabled",
    "expires": "expires",
    "max-sessions": "max_sessions",
    "quota": "quota_bytes",
    "quota-files": "quota_files",
}
"""The column of each option that has one of its own."""
FIELD = re.compile(r":((?:\\[\\:]|[^:])*)")


def is_storable(text: str) -> bool:
    """Return whether a database can store a text: UTF-8 without NUL."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def record_of(row: Mapping[str, Any]) -> AccountRecord:
    """Return the record of a row; raises `ValueError` with the reason if it cannot be used."""
    name, hashed = str(row["name"]), str(row["password_hash"])
    check_name(name)
    if ":" in hashed:
        raise ValueError("the password hash has a colon")
    words = str(row["options"]).strip()
    for word in words.split(","):
        key, _, value = word.strip().partition("=")
        if key in OPTION_COLUMNS and value != NONE_WORD:
            column = OPTION_COLUMNS[key]
            raise ValueError(f"the option {key!r} belongs into the column {column!r}")
    options = ",".join([*_column_options(row), *([words] if words else [])])
    fields = [str(row["root"]), str(row["rights"]), options]
    return parse_line(":".join([name, hashed, *map(_escaped, fields)]))


def row_of(record: AccountRecord) -> dict[str, Any]:
    """Return the values of a record by column; raises `InvalidAccount`."""
    try:
        line = format_line(record)
    except ValueError as error:
        raise InvalidAccount(str(error)) from None
    if not is_storable(line):
        raise InvalidAccount(f"the account {record.name!r} has characters that are not UTF-8")
    name, hashed, rest = f"{line}:::".split(":", 2)
    root, rights, options = [_unescaped(text) for text in FIELD.findall(f":{rest}")][:3]
    row: dict[str, Any] = dict.fromkeys(OPTION_COLUMNS.values())
    row |= {"name": name, "password_hash": hashed, "root": root, "rights": rights or INHERIT_WORD}
    row["disabled"] = record.disabled
    others = []
    for word in options.split(",") if options else ():
        key, _, value = word.partition("=")
        if key not in OPTION_COLUMNS or value == NONE_WORD:
            others.append(word)
        elif value:
            column = OPTION_COLUMNS[key]
            row[column] = value if column == "expires" else int(value)
    return row | {"options": ",".join(others)}


def claims_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names by which accounts of other names own files; see `claimed_owners`."""
    records: list[AccountRecord] = []
    for row in rows:
        with suppress(ValueError):
            records.append(record_of(row))
    return claimed_owners(records)


def groups_of(rows: Iterable[Mapping[str, Any]]) -> AccountGroups[AccountRecord]:
    """Return the groups among rows."""
    groups: dict[str, AccountRecord] = {}
    unusable: dict[str, str] = {}
    for row in rows:
        name = str(row["name"])
        if is_group(name):
            try:
                groups[name.removeprefix(GROUP_MARK)] = record_of(row)
            except ValueError as error:
                unusable[name.removeprefix(GROUP_MARK)] = str(error)
    return AccountGroups(groups, unusable)


def _column_options(row: Mapping[str, Any]) -> Iterator[str]:
    for key, column in OPTION_COLUMNS.items():
        value = row[column]
        if value is None:
            continue
        if column != "disabled":
            yield f"{key}={value.isoformat() if isinstance(value, date) else value}"
        elif value not in (0, 1):
            raise ValueError(f"the column 'disabled' has {value!r}")
        elif value:
            yield key


def _escaped(field: str) -> str:
    return field.replace("\\", "\\\\").replace(":", "\\:")


def _unescaped(field: str) -> str:
    return re.sub(r"\\([\\:])", r"\1", field)
