"""Checks what callers pass to the server, so that no argument can end a command line."""

from __future__ import annotations

import re

from ftpservice_client.errors import InvalidArgument

__all__ = ["FORBIDDEN_CHARACTERS", "checked_argument"]

FORBIDDEN_CHARACTERS = re.compile("[\0\r\n]")


def checked_argument(text: str, *, empty: bool = False) -> str:
    """Return ``text`` if it can be the argument of a command; raises `InvalidArgument`."""
    if FORBIDDEN_CHARACTERS.search(text):
        raise InvalidArgument("a name cannot contain NUL, CR or LF")
    if not text and not empty:
        raise InvalidArgument("a name is missing")
    return text
