"""Sources by storage strings: their factories, those named by paths, parsers for arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from zope.interface import Attribute, Interface

from ftpservice.storage.interfaces import IStorageSource
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "INamedSource",
    "IPathNamedSource",
    "IStorageSourceFactory",
    "Value",
    "parse_options",
    "parse_switch",
    "split_fields",
]

Value = TypeVar("Value")


class IStorageSourceFactory(Interface):
    """Builds storage sources from strings with one scheme; plugins provide it."""

    scheme = Attribute("The part before the first colon, a str in lower case.")
    help = Attribute("One line for ``--help``: the syntax of the string and what it means.")

    def build(argument: str, reactor: Any) -> IStorageSource:
        """Build from the part after the first colon; raises `ValueError` with a one-line reason."""


class INamedSource(IStorageSource):
    """A source whose files have names of their own, such as paths on a disk."""

    def storage_name(path: VirtualPath) -> str:
        """Return the name of a file below the root of the source; never blocks."""


class IPathNamedSource(INamedSource):
    """A source whose names are paths: each is that of its directory, a slash and the last part."""


def split_fields(argument: str) -> list[str]:
    r"""Split at colons; ``\:`` stands for a colon and ``\\`` for a backslash."""
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
    """Parse ``key=value`` strings with the parsers in ``known``; raises `ValueError`.

    The keys of the result have underscores for dashes. Empty strings are ignored.
    """
    values: dict[str, Value] = {}
    for text in filter(None, texts):
        key, equals, value = text.partition("=")
        if key not in known:
            raise ValueError(f"unknown option {key!r} (known: {', '.join(known)})")
        if not equals:
            raise ValueError(f"option {key!r} needs a value: {key}=...")
        try:
            values[key.replace("-", "_")] = known[key](value)
        except ValueError as error:
            raise ValueError(f"option {key!r}: {error}") from error
    return values


def parse_switch(text: str) -> bool:
    """Parse ``yes`` or ``no``; raises `ValueError`."""
    if text not in ("yes", "no"):
        raise ValueError(f"not yes or no: {text!r}")
    return text == "yes"
