"""Reads a TOML file of settings; what is wrong in it is named with its key and line."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from typing import Any

from ftpservice.service.settings.errors import error_text
from ftpservice.service.settings.table import SETTINGS_BY_NAME

__all__ = ["BadConfiguration", "load_toml", "parse_toml"]

MAX_FILE_SIZE = 1024 * 1024


class BadConfiguration(ValueError):
    """A configuration file cannot be used; ``str`` of it is one line that says where and why."""


def load_toml(path: str) -> dict[str, Any]:
    """Read the file ``path`` into values by setting name; raises `BadConfiguration`."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_FILE_SIZE + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"{path}: {error_text(error)}") from None
    if len(text) > MAX_FILE_SIZE:
        raise BadConfiguration(f"{path}: too large for a file of settings")
    try:
        return parse_toml(text)
    except BadConfiguration as error:
        raise BadConfiguration(f"{path}, {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values in a TOML text by setting name; raises `BadConfiguration`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"not TOML: {error_text(error)}") from None
    return {key: _value(key, value, text) for key, value in table.items()}


def _value(key: str, value: object, text: str) -> Any:
    setting = SETTINGS_BY_NAME.get(key)
    if setting is None:
        raise BadConfiguration(f"{_place(key, text)}: there is no such setting{_guess(key)}")
    if isinstance(value, int) and (written := _octal(key, text)):
        value = written  # "umask = 0o27" must not become the digits of its decimal number
    try:
        return setting.checked(value)
    except ValueError as error:
        raise BadConfiguration(f"{_place(key, text)}: {error}") from None


def _octal(key: str, text: str) -> str | None:
    """Return the octal number that ``key`` is set to, as it is written; None for other numbers."""
    found = re.search(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=\s*(0o[0-7]+)", text, re.MULTILINE)
    return found[1] if found else None


def _guess(key: str) -> str:
    close = get_close_matches(key.replace("_", "-"), SETTINGS_BY_NAME, n=1)
    return f"; {close[0]}, perhaps?" if close else ""


def _place(key: str, text: str) -> str:
    """Return the line that sets ``key`` (or opens the table of that name), and the key."""
    opening = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    for number, line in enumerate(text.splitlines(), 1):
        if opening.match(line):
            return f"line {number}, {key}"
    return key
