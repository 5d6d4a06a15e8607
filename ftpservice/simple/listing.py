"""LIST: everything of one directory, sorted by name, its number and bytes told first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice

from ftpservice.session.context import SessionContext
from ftpservice.simple.error_answers import AnswerError
from ftpservice.simple.line_stream import LineStream
from ftpservice.storage.errors import Denied
from ftpservice.storage.links import directory_or_itself
from ftpservice.storage.rights import Right
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.simple import ErrorCode, SimpleListFormatter, answer

__all__ = ["list_path"]

MAX_ENTRIES = 1_000_000
"""Entries of a directory that is listed: all of them are in memory at a time."""
ENTRIES_PER_TURN = 500
"""Lines that are put in order in one step."""

Row = tuple[str, str]
"""A name and its line."""


async def list_path(context: SessionContext, stream: LineStream, path: VirtualPath) -> None:
    """Answer with what is in a directory, or with one file.

    Raises `StorageError`, `AnswerError`.
    """
    entry = await directory_or_itself(context.storage, path)
    form = SimpleListFormatter()
    if entry.kind is not Kind.DIRECTORY:
        rows, total = _rows([entry], form)
        await _say(context, stream, [rows], total)
        return
    if Right.LIST not in context.account.rights:
        raise Denied(path)
    await _list_directory(context, stream, path, form)


async def _list_directory(
    context: SessionContext, stream: LineStream, path: VirtualPath, form: SimpleListFormatter
) -> None:
    batches: list[list[Row]] = []
    count = total = 0
    listing = await context.storage.open_listing(path)
    try:
        while batch := await listing.next_batch():
            rows, size = await context.services.turns.run_when_due(_rows, batch, form)
            batches.append(rows)
            total += size
            count += len(rows)
            if count > MAX_ENTRIES:
                raise AnswerError(ErrorCode.INTERNAL, f"more than {MAX_ENTRIES} entries")
    finally:
        listing.close()
    await _say(context, stream, batches, total)


def _rows(batch: Iterable[Entry], form: SimpleListFormatter) -> tuple[list[Row], int]:
    """Return the rows of a batch, sorted, and the bytes of its files."""
    rows, total = [], 0
    for entry in batch:
        line = form.line(entry)
        if line is not None:
            rows.append((entry.name, line))
            total += entry.size if entry.kind is Kind.FILE else 0
    rows.sort()
    return rows, total


async def _say(
    context: SessionContext, stream: LineStream, batches: list[list[Row]], total: int
) -> None:
    """Send sorted batches as one; others have their turns in between."""
    await stream.say(answer(f"{sum(map(len, batches))} {total}"))
    rows = merge(*batches) if len(batches) > 1 else iter(batches[0] if batches else [])
    while text := await context.services.turns.run_when_due(_next_lines, rows):
        await stream.say(text)


def _next_lines(rows: Iterator[Row]) -> bytes:
    return "".join([line for _name, line in islice(rows, ENTRIES_PER_TURN)]).encode("utf-8")
