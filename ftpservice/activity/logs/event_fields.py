"""An event as the fields of a JSON object.

The keys are the attributes of the event in `ftpservice.events`, so that new events need nothing
here. Every event of a kind has all keys of that kind.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Any

from ftpservice.events import Event

__all__ = ["event_fields", "kind_of", "time_field", "visible_text"]

BASE_FIELDS = ("when", "session", "peer", "user", "info")
TRANSFER = "transfer"


def event_fields(event: Event) -> dict[str, Any]:
    """Return the fields of an event, without its time; all values can be written as JSON."""
    info = event.info
    of_kind: Any = type(event)  # mypy would not let a type be a key
    kind, *names = _kind_and_names(of_kind)
    fields: dict[str, Any] = {
        "event": kind,
        "session": info.id or None,
        "number": event.session,
        "peer": event.peer,
        "user": visible_text(event.user),
        "protocol": info.protocol,
        "tls": info.tls,
        "groups": _json_value(info.groups),
    }
    for name in names:
        fields[name] = _json_value(getattr(event, name))
    number, path = fields.get(TRANSFER), getattr(event, "path", None)
    if number is not None:
        fields[TRANSFER] = f"{info.id}-{number}" if number else None
    if path is not None:
        fields["file"] = _json_value(info.storage_name(path))
    return fields


def kind_of(kind: Any) -> str:
    """Return the name of a kind of event: ``transfer_ended``."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


@cache
def _kind_and_names(kind: Any) -> tuple[str, ...]:
    names = (field.name for field in dataclasses.fields(kind))
    return (kind_of(kind), *(name for name in names if name not in BASE_FIELDS))


def _json_value(value: Any) -> Any:
    if type(value) is str:
        return visible_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_json_value(item) for item in value]
    return visible_text(str(value))


def time_field(seconds: float) -> str:
    """Return a time in UTC with milliseconds: ``2026-11-29T12:00:00.250Z``."""
    second, microseconds = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_second_field(second)}.{microseconds // 1000:03}Z"


@lru_cache(maxsize=8)
def _second_field(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def visible_text(text: str) -> str:
    r"""Return text that is valid Unicode: bytes that are not UTF-8 are written ``\xe9``."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogateescape" if _has_bytes_only(text) else "surrogatepass")
        return data.decode("utf-8", "backslashreplace")
    return text


def _has_bytes_only(text: str) -> bool:
    """Return whether all surrogates of a text stand for bytes (PEP 383)."""
    return not any("\ud800" <= c < "\udc80" or "\udd00" <= c <= "\udfff" for c in text)
