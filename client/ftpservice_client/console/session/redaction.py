"""Removal of passwords from lines that are saved or shown."""

from __future__ import annotations

import re

__all__ = ["redact_line", "redact_urls"]

URL_LOGIN = r"([^\s/@:]*(?=:)|[^\s/:]*@[^\s/:]*(?=:(?!\d{1,5}/)))"
"""A user before a colon; not ``user@host`` before a port and a path."""
IN_URL = re.compile(rf"(?<=://){URL_LOGIN}:\S*@")
"""User and password up to the last ``@`` of the word: a password may hold any character."""
OPEN_COMMAND = re.compile(
    rf"(\s*(?:open|conn|connect)\s+[\"']?(?:\w+://|(?!\w+://))){URL_LOGIN}:.*@", re.I | re.DOTALL
)
"""The same in the command ``open``: its URL may have no scheme, and blanks inside quotes."""
PASS_COMMAND = re.compile(r"\s*(pass\b|quote\s+pass\b)(?:\s.*)?", re.IGNORECASE | re.DOTALL)
USER_COMMAND = re.compile(r"(\s*user\s+\S+)\s.*", re.IGNORECASE | re.DOTALL)


def redact_line(line: str) -> str:
    """Return ``line`` without passwords in commands and URLs."""
    if match := PASS_COMMAND.fullmatch(line):
        return match[1]
    if match := USER_COMMAND.fullmatch(line):
        return match[1]
    return redact_urls(OPEN_COMMAND.sub(r"\1\2@", line))


def redact_urls(text: str) -> str:
    """Return ``text`` without passwords in URLs."""
    return IN_URL.sub(r"\1@", text)
