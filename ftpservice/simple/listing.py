"""LIST: the entries of a directory sorted by name, after their number and total size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice

from ftpservice.session.context import SessionContext
from ftpservice.simple.error_answers import AnswerError
from ftpservice.simple.line_stream import LineStream
from ftpservice.storage.links import directory_or_itself
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.simple import ErrorCode, SimpleListFormatter, answer

__all__ = ["list_path"]

MAX_ENTRIES = 1_000_000
"""The largest directory that is listed: all its entries are in memory at once."""
ENTRIES_PER_TURN = 500
"""Lines that are merged in one step."""

Row = tuple[str, str]
"""A name and its line."""


async def list_path(context: SessionContext, stream: LineStream, path: VirtualPath) -> None:
    """Answer with the entries of a directory, or with one file.

    Raises `StorageError`, `AnswerError`.
    """
    entry = await directory_or_itself(context.storage, path)
    formatter = SimpleListFormatter()
    if entry.kind is not Kind.DIRECTORY:
        rows, total = _rows([entry], formatter)
        await _send(context, stream, [rows], total)
        return
    await _list_directory(context, stream, path, formatter)


async def _list_directory(
    context: SessionContext, stream: LineStream, path: VirtualPath, formatter: SimpleListFormatter
) -> None:
    batches: list[list[Row]] = []
    count = total = 0
    listing = await context.storage.open_listing(path)
    try:
        while batch := await listing.next_batch():
            rows, size = await context.services.time_budget.run_when_due(_rows, batch, formatter)
            batches.append(rows)
            total += size
            count += len(rows)
            if count > MAX_ENTRIES:
                raise AnswerError(ErrorCode.INTERNAL, f"more than {MAX_ENTRIES} entries")
    finally:
        listing.close()
    await _send(context, stream, batches, total)


def _rows(batch: Iterable[Entry], formatter: SimpleListFormatter) -> tuple[list[Row], int]:
    """Return the sorted rows of a batch, and the total size of its files."""
    rows, total = [], 0
    for entry in batch:
        line = formatter.line(entry)
        if line is not None:
            rows.append((entry.name, line))
            total += entry.size if entry.kind is Kind.FILE else 0
    rows.sort()
    return rows, total


async def _send(
    context: SessionContext, stream: LineStream, batches: list[list[Row]], total: int
) -> None:
    """Merge and send sorted batches, in steps of the time budget."""
    await stream.send(answer(f"{sum(map(len, batches))} {total}"))
    rows = merge(*batches) if len(batches) > 1 else iter(batches[0] if batches else [])
    while text := await context.services.time_budget.run_when_due(_next_lines, rows):
        await stream.send(text)


def _next_lines(rows: Iterator[Row]) -> bytes:
    return "".join([line for _name, line in islice(rows, ENTRIES_PER_TURN)]).encode("utf-8")
