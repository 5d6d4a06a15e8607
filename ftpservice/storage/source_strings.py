"""What a scheme of storage strings is made of: its interface, and parsers for its argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from zope.interface import Attribute, Interface

from ftpservice.storage.interfaces import IStorageSource

__all__ = ["IStorageSourceFactory", "Value", "parse_options", "parse_switch", "split_fields"]

Value = TypeVar("Value")


class IStorageSourceFactory(Interface):
    """A scheme of storage strings; plugins provide it."""

    scheme = Attribute("What stands before the first colon, a str in lower case.")
    help = Attribute("One line for ``--help``: what the argument is.")

    def build(argument: str, reactor: Any) -> IStorageSource:
        """Build from what stands behind the colon; raises `ValueError` in one clear line."""


def split_fields(argument: str) -> list[str]:
    """Part at colons, escapes undone."""
    parts = [""]
    letters = iter(argument)
    for letter in letters:
        if letter == ":":
            parts.append("")
        else:
            parts[-1] += next(letters, letter) if letter == "\\" else letter
    return parts


def parse_options(
    texts: list[str], known: Mapping[str, Callable[[str], Value]]
) -> dict[str, Value]:
    """Read ``key=value`` texts by the parsers in ``known``; raises `ValueError`.

    A key comes back with underscores for its dashes; empty texts are skipped.
    """
    values: dict[str, Value] = {}
    for text in filter(None, texts):
        key, equals, value = text.partition("=")
        if key not in known:
            raise ValueError(f"unknown option {key!r} (known: {', '.join(known)})")
        if not equals:
            raise ValueError(f"option {key!r} wants a value: {key}=...")
        try:
            values[key.replace("-", "_")] = known[key](value)
        except ValueError as error:
            raise ValueError(f"option {key!r}: {error}") from error
    return values


def parse_switch(text: str) -> bool:
    """Read ``yes`` or ``no``; raises `ValueError`."""
    if text not in ("yes", "no"):
        raise ValueError(f"not yes or no: {text!r}")
    return text == "yes"
