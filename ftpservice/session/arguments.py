"""Reads a command's argument as its row says; what does not fit is refused with 501."""

from __future__ import annotations

from ftpservice.session.context import Context
from ftpservice.session.error_replies import Refusal
from ftpservice.session.verb_table import Argument, Verb
from ftpservice.wire import codes
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["parse_argument", "parse_count"]

LARGEST = 2**63 - 1


def parse_count(text: str) -> int:
    """Read a byte count: decimal digits only; raises `Refusal`."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST):
        raise Refusal(codes.BAD_ARGUMENT, "A whole number of bytes is wanted.")
    return int(text)


def parse_argument(context: Context, row: Verb, text: str | None) -> VirtualPath | str | int | None:
    """Return the argument in its shape; raises `Refusal` and `BadPath`."""
    shape = row.argument
    if shape is Argument.NONE and text is not None and text.strip():
        raise Refusal(codes.BAD_ARGUMENT, f"{row.name} takes no argument.")
    if text is None and shape in (Argument.TEXT, Argument.NUMBER, Argument.PATH):
        raise Refusal(codes.BAD_ARGUMENT, f"Syntax: {row.syntax}")
    if shape in (Argument.PATH, Argument.OPTIONAL_PATH):
        return context.resolve(text)
    if shape is Argument.PATH_OR_ROOT:
        return ROOT if text is None else context.resolve(text)
    if shape is Argument.NUMBER and text is not None:
        return parse_count(text.strip())
    return text
