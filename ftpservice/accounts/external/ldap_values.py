"""Values of LDAP attributes in the words of ``passwd.db``, and comparisons of DNs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from ftpservice.accounts.external.ldap_connection import (
    LDAPEntry,
    LDAPExceptionError,
    parse_dn,
)

__all__ = ["option_words", "same_dn"]

NO_WORDS = frozenset({"", "0", "false", "no", "off"})
ACCOUNT_DISABLED = 2
"""The bit in ``userAccountControl`` of Active Directory."""
NEVER = frozenset({"", "-1", "0", "9223372036854775807"})
"""No end, in ``shadowExpire`` and ``accountExpires``."""
GENERALIZED_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})[0-9]{2}[0-9.,+-]*Z?")


def option_words(entry: LDAPEntry, attributes: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """Return the values that an entry has for options of the account.

    Empty values are left out. Raises `ValueError` for a time that is none.
    """
    words: dict[str, list[str]] = {}
    for option, attribute in attributes:
        for value in entry.texts(attribute):
            text = _word(option, attribute.lower(), value.strip())
            if text is not None:
                words.setdefault(option, []).append(text)
    if "disabled" in words:
        words["disabled"] = [""]
    return words


def _word(option: str, attribute: str, value: str) -> str | None:
    """Return a value as an option has it; None for a value that sets nothing."""
    if option == "disabled":
        if attribute == "useraccountcontrol":
            return "" if int(value) & ACCOUNT_DISABLED else None
        return None if value.lower() in NO_WORDS else ""
    if option == "expires":
        return _day(attribute, value)
    return value or None


def _day(attribute: str, value: str) -> str | None:
    """Return the last day of logins."""
    if attribute in ("shadowexpire", "accountexpires"):
        if value in NEVER:
            return None
        if attribute == "shadowexpire":  # the first day without logins, counted from 1970
            return (date(1970, 1, 1) + timedelta(int(value) - 1)).isoformat()
        end = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(value) // 10)
        return (end - timedelta(microseconds=1)).date().isoformat()
    match = GENERALIZED_TIME.fullmatch(value)
    return "-".join(match.groups()) if match else value or None


def same_dn(one: str, other: str) -> bool:
    """Return whether two DNs are the same, but for case and spaces."""
    return _normal(one) == _normal(other)


def _normal(dn: str) -> list[tuple[str, str]] | str:
    try:
        parts = parse_dn(dn, strip=True)
        return [(kind.lower(), value.lower()) for kind, value, _ in parts]
    except LDAPExceptionError:
        return dn.lower()
