"""The one door for what callers want sent: nothing that could end a line goes through it."""

from __future__ import annotations

from ftpservice_client.errors import InvalidArgument

__all__ = ["checked_argument"]

FORBIDDEN_CHARACTERS = frozenset("\0\r\n")


def checked_argument(text: str, *, empty: bool = False) -> str:
    """Return ``text`` if it can be an argument of a command; raises `InvalidArgument`."""
    if not FORBIDDEN_CHARACTERS.isdisjoint(text):
        raise InvalidArgument("a name may not hold NUL, CR or LF")
    if not text and not empty:
        raise InvalidArgument("a name is wanted")
    return text
