"""Text over a data connection (TYPE A), converted in pieces, between the work of other sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.rate_limited import RateLimitedStream
from ftpservice.wire.ascii import CRLFToLF, LFToCRLF
from ftpservice.wire.record_structure import RecordDecoder, RecordEncoder

__all__ = ["TextFormat", "TextReceiver", "TextSender", "TransferStream"]

TransferStream = StreamConnection | RateLimitedStream
"""What a file is sent to or received from."""

LINES_PIECE_SIZE = 64 * 1024
RECORDS_PIECE_SIZE = 8 * 1024
"""Bytes that are converted in less than a millisecond, whatever they are."""


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How text is represented on the wire: lines that end with CRLF, or records."""

    records: bool
    """Whether it is records (STRU R, RFC 959 §3.4.1)."""
    time_budget: TimeBudget
    """The time budget that conversion is charged to."""


class StreamTranslation(Protocol):
    """Converts a stream that arrives in pieces."""

    def translate(self, data: bytes) -> bytes:
        """Return what is certain after this piece."""

    def finish(self) -> bytes:
        """Return the rest: the stream has ended."""


async def _convert(
    translation: StreamTranslation, data: bytes, piece_size: int, time_budget: TimeBudget
) -> bytes:
    """Return what is certain after ``data``, converted when there is time for each piece."""
    if len(data) <= piece_size:
        return await time_budget.run_when_due(translation.translate, data)
    pieces = [data[start : start + piece_size] for start in range(0, len(data), piece_size)]
    return b"".join(
        [await time_budget.run_when_due(translation.translate, piece) for piece in pieces]
    )


class TextSender:
    """A connection to write the text of a file to."""

    def __init__(self, connection: TransferStream, text: TextFormat) -> None:
        self._connection = connection
        self._time_budget = text.time_budget
        self._piece_size = RECORDS_PIECE_SIZE if text.records else LINES_PIECE_SIZE
        self._translation: StreamTranslation = RecordEncoder() if text.records else LFToCRLF()

    @property
    def chunk(self) -> int:
        """Bytes to move at a time."""
        return self._connection.chunk

    async def write(self, data: bytes) -> None:
        """Send text, and wait until more can be sent; raises `TransferAborted`."""
        converted = await _convert(self._translation, data, self._piece_size, self._time_budget)
        await self._connection.write(converted)

    async def finish(self) -> None:
        """Send what follows the last text; raises `TransferAborted`."""
        if rest := self._translation.finish():
            await self._connection.write(rest)


class TextReceiver:
    """A connection to read the text of a file from."""

    def __init__(self, connection: TransferStream, text: TextFormat) -> None:
        self._connection = connection
        self._time_budget = text.time_budget
        self._piece_size = RECORDS_PIECE_SIZE if text.records else LINES_PIECE_SIZE
        self._translation: StreamTranslation = RecordDecoder() if text.records else CRLFToLF()

    async def read(self) -> bytes:
        """Return text; empty at the end. Raises `TransferAborted` and `BadRecordStructure`."""
        while data := await self._connection.read():
            if text := await _convert(self._translation, data, self._piece_size, self._time_budget):
                return text
        return self._translation.finish()
