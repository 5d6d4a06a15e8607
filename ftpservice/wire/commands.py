"""A command line of the control connection as a value (RFC 959 §5.3)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Command", "parse_command"]


STRAY_TELNET_BYTES = b"\xf2\xf4\xff"
"""Data Mark, Interrupt Process and IAC: what is left before ABOR when the rest got lost."""


class Command(NamedTuple):
    """A verb in capitals and the rest of its line, unchanged."""

    verb: str
    argument: str | None
    """``None`` if nothing follows the verb; spaces inside and at the end belong to the name."""


def parse_command(line: bytes) -> Command:
    """Read one line without its end; bytes that are not UTF-8 become surrogate escapes."""
    if line[:1] >= b"\xf0":
        rest = line.lstrip(STRAY_TELNET_BYTES)
        line = rest if rest[:1].isalpha() else line
    verb, _space, argument = line.partition(b" ")
    return Command(
        verb.upper().decode("utf-8", "surrogateescape"),
        argument.decode("utf-8", "surrogateescape") if argument else None,
    )
