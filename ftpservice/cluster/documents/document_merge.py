"""Merges two contents of a document that have no history in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merged_content"]

HASH = "hash"
"""What identifies an entry of a list, such as a token; other entries identify themselves."""
ID_LENGTH = 12
"""As that of share links: it opens nothing."""


def merged_content(
    common: Mapping[str, Any], own: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return ``common`` with what only ``own`` has, and the entries of which both have another one.

    Of those the one of ``common`` counts; of two numbers the higher one.
    """
    found, conflicts = dict(common), []
    for key, entries in own.items():
        there = found.get(key)
        if there is None:
            found[key] = entries
        elif isinstance(there, dict) and isinstance(entries, dict):
            found[key], differing = _merged_mapping(there, entries)
            conflicts += differing
        elif isinstance(there, list) and isinstance(entries, list):
            found[key], differing = _merged_list(there, entries)
            conflicts += differing
        elif there != entries:
            conflicts.append(key)
    return found, conflicts


def _merged_mapping(
    common: Mapping[str, Any], own: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    found, conflicts = {**own, **common}, []
    for name in common.keys() & own.keys():
        values = common[name], own[name]
        if all(isinstance(value, int | float) for value in values):
            found[name] = max(values)
        elif values[0] != values[1]:
            conflicts.append(name)
    return found, sorted(conflicts)


def _merged_list(common: list[Any], own: list[Any]) -> tuple[list[Any], list[str]]:
    there = {_identity(entry): entry for entry in common}
    added = [entry for entry in own if _identity(entry) not in there]
    known = (entry for entry in own if _identity(entry) in there)
    conflicts = [_identity(one)[:ID_LENGTH] for one in known if there[_identity(one)] != one]
    return [*common, *added], conflicts


def _identity(entry: Any) -> str:
    return str(entry.get(HASH, entry)) if isinstance(entry, dict) else str(entry)
