"""Values of a JSON document, of the types that they must have; raises `ValueError` otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["number", "strings", "typed"]


def typed(values: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    """Return a value of this type, or ``default`` for none or null."""
    value = values.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise ValueError(f"{key} is not of type {kind.__name__}")
    return value


def number(values: Mapping[str, Any], key: str) -> int:
    """Return a number that is not negative; 0 for none."""
    found: int = typed(values, key, int, 0)
    if not 0 <= found < 10**18:
        raise ValueError(f"{key} is not a possible number")
    return found


def strings(values: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of strings; an empty one for none."""
    found: list[Any] = typed(values, key, list, [])
    if not all(isinstance(text, str) for text in found):
        raise ValueError(f"{key} is not a list of strings")
    return found
