"""Directories over the data connection (RFC 959 §4.1.3, RFC 1123 §4.1.2.7, RFC 3659 §7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from ftpservice.commands.directory_scan import Batch, Scan
from ftpservice.commands.listing_target import Found, find
from ftpservice.commands.transfer_job import Carriage
from ftpservice.concurrency.time_budget import Turns
from ftpservice.data.file_transfer import send_chunks
from ftpservice.session.context import Context
from ftpservice.session.error_replies import Refusal
from ftpservice.session.transfer import Progress, Transfer
from ftpservice.session.verb_table import Argument, VerbTable
from ftpservice.storage.errors import Denied
from ftpservice.storage.permissions import permission_facts
from ftpservice.storage.rights import Right
from ftpservice.stream.connection import DataConnection
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.facts import FactFormatter
from ftpservice.wire.list_format import UnixListing
from ftpservice.wire.ls_options import parse_switches
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply

__all__ = ["listing_lines", "verbs"]

verbs = VerbTable()

Format = Callable[[str, Entry], str]
"""Makes a line of the directory's name as the client knows it and an entry."""

PLAIN = parse_switches(None)[0]
MOST_STATUS_LINES = 2_000


def unix_format(context: Context, found: Found) -> Format:
    """Return the format of LIST; names are bare, but for those that a pattern found deeper."""
    line = UnixListing(context.services.seconds()).line
    if found.entry is not None and found.entry.kind is Kind.DIRECTORY:
        return lambda _prefix, entry: line(entry)
    return lambda prefix, entry: line(entry._replace(name=prefix + entry.name))


def facts_format(context: Context, directory: VirtualPath) -> Format:
    """Return the format of MLSD (RFC 3659 §7.2)."""
    line = FactFormatter(context.parameters.facts, directory).line
    rights = context.account.rights
    return lambda _prefix, entry: line(entry, permission_facts(rights, entry))


async def encoded(
    batches: AsyncGenerator[Batch, None], form: Format, turns: Turns
) -> AsyncGenerator[bytes, None]:
    """Turn batches into bytes for the data connection, in turns."""
    async with aclosing(batches) as source:
        async for batch in source:
            if text := await turns.do(_text, batch, form):
                yield text


def _text(batch: Batch, form: Format) -> bytes:
    heading = f"{batch.heading}\n".replace("\n", "\r\n") if batch.heading else ""
    text = heading + "".join([f"{line}\r\n" for line in _lines(batch, form)])
    return text.encode("utf-8", "surrogateescape")


def _lines(batch: Batch, form: Format) -> list[str]:
    return [form(batch.prefix, entry) for entry in batch.entries]


async def listing_lines(context: Context, argument: str | None) -> list[str]:
    """Return a LIST as lines, for STAT; raises `Refusal` when there are too many."""
    scan, found = await _looked_up(context, argument)
    try:
        return await _collected(scan, unix_format(context, found), context.services.turns)
    finally:
        scan.end()


async def _collected(scan: Scan, form: Format, turns: Turns) -> list[str]:
    lines: list[str] = []
    async with aclosing(scan.run()) as batches:
        async for batch in batches:
            lines += await turns.do(_lines, batch, form)
            if len(lines) > MOST_STATUS_LINES:
                raise Refusal(codes.REFUSED, "Too many entries for STAT; use LIST.")
    return lines


async def _looked_up(context: Context, argument: str | None) -> tuple[Scan, Found]:
    switches, name = parse_switches(argument)
    path = context.resolve(name)
    found = await find(context.storage, path, name or "", switches)
    is_listing = found.entry is None or found.entry.kind is Kind.DIRECTORY
    if is_listing and Right.LIST not in context.account.rights:
        raise Denied(path)
    return Scan(context.storage, switches, found, context.services.turns), found


async def _listed(context: Context, what: str, scan: Scan, form: Format) -> Transfer:
    """Return the transfer that sends a listing, once its first entries are read."""
    await scan.begin()
    try:
        carriage = Carriage(context, context.take_channel(), Progress(what, upload=False))
    except BaseException:
        scan.end()
        raise

    async def send(connection: DataConnection) -> str:
        async with aclosing(encoded(scan.run(), form, context.services.turns)) as chunks:
            await send_chunks(connection, chunks)
        await connection.finish()
        return "Listing complete."

    async def carry() -> Reply:
        try:
            return await carriage.carry(send)
        finally:
            scan.end()

    return Transfer(reply(codes.ABOUT_TO_OPEN, "Here comes the listing."), carriage.progress, carry)


async def _prepared(context: Context, work: Callable[[], Awaitable[Transfer]]) -> Transfer:
    """Make a transfer; when that fails, the prepared data connection ends with a FIN.

    A listing uses up what REST and ALLO said: they are about the very next transfer.
    """
    context.take_marks()
    try:
        return await work()
    except BaseException:
        channel = context.connector.take()
        if channel is not None:
            channel.close()
        raise


@verbs.add("LIST", Argument.OPTIONAL_TEXT, rfc="959 4.1.3",
           syntax="[-<switches>] [<path>]", moves_data=True)  # fmt: skip
async def list_directory(context: Context, argument: str | None) -> Transfer:
    """List a directory, a file or a pattern as `ls -l` does."""

    async def work() -> Transfer:
        scan, found = await _looked_up(context, argument)
        return await _listed(context, "LIST", scan, unix_format(context, found))

    return await _prepared(context, work)


@verbs.add("NLST", Argument.OPTIONAL_TEXT, rfc="959 4.1.3",
           syntax="[-<switches>] [<path>]", moves_data=True)  # fmt: skip
async def list_names(context: Context, argument: str | None) -> Transfer:
    """List names, each as RETR takes it."""

    async def work() -> Transfer:
        scan, _found = await _looked_up(context, argument)
        return await _listed(context, "NLST", scan, lambda prefix, entry: prefix + entry.name)

    return await _prepared(context, work)


@verbs.add("MLSD", Argument.OPTIONAL_PATH, rfc="3659 7", syntax="[<directory>]", moves_data=True)
async def machine_list(context: Context, path: VirtualPath) -> Transfer:
    """List a directory with facts for machines."""

    async def work() -> Transfer:
        entry = await context.storage.stat(path)
        if entry.kind is not Kind.DIRECTORY:
            raise Refusal(codes.BAD_ARGUMENT, "Not a directory; MLST tells of a file.")
        if Right.LIST not in context.account.rights:
            raise Denied(path)
        found = Found(path, "", entry)
        scan = Scan(context.storage, PLAIN, found, context.services.turns)
        return await _listed(context, "MLSD", scan, facts_format(context, path))

    return await _prepared(context, work)


verbs.alias("LS", "LIST")
