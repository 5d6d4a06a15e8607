"""From a command to its row, if it is known, legal and permitted now."""

from __future__ import annotations

from ftpservice.commands.table import UNIMPLEMENTED_VERBS, VERB_TABLE
from ftpservice.session.arguments import parse_argument
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.state import (
    BY_CERTIFICATE,
    NEUTRAL_VERBS,
    SEQUENCED_VERBS,
    TRANSITIONS,
    Phase,
    phase_after,
)
from ftpservice.session.tls_policy import TLSSwitch
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import Verb
from ftpservice.wire import codes
from ftpservice.wire.commands import Command
from ftpservice.wire.foreign_protocols import HTTP_VERBS
from ftpservice.wire.replies import Reply

__all__ = ["printable_verb", "run_command"]


async def run_command(context: SessionContext, command: Command) -> Reply | Transfer | TLSSwitch:
    """Carry out a command, up to its transfer if it has one; raises whatever is wrong."""
    row, before = VERB_TABLE.rows.get(command.verb), context.phase
    if before is Phase.RENAMING and command.verb not in NEUTRAL_VERBS:
        context.phase = Phase.LOGGED_IN  # a refused command ends a rename too
    if row is None or context.portal_login.account is None:
        row = _permitted_row(context, command.verb, row)
    is_sequenced = row.name in SEQUENCED_VERBS
    if is_sequenced and (before, row.name) not in TRANSITIONS:
        raise ReplyError(codes.BAD_SEQUENCE, f"{row.name} is out of sequence.")
    if row.moves_data and not context.tls_state.data:
        context.require_protected_data()
    if not is_sequenced:
        return await row.run(context, parse_argument(context, row, command.argument))
    move, succeeded = row.name, False
    try:
        outcome = await row.run(context, parse_argument(context, row, command.argument))
        succeeded = not isinstance(outcome, Reply) or outcome.code < 400
        if isinstance(outcome, Reply) and outcome.code == codes.LOGGED_IN_BY_CERTIFICATE:
            move = BY_CERTIFICATE
    finally:
        context.phase = phase_after(before, move, succeeded)
    return outcome


def _permitted_row(context: SessionContext, verb: str, row: Verb | None) -> Verb:
    """Return the row of a known verb that is permitted before a login; raises `ReplyError`."""
    is_logged_in = context.portal_login.account is not None
    if row is not None and verb not in HTTP_VERBS:
        context.foreign_detector.has_spoken_ftp = True
    elif not is_logged_in and context.foreign_detector.is_over(verb):
        raise ReplyError(
            codes.SERVICE_UNAVAILABLE, f"This is FTP; {printable_verb(verb)} is not known here."
        )
    if row is None:
        known = verb in UNIMPLEMENTED_VERBS
        code = codes.NOT_IMPLEMENTED if known else codes.UNKNOWN_VERB
        raise ReplyError(code, f"{printable_verb(verb)} is not {'here' if known else 'known'}.")
    if row.login and not is_logged_in:
        raise ReplyError(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")
    return row


def printable_verb(verb: str) -> str:
    """Return a verb as a reply or the log may show it."""
    return verb[:32].encode("ascii", "backslashreplace").decode() if verb.isprintable() else "That"
