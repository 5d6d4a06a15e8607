"""The one place that chooses how the bytes of a transfer move.

A file of the operating system goes to a plain connection by the kernel alone, to one under TLS by
way of one buffer, and so it comes; a small one goes in one piece. Everything else goes through the
generic pumps: text, records, what is throttled or digested on its way, storages that are no file.
None of these functions ends the connection, the reading or the writing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeGuard

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.data.ascii_transfer import TextReceiver, TextSender, TransferStream
from ftpservice.storage.interfaces import IReading, ISendfileSource, ISpliceTarget, IWriting
from ftpservice.stream.connection import StreamConnection, TransferAborted
from ftpservice.stream.pump import pump_from_connection, pump_to_connection
from ftpservice.stream.rate_limit import RateLimiters
from ftpservice.stream.rate_limited import RateLimitedStream
from ftpservice.stream.sendfile import PageCachedFile
from ftpservice.wire.record_structure import BadRecordStructure

__all__ = [
    "SMALL_FILE_SIZE",
    "TransferRepresentation",
    "TransferStream",
    "rate_limited",
    "receive_file",
    "send_chunks",
    "send_file",
]

SMALL_FILE_SIZE = 64 * 1024
"""Bytes of a file that are read and sent: it takes fewer calls than a `send_file`."""


class TransferRepresentation(Protocol):
    """How a file is represented on the wire (TYPE, STRU)."""

    @property
    def ascii(self) -> bool:
        """Whether it is text, its lines ended by CRLF."""

    @property
    def records(self) -> bool:
        """Whether it is text as records (RFC 959 §3.4.1)."""

    @property
    def turns(self) -> TimeBudget:
        """Among whose work text is converted."""


def rate_limited(connection: StreamConnection, throttles: RateLimiters | None) -> TransferStream:
    """Return the connection as it is used by a transfer with these limits of speed."""
    return connection if throttles is None else RateLimitedStream(connection, throttles)


def _as_they_are(
    connection: TransferStream, representation: TransferRepresentation
) -> TypeGuard[StreamConnection]:
    """Tell whether the bytes go over the wire as they are in a file, as fast as they can."""
    moves = isinstance(connection, StreamConnection) and connection.supports_file_transfer
    return moves and not representation.ascii


async def send_file(
    reading: IReading,
    connection: TransferStream,
    offset: int,
    end: int | None,
    representation: TransferRepresentation,
) -> int:
    """Send the bytes of a file from ``offset`` to ``end`` (or its end); returns their number.

    Raises `TransferAborted`, also when the file turns out shorter than it was, and `StorageError`.
    """
    size: int = reading.entry.size
    last = size if end is None else min(end, size)
    file = ISendfileSource(reading, None)
    if file is not None and _as_they_are(connection, representation):
        moved = await _send_open_file(reading, file, connection, (offset, last))
    elif not representation.ascii:
        moved = await pump_to_connection(reading.read, connection, offset, end)
    else:
        text = TextSender(connection, representation.turns, representation.records)
        moved = await pump_to_connection(reading.read, text, offset, end)
        if moved >= last - offset:
            await text.finish()
    if moved < last - offset:
        raise TransferAborted("the file became shorter while it was sent")
    return moved


async def _send_open_file(
    reading: IReading, file: PageCachedFile, connection: StreamConnection, span: tuple[int, int]
) -> int:
    """Send a file of the operating system: a small one in one piece, others by the kernel."""
    offset, last = span
    if last - offset > SMALL_FILE_SIZE:
        return await connection.send_file(file, span)
    data: bytes = await reading.read(offset, last - offset)
    if data:
        await connection.write(data)
    return len(data)


async def receive_file(
    connection: TransferStream, writing: IWriting, representation: TransferRepresentation
) -> int:
    """Write what comes until the peer's FIN; returns the number of bytes written.

    Raises `TransferAborted`, also when records end before the file does, and `StorageError`.
    """
    spliced = ISpliceTarget(writing, None)
    if spliced is not None and _as_they_are(connection, representation):
        return await _receive_open_file(connection, writing, spliced)
    if not representation.ascii:
        return await pump_from_connection(connection, writing.write)
    text = TextReceiver(connection, representation.turns, representation.records)
    try:
        return await pump_from_connection(text, writing.write)
    except BadRecordStructure as error:
        raise TransferAborted(str(error)) from error


async def _receive_open_file(
    connection: StreamConnection, writing: IWriting, spliced: ISpliceTarget
) -> int:
    """Receive a small file by reading it, and what is beyond that by the kernel alone."""
    moved = 0
    while moved < SMALL_FILE_SIZE:
        data = await connection.read()
        if not data:
            return moved
        moved += len(data)
        await writing.write(data)
    if rest := connection.take():
        moved += len(rest)
        await writing.write(rest)
    return moved + await connection.receive_file(spliced.exclusively)


async def send_chunks(connection: StreamConnection, chunks: AsyncIterator[bytes]) -> int:
    """Send what an iterator makes, as fast as it is taken; returns the number of bytes."""
    moved = 0
    async for chunk in chunks:
        await connection.write(chunk)
        moved += len(chunk)
    return moved
