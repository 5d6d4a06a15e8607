"""The one place that chooses how the bytes of a transfer move.

A file of the operating system goes to a plain connection by the kernel alone, to one under TLS by
way of one buffer, and so it comes; a small one goes in one piece. Everything else goes through the
generic pumps: text, records, what is throttled or digested on its way, storages that are no file.
None of these functions ends the connection, the reading or the writing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeGuard

from ftpservice.concurrency.time_budget import Turns
from ftpservice.data.ascii_transfer import Stream, TextInflow, TextOutflow
from ftpservice.storage.interfaces import ICached, IReading, ISpliced, IWriting
from ftpservice.stream.connection import Cut, DataConnection
from ftpservice.stream.pump import pump_in, pump_out
from ftpservice.stream.rate_limit import Throttles
from ftpservice.stream.rate_limited import Paced
from ftpservice.stream.sendfile import CachedFile
from ftpservice.wire.record_structure import BadRecords

__all__ = ["SMALL", "Representation", "Stream", "paced", "receive_file", "send_chunks", "send_file"]

SMALL = 64 * 1024
"""Bytes of a file that are read and sent: it takes fewer calls than a `send_file`."""


class Representation(Protocol):
    """How a file is represented on the wire (TYPE, STRU)."""

    @property
    def ascii(self) -> bool:
        """Whether it is text, its lines ended by CRLF."""

    @property
    def records(self) -> bool:
        """Whether it is text as records (RFC 959 §3.4.1)."""

    @property
    def turns(self) -> Turns:
        """Among whose work text is converted."""


def paced(connection: DataConnection, throttles: Throttles | None) -> Stream:
    """Return the connection as it is used by a transfer with these limits of speed."""
    return connection if throttles is None else Paced(connection, throttles)


def _as_they_are(connection: Stream, representation: Representation) -> TypeGuard[DataConnection]:
    """Tell whether the bytes go over the wire as they are in a file, as fast as they can."""
    moves = isinstance(connection, DataConnection) and connection.moves_files
    return moves and not representation.ascii


async def send_file(
    reading: IReading,
    connection: Stream,
    offset: int,
    end: int | None,
    representation: Representation,
) -> int:
    """Send the bytes of a file from ``offset`` to ``end`` (or its end); returns their number.

    Raises `Cut`, also when the file turns out shorter than it was, and `StorageError`.
    """
    size: int = reading.entry.size
    last = size if end is None else min(end, size)
    file = ICached(reading, None)
    if file is not None and _as_they_are(connection, representation):
        moved = await _send_open_file(reading, file, connection, (offset, last))
    elif not representation.ascii:
        moved = await pump_out(reading.read, connection, offset, end)
    else:
        text = TextOutflow(connection, representation.turns, representation.records)
        moved = await pump_out(reading.read, text, offset, end)
        if moved >= last - offset:
            await text.finish()
    if moved < last - offset:
        raise Cut("the file became shorter while it was sent")
    return moved


async def _send_open_file(
    reading: IReading, file: CachedFile, connection: DataConnection, span: tuple[int, int]
) -> int:
    """Send a file of the operating system: a small one in one piece, others by the kernel."""
    offset, last = span
    if last - offset > SMALL:
        return await connection.send_file(file, span)
    data: bytes = await reading.read(offset, last - offset)
    if data:
        await connection.write(data)
    return len(data)


async def receive_file(
    connection: Stream, writing: IWriting, representation: Representation
) -> int:
    """Write what comes until the peer's FIN; returns the number of bytes written.

    Raises `Cut`, also when records end before the file does, and `StorageError`.
    """
    spliced = ISpliced(writing, None)
    if spliced is not None and _as_they_are(connection, representation):
        return await _receive_open_file(connection, writing, spliced)
    if not representation.ascii:
        return await pump_in(connection, writing.write)
    text = TextInflow(connection, representation.turns, representation.records)
    try:
        return await pump_in(text, writing.write)
    except BadRecords as error:
        raise Cut(str(error)) from error


async def _receive_open_file(
    connection: DataConnection, writing: IWriting, spliced: ISpliced
) -> int:
    """Receive a small file by reading it, and what is beyond that by the kernel alone."""
    moved = 0
    while moved < SMALL:
        data = await connection.read()
        if not data:
            return moved
        moved += len(data)
        await writing.write(data)
    if rest := connection.take():
        moved += len(rest)
        await writing.write(rest)
    return moved + await connection.receive_file(spliced.exclusively)


async def send_chunks(connection: DataConnection, chunks: AsyncIterator[bytes]) -> int:
    """Send what an iterator makes, as fast as it is taken; returns the number of bytes."""
    moved = 0
    async for chunk in chunks:
        await connection.write(chunk)
        moved += len(chunk)
    return moved
