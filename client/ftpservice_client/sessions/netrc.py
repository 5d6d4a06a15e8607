"""Passwords from a netrc file.

Parsed as ftp(1) and curl do: entries of other hosts, unknown words and macros are skipped. A word
in double quotes may contain blanks; a backslash in it quotes the next character.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ftpservice_client.errors import LocalFileError
from ftpservice_client.urls import Destination

__all__ = ["with_netrc"]

MAX_FILE_SIZE = 1024 * 1024
TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"?|(\S+)', re.DOTALL)
VALUE_KEYWORDS = ("login", "password", "account")


@dataclass(slots=True)
class NetrcEntry:
    """The entry of a host."""

    host: str
    """Empty for any host (``default``)."""
    login: str = ""
    password: str | None = None

    def set(self, keyword: str, value: str) -> None:
        """Set the login or the password; the account (ACCT) is not used."""
        if keyword == "login":
            self.login = value
        elif keyword == "password":
            self.password = value


def with_netrc(
    destination: Destination, path: Path, warn: Callable[[str], object] = bool
) -> Destination:
    """Return the destination with user and password from the file, unless it has them (blocks).

    If a host has several entries, the one for the user of the destination is used, otherwise the
    first. ``warn`` is called with a line about a file that other users can read; a file that
    belongs to another user is not used. Raises `LocalFileError` if the file cannot be read.
    """
    if destination.password is not None:
        return destination
    try:
        text = _read_own_file(path.expanduser(), warn)
    except FileNotFoundError:
        return destination
    except (OSError, RuntimeError) as error:
        raise LocalFileError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    entries = [entry for entry in _entries(text) if entry.password is not None]
    own = [entry for entry in entries if entry.host.lower() == destination.host.lower()]
    for entry in own or [entry for entry in entries if not entry.host]:
        if destination.user in ("", entry.login):
            return replace(destination, user=entry.login, password=entry.password)
    return destination


def _read_own_file(path: Path, warn: Callable[[str], object]) -> str:
    """Return the content of the file; empty if it belongs to another user."""
    with open(path, "rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_uid not in (os.geteuid(), 0):
            warn(f"{path} belongs to another user; the passwords in it are not used.")
            return ""
        if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            warn(f"Other users can read or change {path}; run: chmod 600 {path}")
        return file.read(MAX_FILE_SIZE).decode("utf-8", "surrogateescape")


def _entries(text: str) -> Iterator[NetrcEntry]:
    """Yield the entries, in their order."""
    words = _words(text)
    account: NetrcEntry | None = None
    for word in words:
        if word in ("machine", "default"):
            if account is not None:
                yield account
            account = NetrcEntry(next(words, "") if word == "machine" else "")
        elif word in VALUE_KEYWORDS:
            value = next(words, "")
            if account is not None:
                account.set(word, value)
    if account is not None:
        yield account


def _words(text: str) -> Iterator[str]:
    """Yield the words, without comments (a word that begins with ``#``) and macros.

    After ``login`` and the like ``#`` begins no comment: passwords may begin with it. A macro ends
    at an empty line.
    """
    position, before = 0, ""
    while found := TOKEN.search(text, position):
        position = found.end()
        quoted, plain = found.groups()
        word = plain if plain is not None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        is_value = before in (*VALUE_KEYWORDS, "machine")
        if plain is not None and not is_value and word.startswith("#"):
            position = _end_of(r"\n", text, position)
        elif plain is not None and not is_value and word == "macdef":
            position = _end_of(r"\n[ \t\r]*\n", text, position)
        else:
            before = "" if is_value else word
            yield word


def _end_of(pattern: str, text: str, position: int) -> int:
    found = re.compile(pattern).search(text, position)
    return found.end() if found else len(text)
