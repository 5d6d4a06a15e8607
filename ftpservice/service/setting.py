"""What a setting is: its name, what it takes, how it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["Kind", "Setting"]

MOST = 10**9
"""No count and no time is larger."""


class Kind(Enum):
    """What sort of value a setting takes; the value names it to a person."""

    TEXT = "a text"
    TEXTS = "a list of texts"
    FLAG = "true or false"
    COUNT = "a whole number, 1 or more"
    SECONDS = "a number of seconds, 0 or more"


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Setting:
    """One row: the name is that of the option and of the TOML key."""

    name: str
    kind: Kind
    default: str | int | float | tuple[str, ...] | None
    """Written as a user would write it; None where the help says what happens instead."""
    help: str
    refine: Callable[[Any], Any] = _as_it_is
    """Makes the service's value of the user's (of each one of a list); raises `ValueError`."""

    def from_text(self, text: str) -> Any:
        """Return the value of an option's argument; raises `ValueError`."""
        if self.kind is Kind.COUNT and re.fullmatch("[0-9]{1,10}", text):
            return self.checked(int(text))
        if self.kind is Kind.SECONDS and re.fullmatch(r"[0-9]{1,10}(\.[0-9]+)?", text):
            return self.checked(float(text))
        return self.checked([text] if self.kind is Kind.TEXTS else text)

    def checked(self, value: object) -> Any:
        """Return the service's value of one of the right type; raises `ValueError`.

        A TOML file's values come here as they are.
        """
        if not FITS[self.kind](value):
            raise ValueError(f"{value!r} is not {self.kind.value}")
        if isinstance(value, list):
            return tuple(self.refine(text) for text in value)
        return self.refine(value)

    @property
    def initial(self) -> Any:
        """The service's value when nobody says anything."""
        default = self.default
        if isinstance(default, tuple):
            return self.checked(list(default))
        return None if default is None else self.checked(default)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= MOST


FITS: dict[Kind, Callable[[object], bool]] = {
    Kind.TEXT: lambda value: isinstance(value, str) and value != "",
    Kind.TEXTS: _is_texts,
    Kind.FLAG: lambda value: isinstance(value, bool),
    Kind.COUNT: lambda value: _is_number(value) and isinstance(value, int) and value >= 1,
    Kind.SECONDS: _is_number,
}
