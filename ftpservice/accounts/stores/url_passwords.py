"""Passwords in the URLs of account stores, such as ``sql:postgresql://user:password@host/db``.

A command line is visible to every user of the machine, and settings are shown and logged; so a
password is refused in the one, and masked in the others.
"""

from __future__ import annotations

import re

__all__ = ["IN_COMMAND_LINE_TEXT", "has_password", "without_password"]

PASSWORD = re.compile(r"(?P<user>//[^/?#]*?:)(?P<secret>[^/?#]*)(?=@)|(?P<key>[?&]password=)[^&#]*")
IN_COMMAND_LINE_TEXT = (
    "a password in a command line is visible to other users; put the store into the settings file"
    " (auth), or the password into a file as docs/account-stores.md says"
)


def has_password(description: str) -> bool:
    """Return whether the string of a store has a password in a URL."""
    return PASSWORD.search(description) is not None


def without_password(description: str) -> str:
    """Return the string of a store for messages, with ``***`` for a password."""
    return PASSWORD.sub(lambda match: f"{match['user'] or match['key']}***", description)
