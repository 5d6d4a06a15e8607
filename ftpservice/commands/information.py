"""Informational commands: SYST, STAT, OPTS and others (RFC 959 §4.1.3, RFC 2389, RFC 2640)."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ftpservice.commands.listings import listing_lines
from ftpservice.commands.partial_uploads import partials_summary
from ftpservice.session.context import NOT_LOGGED_IN, SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.rights import Right
from ftpservice.wire import codes
from ftpservice.wire.digests import ALGORITHMS
from ftpservice.wire.facts import choose_facts
from ftpservice.wire.replies import Reply, reply
from ftpservice.wire.units import bytes_text

__all__ = ["report_lines", "verbs"]

verbs = VerbTable()


@verbs.add("SYST", rfc="959 4.1.3", login=False)
async def system(_context: SessionContext, _none: None) -> Reply:
    """Return the system type, from which clients infer the format of LIST."""
    return reply(codes.SYSTEM_TYPE, "UNIX Type: L8")


@verbs.add(
    "NOOP", ArgumentKind.OPTIONAL_TEXT, rfc="959 4.1.3", login=False, allowed_during_transfer=True
)
async def nothing(_context: SessionContext, _text: str | None) -> Reply:
    """Do nothing."""
    return reply(codes.OK, "NOOP is done.")


@verbs.add(
    "STAT",
    ArgumentKind.OPTIONAL_TEXT,
    rfc="959 4.1.3",
    syntax="[<path>]",
    login=False,
    allowed_during_transfer=True,
)
async def status(context: SessionContext, argument: str | None) -> Reply:
    """Return the state of the session and its transfer, or list a path in the reply."""
    if argument is None:
        lines = _status_lines(context)
        if context.portal_login.account is not None and context.running is None:
            lines += filter(None, [await partials_summary(context)])
        return reply(codes.SYSTEM_STATUS, "Status:", *lines, "End of status.")
    if context.account is NOT_LOGGED_IN:
        raise ReplyError(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")
    lines = await listing_lines(context, argument)
    return reply(codes.FILE_STATUS, "Listing:", *(f" {line}" for line in lines), "End.")


def _status_lines(context: SessionContext) -> list[str]:
    account, parameters = context.portal_login.account, context.parameters
    lines = [f" Connected from {context.peer.label}."]
    if account is None:
        lines.append(" Not logged in.")
    else:
        lines.append(f" Logged in as {account.name}, in {context.directory.quoted()}.")
    if context.tls_state.control:
        data = "TLS" if context.tls_state.data else "plaintext"
        lines.append(f" Control connection: {context.tls_state.description}; data: {data}.")
    kind = "ASCII" if parameters.ascii else "binary"
    structure = "record" if parameters.records else "file"
    lines.append(f" Type {kind}, structure {structure}, mode stream.")
    running = context.running
    if running is None:
        lines.append(" No transfer in progress.")
    else:
        lines.append(f" In progress: {running.what}, {bytes_text(running.moved)} so far.")
    return lines


@verbs.add(
    "CLNT", ArgumentKind.TEXT, rfc="(in use)", syntax="<client>", login=False, feature="CLNT"
)
async def client_name(_context: SessionContext, _name: str) -> Reply:
    """Name the client program."""
    return reply(codes.OK, "Noted.")


@verbs.add("LANG", ArgumentKind.OPTIONAL_TEXT, rfc="2640 4", syntax="[<language>]", login=False,
           feature="LANG EN*")  # fmt: skip
async def language(_context: SessionContext, tag: str | None) -> Reply:
    """Choose the language of replies; only English is available."""
    if tag is None or tag.lower() in ("en", "en-us", "en-gb"):
        return reply(codes.OK, "Replies are in English.")
    raise ReplyError(codes.BAD_PARAMETER, "Only EN is available.")


@verbs.add("OPTS", ArgumentKind.TEXT, rfc="2389 4", syntax="<verb> [<options>]", login=False)
async def options(context: SessionContext, text: str) -> Reply:
    """Set the options of MLST, UTF8 or HASH."""
    name, _space, value = text.lstrip().partition(" ")
    match name.upper():
        case "MLST":
            return _choose_facts(context, value)
        case "UTF8" | "UTF-8":
            return _utf8(value)
        case "HASH":
            return _choose_hash(context, value.strip())
        case _:
            raise ReplyError(codes.BAD_ARGUMENT, f"{name.upper()} has no options.")


def _choose_facts(context: SessionContext, value: str) -> Reply:
    context.parameters.facts = choose_facts(value)
    chosen = "".join(f"{fact};" for fact in context.parameters.facts)
    return reply(codes.OK, f"MLST OPTS {chosen}".rstrip())


def _utf8(value: str) -> Reply:
    if value.strip().upper() in ("", "ON", "NLST"):
        return reply(codes.OK, "Names are in UTF-8.")
    raise ReplyError(codes.BAD_PARAMETER, "Names are always in UTF-8.")


def _choose_hash(context: SessionContext, value: str) -> Reply:
    if value:
        if value.upper() not in ALGORITHMS:
            raise ReplyError(codes.BAD_PARAMETER, f"One of {', '.join(ALGORITHMS)}.")
        context.parameters.hash_algorithm = value.upper()
    return reply(codes.OK, context.parameters.hash_algorithm)


@verbs.add(
    "REPORT", ArgumentKind.OPTIONAL_TEXT, rfc="(ours)", syntax="[<since> [<until> [<user>]]]"
)
async def report(context: SessionContext, argument: str | None) -> Reply:
    """Report what has happened, today by default; needs the admin right."""
    lines = await report_lines(context, argument or "")
    return reply(codes.SYSTEM_STATUS, "Report:", *(f" {line}" for line in lines), "End of report.")


async def report_lines(context: SessionContext, argument: str) -> list[str]:
    """Return the lines of REPORT; raises `ReplyError`."""
    if Right.ADMIN not in context.account.rights:
        raise ReplyError(codes.FILE_UNAVAILABLE, "Only accounts with the admin right may do that.")
    since, until, user = (*argument.split(None, 2), "", "", "")[:3]
    try:
        lines = context.services.event_sink.report(since, until, user)
        return await lines if isinstance(lines, Deferred) else lines
    except ValueError as error:
        raise ReplyError(codes.BAD_ARGUMENT, f"{error}.") from None
