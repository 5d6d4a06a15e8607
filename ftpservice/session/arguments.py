"""The arguments of commands; an argument that does not fit its row is refused with 501."""

from __future__ import annotations

from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.verb_table import ArgumentKind, Verb
from ftpservice.wire import codes
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["parse_argument", "parse_count"]

MAX_BYTE_COUNT = 2**63 - 1


def parse_count(text: str) -> int:
    """Read a byte count: decimal digits only; raises `ReplyError`."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_BYTE_COUNT):
        raise ReplyError(codes.BAD_ARGUMENT, "The argument is a number of bytes.")
    return int(text)


def parse_argument(
    context: SessionContext, row: Verb, text: str | None
) -> VirtualPath | str | int | None:
    """Return the argument as the row's `ArgumentKind`; raises `ReplyError` and `BadPath`."""
    kind = row.argument
    if kind is ArgumentKind.NONE and text is not None and text.strip():
        raise ReplyError(codes.BAD_ARGUMENT, f"{row.name} takes no argument.")
    if text is None and kind in (ArgumentKind.TEXT, ArgumentKind.NUMBER, ArgumentKind.PATH):
        raise ReplyError(codes.BAD_ARGUMENT, f"Syntax: {row.syntax}")
    if kind is ArgumentKind.PATH or kind is ArgumentKind.OPTIONAL_PATH:
        return context.directory if text is None else context.directory.joined(text)
    if kind is ArgumentKind.PATH_OR_ROOT:
        return ROOT if text is None else context.resolve(text)
    if kind is ArgumentKind.NUMBER and text is not None:
        return parse_count(text.strip())
    return text
