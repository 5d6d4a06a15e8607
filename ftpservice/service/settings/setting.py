"""What a setting is: its name, what it takes, how it is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ftpservice.wire.units import parse_duration

__all__ = ["Setting", "SettingKind"]

MAX_COUNT = 10**9
"""No count and no time is larger."""


class SettingKind(Enum):
    """What sort of value a setting takes; the value names it to a person."""

    TEXT = "a text"
    TEXTS = "a list of texts"
    FLAG = "true or false"
    SWITCH = "on or off"
    COUNT = "a whole number, 1 or more"
    SECONDS = "a number of seconds, 0 or more"


EXAMPLES = {
    SettingKind.TEXT: 'a text in quotes, "..."',
    SettingKind.TEXTS: 'one or several texts, ["...", "..."]',
    SettingKind.FLAG: "true or false",
    SettingKind.SWITCH: '"on" or "off"',
    SettingKind.COUNT: "a whole number, 1 or more, such as 50",
    SettingKind.SECONDS: 'a number of seconds, 0 or more, or a duration, such as 300 or "5m"',
}
FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NUMBERED_FLAGS = {1: True, 0: False}


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Setting:
    """One row: the name is that of the option and of the TOML key."""

    name: str
    kind: SettingKind
    default: str | int | float | tuple[str, ...] | None
    """Written as a user would write it; None where the help says what happens instead."""
    help: str
    parse_value: Callable[[Any], Any] = _as_it_is
    """Makes the service's value of the user's (of each one of a list); raises `ValueError`."""
    example: str = ""
    """A value as TOML has it, where the kind alone does not tell enough."""

    def from_text(self, text: str) -> Any:
        """Return the value of an option's argument; raises `ValueError`."""
        return self.checked(text)

    def checked(self, value: object) -> Any:
        """Return the service's value of what a user gave; raises `ValueError`.

        A TOML file's values come here as they are. A value of another type is taken where there
        is one thing only that it can mean: "5" for a count, "5m" for seconds, one text for a list.
        """
        value = COERCIONS[self.kind](value)
        if not KIND_CHECKS[self.kind](value):
            raise ValueError(f"{_shown(value)} is not {self._wanted}")
        if isinstance(value, list):
            return tuple(self.parse_value(text) for text in value)
        return self.parse_value(value)

    @property
    def _wanted(self) -> str:
        wanted = EXAMPLES[self.kind]
        return f"{wanted}, such as {self.name} = {self.example}" if self.example else wanted

    @property
    def initial(self) -> Any:
        """The service's value when nobody says anything."""
        default = self.default
        if isinstance(default, tuple):
            return self.checked(list(default))
        return None if default is None else self.checked(default)


def _meant_text(value: object) -> object:
    """Numbers are texts where sizes, ports or masks are wanted."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _meant_texts(value: object) -> object:
    """One text is a list of one, and a number stands for a text (a port)."""
    values = value if isinstance(value, list) else [value]
    texts = [_meant_text(one) for one in values]
    return texts if all(isinstance(one, str) for one in texts) else value


def _meant_flag(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return NUMBERED_FLAGS.get(value, value)
    return FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def _meant_count(value: object) -> object:
    return int(value) if isinstance(value, str) and COUNT.fullmatch(value) else value


def _meant_seconds(value: object) -> object:
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except ValueError:
        return value


COUNT = re.compile("[0-9]{1,10}")
COERCIONS: dict[SettingKind, Callable[[object], object]] = {
    SettingKind.TEXT: _meant_text,
    SettingKind.TEXTS: _meant_texts,
    SettingKind.FLAG: _meant_flag,
    SettingKind.SWITCH: _meant_flag,
    SettingKind.COUNT: _meant_count,
    SettingKind.SECONDS: _meant_seconds,
}


def _shown(value: object) -> str:
    """Return a value much as TOML writes it."""
    return repr(value) if isinstance(value, str) else json.dumps(value, default=str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= MAX_COUNT


KIND_CHECKS: dict[SettingKind, Callable[[object], bool]] = {
    SettingKind.TEXT: lambda value: isinstance(value, str) and value != "",
    SettingKind.TEXTS: _is_texts,
    SettingKind.FLAG: lambda value: isinstance(value, bool),
    SettingKind.SWITCH: lambda value: isinstance(value, bool),
    SettingKind.COUNT: lambda value: _is_number(value) and isinstance(value, int) and value >= 1,
    SettingKind.SECONDS: _is_number,
}
