"""Text over a data connection: converted piece by piece, in between the work of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.rate_limited import RateLimitedStream
from ftpservice.wire.ascii import CRLFToLF, LFToCRLF
from ftpservice.wire.record_structure import RecordDecoder, RecordEncoder

__all__ = ["TextReceiver", "TextSender", "TransferStream"]

TransferStream = StreamConnection | RateLimitedStream
"""What a file is sent to or received from."""

ASCII_CHUNK_SIZE = 64 * 1024
RECORD_CHUNK_SIZE = 8 * 1024
"""Bytes that are converted in less than a millisecond, whatever they are."""


class StreamTranslation(Protocol):
    """Turns a stream that comes in pieces into another."""

    def translate(self, data: bytes) -> bytes:
        """Return what is certain after this piece."""

    def finish(self) -> bytes:
        """Return the rest: the stream has ended."""


class StreamConverter:
    """A translation that is done in turns."""

    def __init__(self, translation: StreamTranslation, piece: int, turns: TimeBudget) -> None:
        self._translation = translation
        self._piece = piece
        self._turns = turns

    async def convert(self, data: bytes) -> bytes:
        """Return what is certain after ``data``."""
        translate, do = self._translation.translate, self._turns.run_when_due
        if len(data) <= self._piece:
            return await do(translate, data)
        return b"".join([await do(translate, piece) for piece in self._pieces(data)])

    def finish(self) -> bytes:
        """Return the rest."""
        return self._translation.finish()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), self._piece):
            yield data[start : start + self._piece]


class TextSender:
    """A connection to write the text of a file to."""

    def __init__(self, connection: TransferStream, turns: TimeBudget, records: bool) -> None:
        self._connection = connection
        self._converter = (
            StreamConverter(RecordEncoder(), RECORD_CHUNK_SIZE, turns)
            if records
            else StreamConverter(LFToCRLF(), ASCII_CHUNK_SIZE, turns)
        )

    @property
    def chunk(self) -> int:
        """Bytes to move at a time."""
        return self._connection.chunk

    async def write(self, data: bytes) -> None:
        """Send text, and wait until more would be welcome; raises `Cut`."""
        await self._connection.write(await self._converter.convert(data))

    async def finish(self) -> None:
        """Send what goes behind the last of it; raises `Cut`."""
        if rest := self._converter.finish():
            await self._connection.write(rest)


class TextReceiver:
    """A connection to read the text of a file from."""

    def __init__(self, connection: TransferStream, turns: TimeBudget, records: bool) -> None:
        self._connection = connection
        self._converter = (
            StreamConverter(RecordDecoder(), RECORD_CHUNK_SIZE, turns)
            if records
            else StreamConverter(CRLFToLF(), ASCII_CHUNK_SIZE, turns)
        )

    async def read(self) -> bytes:
        """Return text; empty at the end. Raises `Cut` and `BadRecordStructure`."""
        while data := await self._connection.read():
            if text := await self._converter.convert(data):
                return text
        return self._converter.finish()
