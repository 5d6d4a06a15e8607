"""The one place that chooses how the bytes of a transfer move.

A file of the operating system goes to a plain connection by the kernel alone, to one under TLS by
way of one buffer, and so it comes; a small one goes in one piece. Everything else goes through the
generic pumps: text, records, what is throttled or digested on its way, storages that are no file.
None of these functions ends the connection, the reading or the writing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

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
    """How a text file is represented on the wire (TYPE A, STRU)."""

    @property
    def records(self) -> bool:
        """Whether it is text as records (RFC 959 §3.4.1)."""

    @property
    def turns(self) -> TimeBudget:
        """Among whose work text is converted."""


def rate_limited(connection: StreamConnection, throttles: RateLimiters | None) -> TransferStream:
    """Return the connection as it is used by a transfer with these limits of speed."""
    return connection if throttles is None else RateLimitedStream(connection, throttles)


async def send_file(
    reading: IReading,
    connection: TransferStream,
    offset: int,
    end: int | None,
    text: TransferRepresentation | None,
) -> int:
    """Send the bytes of a file from ``offset`` to ``end`` (or its end); returns their number.

    ``text``: how lines are represented (TYPE A); None for bytes as they are (TYPE I).

    Raises `TransferAborted`, also when the file turns out shorter than it was, and `StorageError`.
    """
    size: int = reading.entry.size
    last = size if end is None else min(end, size)
    file = ISendfileSource(reading, None)
    if text is not None:
        sender = TextSender(connection, text.turns, text.records)
        moved = await pump_to_connection(reading.read, sender, offset, end)
        if moved >= last - offset:
            await sender.finish()
    elif (
        file is not None
        and isinstance(connection, StreamConnection)
        and connection.supports_file_transfer
    ):
        moved = await _send_open_file(reading, file, connection, (offset, last))
    else:
        moved = await pump_to_connection(reading.read, connection, offset, end)
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
    connection: TransferStream, writing: IWriting, text: TransferRepresentation | None
) -> int:
    """Write what arrives until the peer's FIN; returns the number of bytes written.

    ``text``: how lines are represented (TYPE A); None for bytes as they are (TYPE I).

    Raises `TransferAborted`, also when records end before the file does, and `StorageError`.
    """
    if text is None:
        target = ISpliceTarget(writing, None)
        if (
            target is not None
            and isinstance(connection, StreamConnection)
            and connection.supports_file_transfer
        ):
            return await _receive_open_file(connection, writing, target)
        return await pump_from_connection(connection, writing.write)
    receiver = TextReceiver(connection, text.turns, text.records)
    try:
        return await pump_from_connection(receiver, writing.write)
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
