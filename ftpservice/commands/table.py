"""The table of all verbs, and FEAT and HELP, which describe it."""

from __future__ import annotations

from ftpservice.commands import (
    access_control,
    extensions,
    filesystem,
    information,
    listings,
    security,
    transfer_parameters,
    transfers,
)
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.verb_table import ArgumentKind, Verb, VerbTable
from ftpservice.wire import codes
from ftpservice.wire.digests import ALGORITHMS
from ftpservice.wire.facts import feature_line
from ftpservice.wire.replies import Reply, reply

__all__ = ["UNIMPLEMENTED_VERBS", "VERB_TABLE", "protocol_table"]

VERB_TABLE = VerbTable().include(
    access_control.verbs,
    security.verbs,
    transfer_parameters.verbs,
    transfers.verbs,
    filesystem.verbs,
    listings.verbs,
    information.verbs,
    extensions.verbs,
)

UNIMPLEMENTED_VERBS = frozenset(
    [
        *("LPRT", "LPSV", "MAIL", "MLFL", "MRCP", "MRSQ", "MSAM", "MSND", "MSOM"),
    ]
)
"""Verbs of the RFCs that are not implemented: 502 instead of 500."""


@VERB_TABLE.add("FEAT", rfc="2389 3", login=False)
async def features(context: SessionContext, _none: None) -> Reply:
    """List the features beyond RFC 959."""
    facts = feature_line(context.parameters.facts)
    hashes = ";".join(
        f"{name}*" if name == context.parameters.hash_algorithm else name for name in ALGORITHMS
    )
    lines = {
        row.feature.format(facts=facts, hashes=hashes)
        for row in VERB_TABLE
        if row.feature and row.offered(context)
    }
    shown = sorted([*lines, "TVFS", "UTF8"])
    return reply(codes.SYSTEM_STATUS, "Features:", *(f" {line}" for line in shown), "End")


@VERB_TABLE.add("HELP", ArgumentKind.OPTIONAL_TEXT, rfc="959 4.1.3", syntax="[<verb>]", login=False)
async def help_command(_context: SessionContext, word: str | None) -> Reply:
    """List the verbs, or show the syntax of one."""
    if word is None:
        names = [row.name for row in VERB_TABLE]
        lines = [
            " " + "".join(f"{name:<8}" for name in names[start : start + 8]).rstrip()
            for start in range(0, len(names), 8)
        ]
        return reply(codes.HELP, "These verbs are known:", *lines, "See HELP <verb>.")
    row = _row(word.strip().upper())
    if row is None:
        raise ReplyError(codes.NOT_IMPLEMENTED, f"Unknown verb {word.strip().upper()}.")
    return reply(codes.HELP, f"Syntax: {row.syntax}", f" {row.help}", f" (RFC {row.rfc})", "End.")


def _row(word: str) -> Verb | None:
    return VERB_TABLE.rows.get(word) or extensions.site_verbs.rows.get(word)


def protocol_table() -> str:
    """Return the rows as a Markdown table, for the documentation."""
    head = ["| verb | login | during a transfer | RFC | what it does |", "|---|---|---|---|---|"]
    rows = [*VERB_TABLE, *extensions.site_verbs]
    return "\n".join(head + [_markdown(row) for row in rows if not row.alias_of] + _aliases(rows))


def _markdown(row: Verb) -> str:
    syntax = row.syntax.replace("|", "\\|")
    cells = (
        f"`{syntax}`",
        "yes" if row.login else "",
        "at once" if row.allowed_during_transfer else "",
    )
    return f"| {' | '.join(cells)} | {row.rfc} | {row.help} |"


def _aliases(rows: list[Verb]) -> list[str]:
    words = ", ".join(f"`{row.name}` = `{row.alias_of}`" for row in rows if row.alias_of)
    return ["", f"Aliases: {words}."]
