"""Listings over the data connection (RFC 959 §4.1.3, RFC 1123 §4.1.2.7, RFC 3659 §7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from ftpservice.commands.directory_scan import DirectoryScan, EntryBatch
from ftpservice.commands.listing_target import ListingTarget, find_target
from ftpservice.commands.transfer_job import TransferJob
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.data.channel import CannotOpenDataConnection, DataChannel
from ftpservice.data.file_transfer import send_chunks
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.directory_rights import IDirectoryRights, RightsTable
from ftpservice.storage.permissions import permission_facts
from ftpservice.stream.connection import StreamConnection
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.facts import FactFormatter
from ftpservice.wire.list_format import UnixListFormatter
from ftpservice.wire.ls_options import parse_ls_options
from ftpservice.wire.paths import VirtualPath

__all__ = ["listing_lines", "verbs"]

verbs = VerbTable()

BatchFormat = Callable[[EntryBatch], list[str]]
"""Returns the lines of a batch, without their ends."""

NO_LS_OPTIONS = parse_ls_options(None)[0]
MAX_STATUS_LINES = 2_000


def unix_format(context: SessionContext, target: ListingTarget) -> BatchFormat:
    """Return the format of LIST; the matches of a pattern have the prefix of their directory."""
    lines = UnixListFormatter(context.services.seconds()).lines
    if target.entry is not None and target.entry.kind is Kind.DIRECTORY:
        return lambda batch: lines(batch.entries)
    return lambda batch: lines(
        [entry._replace(name=batch.prefix + entry.name) for entry in batch.entries]
    )


def facts_format(context: SessionContext, directory: VirtualPath) -> BatchFormat:
    """Return the format of MLSD (RFC 3659 §7.2)."""
    facts, ruled = context.parameters.facts, IDirectoryRights(context.storage, None)
    table = None if ruled is None else ruled.table
    rights = context.account.rights if table is None else table.rights_at(directory)
    lines = FactFormatter(facts, partial(permission_facts, rights), directory).lines
    if table is None or not (fixed := table.fixed_names(directory)):
        return lambda batch: lines(batch.entries)
    return lambda batch: [
        _ruled_line(facts, table, directory, entry) if entry.name in fixed else lines((entry,))[0]
        for entry in batch.entries
    ]


def _ruled_line(
    facts: Sequence[str], table: RightsTable, directory: VirtualPath, entry: Entry
) -> str:
    """Return the line of MLSD for an entry with rights of its own."""
    permissions = partial(table.permissions, directory.child(entry.name))
    return FactFormatter(facts, permissions, directory).lines((entry,))[0]


def names_format(batch: EntryBatch) -> list[str]:
    """Return the lines of NLST."""
    prefix = batch.prefix
    return [prefix + entry.name for entry in batch.entries]


async def encode_batches(
    batches: AsyncGenerator[EntryBatch, None], form: BatchFormat, time_budget: TimeBudget
) -> AsyncGenerator[bytes, None]:
    """Format batches as bytes for the data connection; charges computation to ``time_budget``."""
    async with aclosing(batches) as source:
        async for batch in source:
            if text := await time_budget.run_when_due(_text, batch, form):
                yield text


def _text(batch: EntryBatch, form: BatchFormat) -> bytes:
    lines = [*batch.heading.split("\n"), *form(batch)] if batch.heading else form(batch)
    lines.append("")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


async def listing_lines(context: SessionContext, argument: str | None) -> list[str]:
    """Return a LIST as lines, for STAT; raises `ReplyError` if there are too many."""
    scan, target = await _look_up(context, argument)
    form, time_budget = unix_format(context, target), context.services.time_budget
    lines: list[str] = []
    async with aclosing(scan.run()) as batches:
        async for batch in batches:
            lines += await time_budget.run_when_due(form, batch)
            if len(lines) > MAX_STATUS_LINES:
                raise ReplyError(codes.FILE_UNAVAILABLE, "Too many entries for STAT; use LIST.")
    return lines


async def _look_up(
    context: SessionContext, argument: str | None
) -> tuple[DirectoryScan, ListingTarget]:
    options, name = parse_ls_options(argument)
    path = context.resolve(name)
    target = await find_target(context.storage, path, name or "", options)
    return DirectoryScan(context.storage, options, target, context.services.time_budget), target


class ListingJob(TransferJob):
    """Sends what a scan yields, as lines."""

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        verb: str,
        scan: DirectoryScan,
        form: BatchFormat,
    ) -> None:
        super().__init__(context, channel, verb, "Sending the listing.")
        if channel is not None and channel.problem:
            raise CannotOpenDataConnection(channel.problem)
        self._scan = scan
        self._form = form

    async def _move(self, connection: StreamConnection) -> str:
        chunks = encode_batches(self._scan.run(), self._form, self._context.services.time_budget)
        async with aclosing(chunks):
            await send_chunks(connection, chunks)
        await connection.finish()
        return "Listing complete."

    async def _end(self) -> None:
        self._scan.end()


T = TypeVar("T")


async def _listing(
    context: SessionContext,
    verb: str,
    look_up: Callable[[SessionContext, T], Awaitable[tuple[DirectoryScan, BatchFormat]]],
    argument: T,
) -> Transfer:
    """Return the transfer that sends a listing, once its first entries are read.

    REST, RANG and ALLO apply to the very next transfer, so a listing uses them up.
    """
    context.take_next_transfer()
    channel = context.connector.take()
    try:
        scan, form = await look_up(context, argument)
        try:
            await scan.begin()
            return ListingJob(context, channel, verb, scan, form)
        except BaseException:
            scan.end()
            raise
    except BaseException:
        if channel is not None:
            channel.close()
        raise


@verbs.add("LIST", ArgumentKind.OPTIONAL_TEXT, rfc="959 4.1.3",
           syntax="[-<switches>] [<path>]", moves_data=True)  # fmt: skip
async def list_directory(context: SessionContext, argument: str | None) -> Transfer:
    """List a directory, a file or a pattern as `ls -l` does."""
    return await _listing(context, "LIST", _unix_lines, argument)


@verbs.add("NLST", ArgumentKind.OPTIONAL_TEXT, rfc="959 4.1.3",
           syntax="[-<switches>] [<path>]", moves_data=True)  # fmt: skip
async def list_names(context: SessionContext, argument: str | None) -> Transfer:
    """List names, each as RETR takes it."""
    return await _listing(context, "NLST", _names, argument)


@verbs.add(
    "MLSD", ArgumentKind.OPTIONAL_PATH, rfc="3659 7", syntax="[<directory>]", moves_data=True
)
async def machine_list(context: SessionContext, path: VirtualPath) -> Transfer:
    """List a directory with facts for machines."""
    return await _listing(context, "MLSD", _facts, path)


async def _unix_lines(
    context: SessionContext, argument: str | None
) -> tuple[DirectoryScan, BatchFormat]:
    scan, target = await _look_up(context, argument)
    return scan, unix_format(context, target)


async def _names(
    context: SessionContext, argument: str | None
) -> tuple[DirectoryScan, BatchFormat]:
    scan, _target = await _look_up(context, argument)
    return scan, names_format


async def _facts(context: SessionContext, path: VirtualPath) -> tuple[DirectoryScan, BatchFormat]:
    entry = await context.storage.stat(path)
    if entry.kind is not Kind.DIRECTORY:
        raise ReplyError(codes.BAD_ARGUMENT, "Not a directory; use MLST for a file.")
    target = ListingTarget(path, "", entry)
    scan = DirectoryScan(context.storage, NO_LS_OPTIONS, target, context.services.time_budget)
    return scan, facts_format(context, path)


verbs.alias("LS", "LIST")
