"""EPLF, the easily parsed list format: ``+i8388621.48594,m825718503,r,s280,<tab>name``."""

from __future__ import annotations

import re

from ftpservice.wire.entry import Entry, Kind

__all__ = ["eplf_entry"]

NUMBER = re.compile(r"[0-9]{1,18}")


def eplf_entry(text: str) -> Entry:
    """Parse one line; raises `ValueError`. Times are exact, in UTC."""
    facts, tab, name = text.partition("\t")
    if not text.startswith("+") or not tab or not name:
        raise ValueError("not a line of EPLF")
    by_letter = {fact[:1]: fact[1:] for fact in facts[1:].split(",")}
    kind = Kind.DIRECTORY if "/" in by_letter else Kind.FILE if "r" in by_letter else Kind.OTHER
    is_file = kind is Kind.FILE
    mode = by_letter.get("u", "")
    return Entry(
        name,
        kind,
        _number(by_letter.get("s", "0")) if is_file else 0,
        float(_number(by_letter.get("m", "0"))),
        int(mode[1:], 8) & 0o7777 if re.fullmatch(r"p[0-7]{1,5}", mode) else 0o644,
        unique=by_letter.get("i", ""),
        size_known="s" in by_letter or not is_file,
    )


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return int(text)
