"""The TOML file of settings; an error names the key and the line."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from typing import Any

from ftpservice.service.settings.errors import error_text
from ftpservice.service.settings.settings import SETTINGS

__all__ = [
    "BadConfiguration",
    "key_line",
    "load_toml",
    "octal_literal",
    "parse_toml",
    "read_toml",
    "values_of",
]

MAX_FILE_BYTES = 1024 * 1024
BACKSLASH_HINT = "; write a string with backslashes in single quotes: '...'"


class BadConfiguration(ValueError):
    """The file cannot be used; ``str`` of it is one line that says where and why."""


def read_toml(path: str) -> str:
    """Return the text of a file (blocks); raises `BadConfiguration`."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_FILE_BYTES + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"{path}: {error_text(error)}") from None
    if len(text) > MAX_FILE_BYTES:
        raise BadConfiguration(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return text


def load_toml(path: str) -> dict[str, Any]:
    """Read a file (blocks); returns values by setting name. Raises `BadConfiguration`."""
    return values_of(read_toml(path), path)


def values_of(text: str, path: str) -> dict[str, Any]:
    """Return the values by setting name in the text of a file; raises `BadConfiguration`."""
    try:
        return parse_toml(text)
    except BadConfiguration as error:
        raise BadConfiguration(f"{path}, {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values of a TOML document by setting name; raises `BadConfiguration`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = BACKSLASH_HINT if "\\" in str(error) else ""
        raise BadConfiguration(f"not TOML: {error_text(error)}{hint}") from None
    return {key: _value(key, value, text) for key, value in table.items()}


def _value(key: str, value: object, text: str) -> Any:
    setting = SETTINGS.get(key)
    if setting is None:
        raise BadConfiguration(f"{_place(key, text)}: unknown setting{_suggestion(key)}")
    if isinstance(value, int) and (octal := octal_literal(key, text)):
        value = octal  # "umask = 0o27" is 027, not the digits of the decimal number 23
    try:
        return setting.parse(value)
    except ValueError as error:
        raise BadConfiguration(f"{_place(key, text)}: {error}") from None


def octal_literal(key: str, text: str) -> str | None:
    """Return the octal literal that ``key`` is set to; None if it is another literal."""
    found = re.search(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=\s*(0o[0-7]+)", text, re.MULTILINE)
    return found[1] if found else None


def _suggestion(key: str) -> str:
    close = get_close_matches(key.replace("_", "-"), SETTINGS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def key_line(key: str, text: str) -> int | None:
    """Return the number of the line that sets ``key`` or opens the table of that name."""
    opening = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if opening.match(line)), None)


def _place(key: str, text: str) -> str:
    number = key_line(key, text)
    return key if number is None else f"line {number}, {key}"
