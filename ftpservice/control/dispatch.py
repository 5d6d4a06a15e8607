"""Dispatch: from a command to its row in the verb table, and the checks before it is run."""

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

__all__ = ["run_command", "shown_verb"]

MAX_VERB_LETTERS = 4


async def run_command(context: SessionContext, command: Command) -> Reply | Transfer | TLSSwitch:
    """Carry out a command; a transfer is prepared and returned. Raises what commands raise."""
    # 1. The row of the verb. Most commands between RNFR and RNTO end the rename (RFC 959 §4.1.3).
    verb, text = command.verb, command.argument
    row, before = VERB_TABLE.rows.get(verb), context.phase
    if before is Phase.RENAMING and verb not in NEUTRAL_VERBS:
        context.phase = Phase.LOGGED_IN
    if row is None or context.portal_login.account is None:
        row = _permitted_row(context, verb, row)
    # 2. The phase (RFC 959 §6), and the protection of data connections (RFC 4217 §9).
    is_sequenced = row.name in SEQUENCED_VERBS
    if is_sequenced and (before, row.name) not in TRANSITIONS:
        raise ReplyError(codes.BAD_SEQUENCE, f"{row.name} is out of sequence.")
    if row.moves_data and context.requires_protected_data and not context.tls_state.data:
        context.refuse_plaintext_data()
    # 3. The command itself.
    if not is_sequenced:
        argument = (
            parse_argument(context, row, text) if text is not None or not row.is_optional else None
        )
        return await row.run(context, argument)
    return await _run_sequenced(context, row, before, text)


async def _run_sequenced(
    context: SessionContext, row: Verb, before: Phase, text: str | None
) -> Reply | Transfer | TLSSwitch:
    """Carry out a verb of the table of phases, and set the phase that it leads to."""
    transition, succeeded = row.name, False
    try:
        outcome = await row.run(context, parse_argument(context, row, text))
        succeeded = not isinstance(outcome, Reply) or outcome.code < 400
        if isinstance(outcome, Reply) and outcome.code == codes.LOGGED_IN_BY_CERTIFICATE:
            transition = BY_CERTIFICATE
    finally:
        context.phase = phase_after(before, transition, succeeded)
    return outcome


def _permitted_row(context: SessionContext, verb: str, row: Verb | None) -> Verb:
    """Return the row, if the verb is known and allowed without a login; raises `ReplyError`.

    Without a login, clients of other protocols are detected and disconnected.
    """
    is_logged_in = context.portal_login.account is not None
    if row is not None and verb not in HTTP_VERBS:
        context.foreign_detector.has_spoken_ftp = True
    elif not is_logged_in and context.foreign_detector.must_disconnect(verb):
        raise ReplyError(codes.SERVICE_UNAVAILABLE, f"This is FTP; unknown command{_shown(verb)}.")
    if row is None:
        if verb in UNIMPLEMENTED_VERBS:
            raise ReplyError(codes.NOT_IMPLEMENTED, f"{verb} is not implemented.")
        raise ReplyError(codes.UNKNOWN_VERB, f"Unknown command{_shown(verb)}.")
    if row.login and not is_logged_in:
        raise ReplyError(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")
    return row


def shown_verb(verb: str) -> str:
    """Return a verb as replies and the log show it; empty if it may be a mistyped password.

    Commands of FTP have up to four letters (RFC 959 §5.3); longer ones are shown if they are known.
    """
    if verb in VERB_TABLE.rows or verb in UNIMPLEMENTED_VERBS or verb in HTTP_VERBS:
        return verb
    return verb if len(verb) <= MAX_VERB_LETTERS and verb.isascii() and verb.isalpha() else ""


def _shown(verb: str) -> str:
    shown = shown_verb(verb)
    return f" {shown}" if shown else ""
