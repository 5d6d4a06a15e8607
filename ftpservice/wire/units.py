"""Amounts: as users write them (``10M``, ``7d``), as they read them, and checks of settings."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any

__all__ = [
    "bytes_text",
    "checked_path",
    "count_text",
    "parse_duration",
    "parse_size",
    "parse_umask",
    "require_amounts",
    "seconds_text",
]

SIZE_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
DURATION_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
DURATION = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?"
    r"(s|m|h|d|w|sec|min|second|minute|hour|day|week)?(?:(?<=[a-z]{3})s)?",
    re.ASCII,
)
SIZE = re.compile(r"([0-9]{1,18}) ?([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)


def parse_size(text: str) -> int:
    """Read bytes, with ``K``, ``M``, ``G`` or ``T`` for powers of 1024; raises `ValueError`."""
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a size: {text!r} (such as 500K, 10M, 2G)")
    return int(match[1]) * SIZE_UNITS[match[2].upper()]


def bytes_text(count: int) -> str:
    """Return ``1 byte``, ``2 bytes``."""
    return "1 byte" if count == 1 else f"{count} bytes"


def seconds_text(seconds: float) -> str:
    """Return ``1 second``, ``0.5 seconds``."""
    return "1 second" if seconds == 1 else f"{seconds:g} seconds"


def count_text(count: int, noun: str) -> str:
    """Return a number of things: ``1 file``, ``2 days``, ``0 directories``."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count} {noun[:-1]}ies"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def parse_duration(text: str, needs_unit: bool = False) -> float:
    """Read seconds, or so many ``s``, ``m``, ``h``, ``d`` or ``w``; raises `ValueError`.

    The units may be spelled out: ``5 minutes``. ``needs_unit``: only 0 needs none.
    """
    match = DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a duration: {text!r} (such as 90s, 15m, 12h, 7d)")
    number = float(match[1])
    if needs_unit and number and not match[2]:
        raise ValueError(f"{text!r} has no unit: give one of s, m, h, d and w, such as {match[1]}d")
    return number * DURATION_UNITS[(match[2] or "")[:1]]


def parse_umask(text: str) -> int:
    """Parse permission bits in octal digits: 22, "022" and "0o22" are one mask.

    Raises `ValueError`.
    """
    if not re.fullmatch("(0o)?0?[0-7]{1,3}", text):
        raise ValueError(f"{text!r} is not an octal mask between 000 and 777, such as 022")
    return int(text.removeprefix("0o"), 8)


def checked_path(name: str, given: Any) -> Path:
    """Return the path for a `str` or `os.PathLike`; raises `TypeError` with the setting's name."""
    if not isinstance(given, (str, PathLike)):
        raise TypeError(f"{name} is the path of a file, not {given!r}")
    return Path(given)


def require_amounts(settings: object, kind: type[int | float], *names: str) -> None:
    """Raise `TypeError` or `ValueError` unless these attributes are numbers from 0 on.

    ``kind`` is `int` for whole numbers only, or `float`.
    """
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, (int, kind)) or isinstance(value, bool):
            raise TypeError(f"{name} is a number ({kind.__name__}), not {value!r}")
        if not value >= 0:  # nor is NaN
            raise ValueError(f"{name} is 0 or more, not {value!r}")
