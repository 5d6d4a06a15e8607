"""Text over a data connection: converted piece by piece, in between the work of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ftpservice.concurrency.time_budget import Turns
from ftpservice.stream.connection import DataConnection
from ftpservice.stream.rate_limited import Paced
from ftpservice.wire.ascii import FromNetwork, ToNetwork
from ftpservice.wire.record_structure import FromRecords, ToRecords

__all__ = ["Stream", "TextInflow", "TextOutflow"]

Stream = DataConnection | Paced
"""What a file is sent to or received from."""

LINES_PIECE = 64 * 1024
RECORDS_PIECE = 8 * 1024
"""Bytes that are converted in less than a millisecond, whatever they are."""


class Translation(Protocol):
    """Turns a stream that comes in pieces into another."""

    def translate(self, data: bytes) -> bytes:
        """Return what is certain after this piece."""

    def finish(self) -> bytes:
        """Return the rest: the stream has ended."""


class Converter:
    """A translation that is done in turns."""

    def __init__(self, translation: Translation, piece: int, turns: Turns) -> None:
        self._translation = translation
        self._piece = piece
        self._turns = turns

    async def convert(self, data: bytes) -> bytes:
        """Return what is certain after ``data``."""
        translate, do = self._translation.translate, self._turns.do
        if len(data) <= self._piece:
            return await do(translate, data)
        return b"".join([await do(translate, piece) for piece in self._pieces(data)])

    def finish(self) -> bytes:
        """Return the rest."""
        return self._translation.finish()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), self._piece):
            yield data[start : start + self._piece]


class TextOutflow:
    """A connection to write the text of a file to."""

    def __init__(self, connection: Stream, turns: Turns, records: bool) -> None:
        self._connection = connection
        self._converter = (
            Converter(ToRecords(), RECORDS_PIECE, turns)
            if records
            else Converter(ToNetwork(), LINES_PIECE, turns)
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


class TextInflow:
    """A connection to read the text of a file from."""

    def __init__(self, connection: Stream, turns: Turns, records: bool) -> None:
        self._connection = connection
        self._converter = (
            Converter(FromRecords(), RECORDS_PIECE, turns)
            if records
            else Converter(FromNetwork(), LINES_PIECE, turns)
        )

    async def read(self) -> bytes:
        """Return text; empty at the end. Raises `Cut` and `BadRecords`."""
        while data := await self._connection.read():
            if text := await self._converter.convert(data):
                return text
        return self._converter.finish()
