r"""Events as rows of the journal: which columns there are, and what each event puts into them.

Texts may be hostile: paths and names hold whatever bytes a client has sent. A database takes no NUL
and no byte that is not UTF-8; these are written as ``\xNN`` and a backslash as ``\\``, so that
`original_text` has the name again. Other control characters are stored as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ftpservice.events import (
    AccountChanged,
    AdminAction,
    BanLifted,
    Banned,
    CertificateExpires,
    CertificateFailed,
    CertificateIssued,
    CommandFailed,
    CommandRefused,
    Event,
    FileChanged,
    FileExpired,
    HandshakeFailed,
    LoggedIn,
    LoginFailed,
    Refused,
    SessionClosed,
    SessionOpened,
    SessionStalled,
    TransferEnded,
    UploadRefused,
)
from ftpservice.wire.units import count_text

__all__ = [
    "COLUMNS",
    "EVENT_KINDS",
    "LOST",
    "MAX_ACCOUNT",
    "MAX_INTEGER",
    "MAX_TEXT",
    "MAX_TIME",
    "VALUES",
    "event_values",
    "lost_row",
    "original_text",
    "row_of",
    "stored_account",
    "stored_text",
]

COLUMNS = (
    *("id", "at", "kind", "number", "events"),
    *("session", "transfer", "account", "address", "protocol", "tls", "groups"),
    *("path", "target", "storage_name", "action", "outcome", "digest", "detail"),
    *("bytes", "seconds", "rate", "node"),
)
LOST = "lost"
"""The kind of a row that counts events the journal could not keep."""
MAX_TEXT = 8192
"""Characters of a text; no path is longer."""
MAX_ACCOUNT = 400
"""Characters of an account's name, which anyone can send, and no index of PostgreSQL takes when it
has more than 2,704 bytes: six for each that is escaped."""
MAX_INTEGER = 2**63 - 1
MAX_TIME = 1e12
"""Seconds: a time before this is rounded to a microsecond."""
DIGITS = {"seconds": 6, "rate": 3}
"""Decimal places."""
UNSTORABLE = re.compile("[\\\\\0\ud800-\udfff]")
ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4})")
BYTE_SURROGATES = range(0xDC80, 0xDD00)
"""How Python represents the bytes 0x80 to 0xff that are not UTF-8."""

Row = list[Any]
"""The values of `COLUMNS`."""
Values = Mapping[str, Any]


def stored_text(text: str) -> str:
    """Return a text as a database takes it."""
    return UNSTORABLE.sub(_escape, _shortened(text, MAX_TEXT))


def stored_account(name: str) -> str:
    """Return the name of an account as the indexes of a database take it."""
    return stored_text(_shortened(name, MAX_ACCOUNT))


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\\":
        return "\\\\"
    code = ord(char)
    if code in BYTE_SURROGATES:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def original_text(text: str) -> str:
    """Return the text that `stored_text` was called with."""
    return ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    escaped = match[1]
    if escaped == "\\":
        return "\\"
    code = int(escaped[1:], 16)
    return chr(code + 0xDC00 if escaped[0] == "x" and code >= 0x80 else code)


def _session_closed(event: SessionClosed) -> Values:
    return {
        "kind": "session closed",
        "detail": event.reason,
        "seconds": event.seconds,
        "bytes": event.bytes_up + event.bytes_down,
    }


def _login_failed(event: LoginFailed) -> Values:
    return {
        "kind": "login failed",
        "action": event.reason.value,
        "outcome": "failed",
        "detail": event.detail,
    }


def _command_refused(event: CommandRefused) -> Values:
    return {
        "kind": "command refused",
        "action": event.command,
        "path": event.path,
        "outcome": str(event.code),
        "detail": _joined(event.text, event.detail),
    }


def _upload_refused(event: UploadRefused) -> Values:
    transfer = f"{event.info.id}-{event.transfer}" if event.transfer else ""
    return {
        **_command_refused(event),
        "kind": "upload refused",
        "transfer": transfer,
        "target": event.refused_by,
        "storage_name": event.info.storage_name(event.path) or "",
    }


def _transfer(event: TransferEnded) -> Values:
    return {
        "kind": "transfer",
        "action": "upload" if event.upload else "download",
        "transfer": event.transfer_id,
        "path": event.path,
        "storage_name": event.info.storage_name(event.path) or "",
        "outcome": event.outcome.value,
        "bytes": event.size,
        "seconds": event.seconds,
        "rate": event.rate,
        "digest": event.digest,
        "detail": event.detail,
    }


def _file_changed(event: FileChanged) -> Values:
    return {
        "kind": "file",
        "action": event.action,
        "path": event.path,
        "target": event.target,
        "storage_name": event.info.storage_name(event.path) or "",
    }


def _file_expired(event: FileExpired) -> Values:
    return {
        "kind": "file expired",
        "action": "rmdir" if event.is_directory else "delete",
        "path": event.path,
        "storage_name": event.info.storage_name(event.path) or "",
        "bytes": event.size,
        "seconds": event.age,
        "detail": event.rule,
    }


def _certificate(action: str, names: tuple[str, ...], detail: str = "") -> Values:
    return {
        "kind": "certificate",
        "action": action,
        "target": ", ".join(names),
        "detail": detail,
    }


def _joined(text: str, detail: str) -> str:
    return f"{text} ({detail})" if detail else text


VALUES: dict[type[Event], Callable[[Any], Values]] = {
    SessionOpened: lambda event: {"kind": "session opened", "protocol": event.protocol},
    SessionClosed: _session_closed,
    SessionStalled: lambda event: {"kind": "session stalled", "detail": event.reason},
    LoggedIn: lambda event: {"kind": "login", "outcome": "ok", "tls": event.tls},
    LoginFailed: _login_failed,
    HandshakeFailed: lambda event: {"kind": "handshake failed", "detail": event.reason},
    Refused: lambda event: {"kind": "session refused", "detail": event.reason},
    CommandFailed: lambda event: {
        "kind": "command failed",
        "action": event.command,
        "detail": event.detail,
    },
    CommandRefused: _command_refused,
    UploadRefused: _upload_refused,
    TransferEnded: _transfer,
    FileChanged: _file_changed,
    FileExpired: _file_expired,
    AdminAction: lambda event: {
        "kind": "admin",
        "action": event.action,
        "target": event.subject,
        "detail": event.detail,
    },
    AccountChanged: lambda event: {"kind": "account", "action": event.what},
    Banned: lambda event: {
        "kind": "ban",
        "action": "ban",
        "target": event.network,
        "detail": event.reason,
        "seconds": None if event.until is None else max(0.0, event.until - event.when),
    },
    BanLifted: lambda event: {"kind": "ban", "action": "lift", "target": event.network},
    CertificateIssued: lambda event: _certificate("issued", event.names),
    CertificateExpires: lambda event: _certificate(
        "expires", event.names, count_text(event.days, "day")
    ),
    CertificateFailed: lambda event: _certificate("failed", event.names, event.reason),
}
"""What is in the row of each event, beside what all events have."""
EVENT_KINDS = (
    *("session opened", "session closed", "session refused", "session stalled"),
    *("login", "login failed", "handshake failed", "transfer"),
    *("upload refused", "command refused", "command failed", "file", "file expired"),
    *("admin", "account", "ban", "certificate", LOST),
)
"""What the column ``kind`` can have."""
DEFAULTS: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {"bytes": None, "seconds": None}
DEFAULTS |= {"rate": None, "node": None, "number": 0, "events": 1}


def event_values(event: Event, node: str = "") -> dict[str, Any] | None:
    """Return the values of `COLUMNS` for an event, without an id; None if it has no row."""
    values = VALUES.get(type(event))
    if values is None:
        return None
    info = event.info
    row = DEFAULTS | {
        "at": event.when,
        "number": event.session,
        "session": info.id,
        "account": event.user,
        "address": event.peer,
        "protocol": info.protocol,
        "tls": info.tls,
        "groups": ",".join(info.groups),
    }
    row |= values(event)
    row["node"] = node or None
    return row


def row_of(event: Event, row_id: str, node: str = "") -> Row | None:
    """Return the row of an event; None for one that the journal does not keep."""
    row = event_values(event, node)
    if row is None:
        return None
    row["id"] = row_id
    row["account"] = _shortened(row["account"], MAX_ACCOUNT)
    for name, digits in DIGITS.items():
        value = row[name]
        if isinstance(value, float) and math.isfinite(value):
            row[name] = round(value, digits)
    if 0 <= row["at"] < MAX_TIME:
        row["at"] = int(row["at"] * 1e6 + 0.5) / 1e6
    return [_storable(value) for value in row.values()]


def lost_row(row_id: str, when: float, events: int, reason: str, node: str = "") -> Row:
    """Return the row that counts events which have none."""
    row = DEFAULTS | {"id": row_id, "at": when, "kind": LOST, "events": events, "detail": reason}
    row["node"] = node or None
    return [_storable(value) for value in row.values()]


def _storable(value: Any) -> Any:
    if type(value) is str:
        plain = value.isascii() and "\\" not in value and "\0" not in value
        return value if plain and len(value) <= MAX_TEXT else stored_text(value)
    if type(value) is int:
        return min(value, MAX_INTEGER)
    if isinstance(value, float) and value - value != 0:  # infinite, or no number
        return None
    return value
