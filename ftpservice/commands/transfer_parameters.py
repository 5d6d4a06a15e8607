"""Transfer parameter commands: representation and data ports (RFC 959 §4.1.2, RFC 2428)."""

from __future__ import annotations

from ftpservice.data.connector import PeerRefused, WrongFamily
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.wire import codes
from ftpservice.wire.addresses import HostPort, format_epsv, format_pasv, parse_eprt, parse_port
from ftpservice.wire.replies import Reply, reply

__all__ = ["verbs"]

verbs = VerbTable()

BAD_PARAMETER_TEXT = "Command not implemented for that parameter."
ONLY_EPSV_TEXT = "Only EPSV is allowed after EPSV ALL."


@verbs.add("TYPE", ArgumentKind.TEXT, rfc="959 3.1.1", syntax="A [N] | I | L 8")
async def representation_type(context: SessionContext, text: str) -> Reply:
    """Choose text (A) or unconverted bytes (I, L 8)."""
    wanted = "".join(text.upper().split())  # clients write A N, AN, L8
    if wanted in ("A", "AN"):
        by_account = context.account.ascii
        context.parameters.ascii = (
            context.services.settings.ascii if by_account is None else by_account
        )
        return reply(codes.OK, "Type is ASCII.")
    if wanted in ("I", "IN", "L8"):
        context.parameters.ascii = False
        return reply(codes.OK, "Type is binary.")
    if wanted in ("E", "EN", "ET", "EC", "AT", "AC"):
        raise ReplyError(codes.BAD_PARAMETER, BAD_PARAMETER_TEXT)
    if wanted[:1] == "L" and wanted[1:].isascii() and wanted[1:].isdigit():
        raise ReplyError(codes.BAD_PARAMETER, "Only a byte size of 8 is supported.")
    raise ReplyError(codes.BAD_ARGUMENT, "Syntax: TYPE A [N] | I | L 8")


@verbs.add("MODE", ArgumentKind.TEXT, rfc="959 3.4", syntax="S")
async def transfer_mode(_context: SessionContext, text: str) -> Reply:
    """Choose the transmission mode; only stream (S) is available."""
    return _chosen(text, "S", "BC", "Mode is stream.")


@verbs.add("STRU", ArgumentKind.TEXT, rfc="959 3.1.2", syntax="F | R")
async def file_structure(context: SessionContext, text: str) -> Reply:
    """Choose file (F) or, for text, record (R) structure."""
    wanted = text.strip().upper()
    if wanted == "R" and context.parameters.ascii:
        context.parameters.records = True
        return reply(codes.OK, "Structure is record.")
    answer = _chosen(text, "F", "RP", "Structure is file.")
    context.parameters.records = False
    return answer


def _chosen(text: str, ours: str, known: str, answer: str) -> Reply:
    wanted = text.strip().upper()
    if wanted == ours:
        return reply(codes.OK, answer)
    if wanted and len(wanted) == 1 and wanted in known:
        raise ReplyError(codes.BAD_PARAMETER, BAD_PARAMETER_TEXT)
    raise ReplyError(codes.BAD_ARGUMENT, "Not a parameter of this command.")


@verbs.add("PASV", rfc="959 4.1.2")
async def passive(context: SessionContext, _none: None) -> Reply:
    """Listen for the next data connection (IPv4)."""
    if context.parameters.extended_only:
        raise ReplyError(codes.BAD_SEQUENCE, ONLY_EPSV_TEXT)
    try:
        place = await context.connector.passive(extended=False, family=None)
    except WrongFamily:
        raise ReplyError(codes.BAD_FAMILY, "Not over IPv6, use EPSV (2).") from None
    text = format_pasv(place.host, place.port)
    return reply(codes.PASSIVE, f"Entering Passive Mode ({text}).")


@verbs.add("EPSV", ArgumentKind.OPTIONAL_TEXT, rfc="2428 3", syntax="[1 | 2 | ALL]", feature="EPSV")
async def extended_passive(context: SessionContext, text: str | None) -> Reply:
    """Listen for the next data connection (IPv4 and IPv6)."""
    wanted = (text or "").strip().upper()
    if wanted == "ALL":
        context.parameters.extended_only = True
        return reply(codes.OK, "Only EPSV from now on.")
    if wanted and not (wanted.isascii() and wanted.isdigit()):
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: EPSV [1 | 2 | ALL]")
    if wanted not in ("", "1", "2"):
        raise ReplyError(codes.BAD_FAMILY, "Network protocol not supported, use (1,2).")
    try:
        place = await context.connector.passive(
            extended=True, family=int(wanted) if wanted else None
        )
    except WrongFamily:
        raise ReplyError(codes.BAD_FAMILY, _families(context)) from None
    return reply(
        codes.EXTENDED_PASSIVE, f"Entering Extended Passive Mode ({format_epsv(place.port)})"
    )


def _families(context: SessionContext) -> str:
    return f"Not the protocol of this connection, use ({context.connector.family})."


@verbs.add("PORT", ArgumentKind.TEXT, rfc="959 4.1.2", syntax="<h1,h2,h3,h4,p1,p2>")
async def port(context: SessionContext, text: str) -> Reply:
    """Set an IPv4 address of the client for the next, active data connection."""
    return _active(context, parse_port(text))


@verbs.add(
    "EPRT", ArgumentKind.TEXT, rfc="2428 2", syntax="|<1|2>|<address>|<port>|", feature="EPRT"
)
async def extended_port(context: SessionContext, text: str) -> Reply:
    """Set an IPv4 or IPv6 address of the client for the next, active data connection."""
    return _active(context, parse_eprt(text))


def _active(context: SessionContext, target: HostPort) -> Reply:
    if context.parameters.extended_only:
        raise ReplyError(codes.BAD_SEQUENCE, ONLY_EPSV_TEXT)
    try:
        context.connector.active(target)
    except WrongFamily:
        raise ReplyError(codes.BAD_FAMILY, _families(context)) from None
    except PeerRefused:
        raise ReplyError(
            codes.BAD_PARAMETER, "Only to your own address and a port from 1024 up."
        ) from None
    return reply(codes.OK, "Data connections go there.")
