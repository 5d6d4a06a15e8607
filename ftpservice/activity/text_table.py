"""Sizes, times and tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

__all__ = [
    "duration_text",
    "printable_text",
    "rate_text",
    "short_size",
    "size_text",
    "table_lines",
    "time_text",
]

UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def printable_text(text: str, most: int = 100) -> str:
    """Return at most ``most`` characters of ``text``, with unprintable ones escaped."""
    shown = text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return "".join(char if char.isprintable() else _escape(char) for char in shown)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def size_text(count: int) -> str:
    """Return a number of bytes with a unit and in full: ``2.0 KiB (2,049)``."""
    return f"{count} B" if count < 1024 else f"{short_size(count)} ({count:,})"


def short_size(count: float) -> str:
    """Return a number of bytes with a unit: ``2.0 KiB``."""
    if count < 1024:
        return f"{count:.0f} B"
    amount, unit = count / 1024, 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {UNITS[unit]}"


def rate_text(rate: float) -> str:
    """Return bytes per second: ``2.0 KiB/s``."""
    return f"{short_size(rate)}/s"


def time_text(when: float) -> str:
    """Return a time in seconds since the epoch, to the second."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration_text(seconds: float) -> str:
    """Return a duration as ``3d 04:05:06``."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour:02}:{minute:02}:{second:02}"
    return f"{days}d {clock}" if days else clock


def table_lines(heading: Sequence[str], rows: Sequence[Sequence[str]], right: int = 0) -> list[str]:
    """Return lines with aligned columns; the last ``right`` columns are aligned to the right."""
    cells = [heading, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heading))]
    left = len(heading) - right
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
