"""Passwords taken out of lines that are kept or shown."""

from __future__ import annotations

import re

__all__ = ["redact_line", "redact_urls"]

URL_LOGIN = r"([^\s/@:]*(?=:)|[^\s/:]*@[^\s/:]*(?=:(?!\d{1,5}/)))"
"""A user, in front of a colon; not a user and a host in front of a port and a path."""
IN_URL = re.compile(rf"(?<=://){URL_LOGIN}:\S*@")
"""A login up to the last @ of the word, for the password may hold any character."""
OPEN_COMMAND = re.compile(
    rf"(\s*(?:open|conn|connect)\s+[\"']?(?:\w+://|(?!\w+://))){URL_LOGIN}:.*@", re.I | re.DOTALL
)
"""The same in a line that connects, where URLs may lack their scheme and hold blanks in quotes."""
PASSWORD = re.compile(r"\s*(pass\b|quote\s+pass\b)(?:\s.*)?", re.IGNORECASE | re.DOTALL)
USER = re.compile(r"(\s*user\s+\S+)\s.*", re.IGNORECASE | re.DOTALL)


def redact_line(line: str) -> str:
    """Return ``line`` without the passwords that the shell's words and URLs may hold."""
    if match := PASSWORD.fullmatch(line):
        return match[1]
    if match := USER.fullmatch(line):
        return match[1]
    return redact_urls(OPEN_COMMAND.sub(r"\1\2@", line))


def redact_urls(text: str) -> str:
    """Return ``text`` without the passwords of the URLs in it."""
    return IN_URL.sub(r"\1@", text)
