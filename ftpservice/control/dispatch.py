"""From a command to its row, if it is known, legal and permitted now."""

from __future__ import annotations

from ftpservice.commands.table import KNOWN_ELSEWHERE, TABLE
from ftpservice.session.arguments import parse_argument
from ftpservice.session.context import Context
from ftpservice.session.error_replies import Refusal
from ftpservice.session.state import BY_CERTIFICATE, DISTURBS_NOTHING, is_legal, phase_after
from ftpservice.session.tls_policy import Switch
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import Verb
from ftpservice.wire import codes
from ftpservice.wire.commands import Command
from ftpservice.wire.foreign_protocols import HTTP_VERBS
from ftpservice.wire.replies import Reply

__all__ = ["outcome_of", "printable"]


async def outcome_of(context: Context, command: Command) -> Reply | Transfer | Switch:
    """Carry out a command, up to its transfer if it has one; raises whatever is wrong."""
    row, before = TABLE.find(command.verb), context.phase
    if command.verb not in DISTURBS_NOTHING:
        context.phase = phase_after(before, "", succeeded=False)  # a refused one ends a rename too
    if context.identity.account is None:
        _introduce(context, command.verb, row)
    if row is None:
        raise _unknown(command.verb)
    if row.login and context.identity.account is None:
        raise Refusal(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")
    if not is_legal(before, row.name):
        raise Refusal(codes.BAD_SEQUENCE, f"{row.name} is out of sequence.")
    if row.moves_data:
        context.see_that_data_may_move()
    move, succeeded = row.name, False
    try:
        outcome = await row.run(context, parse_argument(context, row, command.argument))
        succeeded = not isinstance(outcome, Reply) or outcome.code < 400
        if isinstance(outcome, Reply) and outcome.code == codes.LOGGED_IN_BY_CERTIFICATE:
            move = BY_CERTIFICATE
    finally:
        context.phase = phase_after(before, move, succeeded)
    return outcome


def _unknown(verb: str) -> Refusal:
    known = verb in KNOWN_ELSEWHERE
    code = codes.NOT_IMPLEMENTED if known else codes.UNKNOWN_VERB
    return Refusal(code, f"{printable(verb)} is not {'here' if known else 'known'}.")


def _introduce(context: Context, verb: str, row: Verb | None) -> None:
    """Raise `Refusal` where a client that is not logged in does not speak FTP."""
    if row is not None and verb not in HTTP_VERBS:
        context.introduction.is_made = True
    elif context.introduction.is_over(verb):
        raise Refusal(codes.UNAVAILABLE, f"This is FTP; {printable(verb)} is not known here.")


def printable(verb: str) -> str:
    """Return a verb as a reply or the log may show it."""
    return verb[:32].encode("ascii", "backslashreplace").decode() if verb.isprintable() else "That"
