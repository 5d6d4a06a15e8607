"""Security commands: TLS for the control and data connections (RFC 4217, RFC 2228).

Downgrades of required protection are refused, and so is everything that only mechanisms other than
TLS need.
"""

from __future__ import annotations

import re

from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.tls_policy import ControlTLS, DataTLS, TLSSwitch
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply, reply

__all__ = ["verbs"]

verbs = VerbTable()

MECHANISM_IMPLIES_PROT_P = {"TLS": False, "TLS-C": False, "SSL": True, "TLS-P": True}
"""The mechanisms, and whether data connections are then under TLS without PBSZ and PROT."""
MAX_PBSZ = 2**32 - 1


def _offered(context: SessionContext) -> bool:
    return context.offers_tls or context.tls_state.control


def _allows_ccc(context: SessionContext) -> bool:
    policy = context.services.settings.tls
    return policy.clear_commands and policy.control is not ControlTLS.REQUIRED


@verbs.add("AUTH", ArgumentKind.TEXT, rfc="4217 4", syntax="TLS | TLS-C | TLS-P | SSL", login=False,
           feature="AUTH TLS", offered=_offered)  # fmt: skip
async def authenticate(context: SessionContext, text: str) -> TLSSwitch:
    """Start TLS; ends the login and drops the commands that were sent after AUTH."""
    implies_prot_p = MECHANISM_IMPLIES_PROT_P.get(text.strip().upper())
    if implies_prot_p is None:
        raise ReplyError(codes.BAD_PARAMETER, "The only mechanism is TLS.")
    if context.tls_state.control:
        raise ReplyError(codes.BAD_SEQUENCE, "The control connection is under TLS already.")
    data = context.services.settings.tls.data
    if not context.offers_tls or (implies_prot_p and data is DataTLS.OFF):
        raise ReplyError(codes.AGAINST_POLICY, "TLS is not offered.")
    context.forget_login()
    context.tls_state.begin(implies_prot_p)
    return TLSSwitch(reply(codes.SECURITY_EXCHANGE_OK, "Start the TLS handshake."), secure=True)


@verbs.add("PBSZ", ArgumentKind.TEXT, rfc="4217 8", syntax="<number>", login=False,
           feature="PBSZ", offered=_offered)  # fmt: skip
async def buffer_size(context: SessionContext, text: str) -> Reply:
    """Negotiate the buffer size: always 0 with TLS."""
    digits = text.strip()
    if not (re.fullmatch("[0-9]{1,10}", digits) and int(digits) <= MAX_PBSZ):
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: PBSZ <number>")
    _require_tls(context)
    context.tls_state.pbsz_done = True
    return reply(codes.OK, "PBSZ=0")


@verbs.add("PROT", ArgumentKind.TEXT, rfc="4217 9", syntax="C | P", login=False,
           feature="PROT", offered=_offered)  # fmt: skip
async def data_protection(context: SessionContext, text: str) -> Reply:
    """Choose plaintext data connections (C) or data connections under TLS (P)."""
    _require_tls(context)
    if not context.tls_state.pbsz_done:
        raise ReplyError(codes.BAD_SEQUENCE, "Send PBSZ 0 first.")
    match text.strip().upper():
        case "P":
            if context.services.settings.tls.data is DataTLS.OFF:
                raise ReplyError(codes.AGAINST_POLICY, "TLS is not offered for data connections.")
            context.tls_state.data = True
            return reply(codes.OK, "Data connections are under TLS.")
        case "C":
            if context.requires_protected_data:
                raise ReplyError(codes.AGAINST_POLICY, "Data connections must be under TLS.")
            context.tls_state.data = False
            return reply(codes.OK, "Data connections are in plaintext.")
        case "E" | "S":
            raise ReplyError(codes.BAD_LEVEL, "The levels with TLS are C and P.")
        case _:
            raise ReplyError(codes.BAD_PARAMETER, "The levels are C and P.")


def _require_tls(context: SessionContext) -> None:
    if not context.tls_state.control:
        raise ReplyError(codes.BAD_SEQUENCE, "Send AUTH TLS first.")


@verbs.add("CCC", rfc="4217 12.3", feature="CCC", offered=_allows_ccc)
async def clear_commands(context: SessionContext, _none: None) -> TLSSwitch:
    """End TLS on the control connection; data connections keep theirs. Only where allowed."""
    if not context.tls_state.control:
        raise ReplyError(codes.NOTHING_TO_CLEAR, "The control connection is not under TLS.")
    if not _allows_ccc(context) or context.account.tls_required:
        raise ReplyError(codes.AGAINST_POLICY, "The control connection must stay under TLS.")
    context.tls_state.leave()
    return TLSSwitch(reply(codes.OK, "TLS ends on the control connection."), secure=False)


@verbs.add("ADAT", ArgumentKind.TEXT, rfc="2228 3", syntax="<base64>", login=False)
async def security_data(_context: SessionContext, _text: str) -> Reply:
    """Send security data of other mechanisms; TLS needs none."""
    raise ReplyError(codes.BAD_SEQUENCE, "ADAT is not used with TLS.")


async def _protected_command(context: SessionContext, _text: str) -> Reply:
    """Send a protected command; under TLS every command is protected."""
    _require_tls(context)
    raise ReplyError(codes.BAD_COMMAND_LEVEL, "Not used with TLS, which protects every command.")


for word in ("MIC", "CONF", "ENC"):
    verbs.add(word, ArgumentKind.TEXT, rfc="2228 3", syntax="<base64>", login=False)(
        _protected_command
    )
