"""Commands and data under TLS (RFC 4217), and what RFC 2228 has besides.

Refused are downgrades of what is required, and whatever a mechanism other than TLS would need.
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
"""The mechanisms, and whether they put data under TLS without PBSZ and PROT."""
MAX_PBSZ = 2**32 - 1


def _offered(context: SessionContext) -> bool:
    return context.offers_tls or context.secured


def _may_clear(context: SessionContext) -> bool:
    policy = context.services.settings.tls
    return policy.clear_commands and policy.control is not ControlTLS.REQUIRED


@verbs.add("AUTH", ArgumentKind.TEXT, rfc="4217 4", syntax="TLS | TLS-C | TLS-P | SSL", login=False,
           feature="AUTH TLS", offered=_offered)  # fmt: skip
async def authenticate(context: SessionContext, text: str) -> TLSSwitch:
    """Go on under TLS; ends the login and forgets all that came behind it."""
    private = MECHANISM_IMPLIES_PROT_P.get(text.strip().upper())
    if private is None:
        raise ReplyError(codes.BAD_PARAMETER, "TLS is the one mechanism.")
    if context.secured:
        raise ReplyError(codes.BAD_SEQUENCE, "This is under TLS already.")
    data = context.services.settings.tls.data
    if not context.offers_tls or (private and data is DataTLS.OFF):
        raise ReplyError(codes.AGAINST_POLICY, "No TLS here.")
    context.forget_login()
    context.tls_state.begin(private)
    return TLSSwitch(reply(codes.SECURITY_EXCHANGE_OK, "Begin with TLS."), secure=True)


@verbs.add("PBSZ", ArgumentKind.TEXT, rfc="4217 8", syntax="<number>", login=False,
           feature="PBSZ", offered=_offered)  # fmt: skip
async def buffer_size(context: SessionContext, text: str) -> Reply:
    """Agree on the size of protected blocks: 0, for TLS has its own."""
    digits = text.strip()
    if not (re.fullmatch("[0-9]{1,10}", digits) and int(digits) <= MAX_PBSZ):
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: PBSZ <number>")
    _see_that_it_is_secured(context)
    context.tls_state.pbsz_done = True
    return reply(codes.OK, "PBSZ=0")


@verbs.add("PROT", ArgumentKind.TEXT, rfc="4217 9", syntax="C | P", login=False,
           feature="PROT", offered=_offered)  # fmt: skip
async def data_protection(context: SessionContext, text: str) -> Reply:
    """Choose data connections in clear (C) or under TLS (P)."""
    _see_that_it_is_secured(context)
    if not context.tls_state.pbsz_done:
        raise ReplyError(codes.BAD_SEQUENCE, "Say PBSZ 0 first.")
    match text.strip().upper():
        case "P":
            if context.services.settings.tls.data is DataTLS.OFF:
                raise ReplyError(codes.AGAINST_POLICY, "No TLS for data here.")
            context.tls_state.data = True
            return reply(codes.OK, "Data goes under TLS.")
        case "C":
            if context.requires_protected_data:
                raise ReplyError(codes.AGAINST_POLICY, "Data has to go under TLS here.")
            context.tls_state.data = False
            return reply(codes.OK, "Data goes in clear.")
        case "E" | "S":
            raise ReplyError(codes.BAD_LEVEL, "TLS has the levels C and P.")
        case _:
            raise ReplyError(codes.BAD_PARAMETER, "The levels are C and P.")


def _see_that_it_is_secured(context: SessionContext) -> None:
    if not context.secured:
        raise ReplyError(codes.BAD_SEQUENCE, "Say AUTH TLS first.")


@verbs.add("CCC", rfc="4217 12.3", feature="CCC", offered=_may_clear)
async def clear_commands(context: SessionContext, _none: None) -> TLSSwitch:
    """Leave TLS with the commands, not with the data; only where that is allowed."""
    if not context.secured:
        raise ReplyError(codes.NOTHING_TO_CLEAR, "Commands are in clear.")
    if not _may_clear(context) or context.account.tls_required:
        raise ReplyError(codes.AGAINST_POLICY, "Commands stay under TLS here.")
    context.tls_state.leave()
    return TLSSwitch(reply(codes.OK, "Go on in clear."), secure=False)


@verbs.add("ADAT", ArgumentKind.TEXT, rfc="2228 3", syntax="<base64>", login=False)
async def security_data(_context: SessionContext, _text: str) -> Reply:
    """Continue an exchange of other mechanisms; TLS has none."""
    raise ReplyError(codes.BAD_SEQUENCE, "TLS wants no ADAT.")


async def _protected_command(context: SessionContext, _text: str) -> Reply:
    """Send a command protected by itself; under TLS all of them are."""
    _see_that_it_is_secured(context)
    raise ReplyError(codes.BAD_COMMAND_LEVEL, "TLS protects all commands alike.")


for word in ("MIC", "CONF", "ENC"):
    verbs.add(word, ArgumentKind.TEXT, rfc="2228 3", syntax="<base64>", login=False)(
        _protected_command
    )
