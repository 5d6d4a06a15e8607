"""The one door for what callers want sent: nothing that could end a line goes through it."""

from __future__ import annotations

from ftpservice_client.errors import BadName

__all__ = ["checked"]

FORBIDDEN = frozenset("\0\r\n")


def checked(text: str, *, empty: bool = False) -> str:
    """Return ``text`` if it can be an argument of a command; raises `BadName`."""
    if not FORBIDDEN.isdisjoint(text):
        raise BadName("a name may not hold NUL, CR or LF")
    if not text and not empty:
        raise BadName("a name is wanted")
    return text
