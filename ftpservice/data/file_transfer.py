"""How the bytes of a transfer move: the one place that chooses.

- TYPE I, a file of the operating system: the first `SMALL_FILE_SIZE` bytes are read and sent, or
  received and written, which takes the fewest calls; the rest is moved by the kernel, under TLS
  through one buffer. Pieces of files (`IPiecewiseReading`) are sent in the same way; without TLS
  the kernel also forwards what another socket receives for them.
- Everything else is pumped chunk by chunk: text, records, transfers with a rate limit, uploads
  with a digest, storages without files of the operating system.

None of these functions closes the connection, the reading or the writing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable

from ftpservice.data.ascii_transfer import TextFormat, TextReceiver, TextSender, TransferStream
from ftpservice.storage.interfaces import (
    IPiecewiseReading,
    IReading,
    ISendfileSource,
    ISpliceTarget,
    IWriting,
)
from ftpservice.stream.connection import (
    SMALL_FILE_SIZE,
    StreamConnection,
    TransferAborted,
    read_then_splice,
)
from ftpservice.stream.pump import pump_from_connection, pump_to_connection
from ftpservice.stream.rate_limit import RateLimiters
from ftpservice.stream.rate_limited import RateLimitedStream
from ftpservice.wire.record_structure import BadRecordStructure

__all__ = [
    "TransferStream",
    "rate_limited",
    "receive_file",
    "send_chunks",
    "send_file",
]


def rate_limited(connection: StreamConnection, limits: RateLimiters | None) -> TransferStream:
    """Return the connection as a transfer with these rate limits uses it."""
    return connection if limits is None else RateLimitedStream(connection, limits)


async def send_file(
    reading: IReading,
    connection: TransferStream,
    offset: int,
    end: int | None,
    text: TextFormat | None = None,
) -> int:
    """Send the bytes of a file from ``offset`` to ``end`` (or its end); returns their number.

    With ``text`` they are converted (TYPE A). Raises `TransferAborted`, also when the file became
    shorter, and `StorageError`.
    """
    size: int = reading.entry.size
    last = size if end is None else min(end, size)
    file = ISendfileSource(reading, None) if text is None else None
    if file is not None and last - offset <= SMALL_FILE_SIZE:
        data: bytes = await reading.read(offset, last - offset)
        if data:
            await connection.write(data)
        moved = len(data)
    elif (
        file is not None
        and isinstance(connection, StreamConnection)
        and connection.supports_file_transfer
    ):
        moved = await connection.send_file(file, (offset, last))
    elif text is None:
        moved = await _send_pieces(reading, connection, (offset, last), end)
    else:
        sender = TextSender(connection, text)
        moved = await pump_to_connection(reading.read, sender, offset, end)
        if moved >= last - offset:
            await sender.finish()
    if moved < last - offset:
        raise TransferAborted("the file became shorter while it was sent")
    return moved


async def _send_pieces(
    reading: IReading, connection: TransferStream, span: tuple[int, int], end: int | None
) -> int:
    """Send what is no file of the operating system, but may come in pieces that are files."""
    offset, last = span
    pieces = None
    if (
        last - offset > SMALL_FILE_SIZE
        and isinstance(connection, StreamConnection)
        and connection.supports_file_transfer
    ):
        pieces = IPiecewiseReading(reading, None)
    if pieces is None:
        return await pump_to_connection(reading.read, connection, offset, end)
    assert isinstance(connection, StreamConnection)
    position = offset
    while position < last:
        can_forward = connection.has_plaintext_socket
        coming = await pieces.forwarded(position, last) if can_forward else None
        if coming is not None:
            source, count = coming
            position += await connection.send_file(source, (0, count))
            continue
        file, start, stop = await pieces.piece(position)
        stop = min(stop, start + last - position)
        sent = await connection.send_file(file, (start, stop))
        position += sent
        if sent < stop - start:
            break
    return position - offset


def receive_file(
    connection: TransferStream, writing: IWriting, text: TextFormat | None = None
) -> Awaitable[int]:
    """Write what arrives until the peer's FIN; returns the number of bytes written.

    With ``text`` they are converted (TYPE A). Raises `TransferAborted`, also when records end
    before the file does, and `StorageError`.
    """
    if text is not None:
        return _receive_text(connection, writing, text)
    if not isinstance(connection, StreamConnection):
        return pump_from_connection(connection, writing.write)
    target = ISpliceTarget(writing, None)
    with_descriptor = None if target is None else target.with_descriptor
    return read_then_splice(connection, writing.write, with_descriptor)


async def _receive_text(connection: TransferStream, writing: IWriting, text: TextFormat) -> int:
    try:
        return await pump_from_connection(TextReceiver(connection, text), writing.write)
    except BadRecordStructure as error:
        raise TransferAborted(str(error)) from error


async def send_chunks(connection: StreamConnection, chunks: AsyncIterator[bytes]) -> int:
    """Send what an iterator yields, as fast as it is taken; returns the number of bytes."""
    moved = 0
    async for chunk in chunks:
        await connection.write(chunk)
        moved += len(chunk)
    return moved
