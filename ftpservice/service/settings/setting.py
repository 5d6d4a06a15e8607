"""A setting: its declaration, and how its value is read from text or TOML."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftpservice.wire.units import parse_duration

__all__ = [
    "COUNT",
    "FLAG",
    "SECONDS",
    "SWITCH",
    "TABLES",
    "TEXT",
    "TEXTS",
    "Setting",
    "SettingKind",
    "declared_settings",
    "setting",
]

MAX_NUMBER = 10**9
"""The largest count and the largest number of seconds."""
FLAG_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
FLAG_NUMBERS = {1: True, 0: False}
COUNT_TEXT = re.compile("[0-9]{1,10}")


@dataclass(frozen=True)
class SettingKind:
    """The type of a setting's value.

    ``convert`` takes an option's text or a TOML value. It accepts a value of another type where
    that has one meaning only ("5" for a count, "5m" for seconds, a string for a list of one), and
    raises `ValueError` for the rest.
    """

    name: str
    expected: str
    """Completes "... is not" in an error message."""
    convert: Callable[[Any], Any]


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object) -> str:
    text = str(value) if _is_integer(value) else value
    if not isinstance(text, str) or not text:
        raise ValueError
    return text


def _texts(value: object) -> list[str]:
    return [_text(item) for item in (value if isinstance(value, list) else [value])]


def _tables(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if isinstance(value, str):
        value = FLAG_WORDS.get(value.lower())
    elif _is_integer(value):
        value = FLAG_NUMBERS.get(value)  # type: ignore[call-overload]
    if not isinstance(value, bool):
        raise ValueError
    return value


def _count(value: object) -> int:
    if isinstance(value, str) and COUNT_TEXT.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_NUMBER:
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if isinstance(value, str):
        value = parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if not math.isfinite(value) or not 0 <= value <= MAX_NUMBER:
        raise ValueError
    return value


TEXT = SettingKind("string", 'a string in quotes, "..."', _text)
TEXTS = SettingKind("list of strings", 'a string or a list of strings, ["...", "..."]', _texts)
FLAG = SettingKind("true or false", "true or false", _flag)
SWITCH = SettingKind("on or off", '"on" or "off"', _flag)
TABLES = SettingKind("tables", "a list of tables, [[...]]", _tables)
COUNT = SettingKind("whole number, 1 or more", "a whole number, 1 or more, such as 50", _count)
SECONDS = SettingKind(
    "seconds, 0 or more",
    'a number of seconds, 0 or more, or a duration, such as 300 or "5m"',
    _seconds,
)


@dataclass(frozen=True)
class Setting:
    """One setting. ``name`` is that of the option and of the TOML key."""

    kind: SettingKind
    default: str | int | float | tuple[str, ...] | None
    """As a user would write it; None where ``help`` says what applies instead."""
    help: str
    parse_value: Callable[[Any], Any] | None = None
    """Converts a value (each item of a list) for the service; raises `ValueError`."""
    example: str = ""
    """A value in TOML, for error messages."""
    live: bool = False
    """Whether a running service can change it (SIGHUP)."""
    name: str = ""

    def parse(self, value: object) -> Any:
        """Return the service's value for an option's text or a TOML value; raises `ValueError`."""
        try:
            converted = self.kind.convert(value)
        except ValueError:
            if self.kind is TEXT and value == "":
                text = f"it is empty, and not {self._expected()}; or leave it out"
                raise ValueError(text) from None
            raise ValueError(f"{_toml(value)} is not {self._expected()}") from None
        if self.parse_value is None:
            return tuple(converted) if isinstance(converted, list) else converted
        if isinstance(converted, list):
            return tuple(map(self.parse_value, converted))
        return self.parse_value(converted)

    def _expected(self) -> str:
        expected = self.kind.expected
        return f"{expected}, such as {self.name} = {self.example}" if self.example else expected

    def default_value(self) -> Any:
        """Return the service's value of the default."""
        default = self.default
        if default is None:
            return None
        return self.parse(list(default) if isinstance(default, tuple) else default)


def _toml(value: object) -> str:
    """Return a value much as TOML writes it."""
    return repr(value) if isinstance(value, str) else json.dumps(value, default=str)


def setting(
    kind: SettingKind,
    default: str | int | float | tuple[str, ...] | None,
    help: str,
    parse_value: Callable[[Any], Any] | None = None,
    **attributes: Any,
) -> Any:
    """Declare a field of a dataclass as a `Setting`; the parameters are its attributes."""
    declared = Setting(kind, default, help, parse_value, **attributes)
    return dataclasses.field(default=declared.default_value(), metadata={"setting": declared})


def declared_settings(owner: type[Any]) -> dict[str, Setting]:
    """Return the settings that a dataclass declares, by name (``max-sessions``), in order.

    Those of a base class follow those of the class itself.
    """
    found = {}
    declared = owner.__annotations__
    for field in sorted(dataclasses.fields(owner), key=lambda field: field.name not in declared):
        if "setting" in field.metadata:
            name = field.name.replace("_", "-")
            found[name] = dataclasses.replace(field.metadata["setting"], name=name)
    return found
