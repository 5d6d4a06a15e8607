"""From a connection to a target, and from a source to a connection, by the fastest way there is."""

from __future__ import annotations

from ftpservice.stream.connection import DataConnection
from ftpservice.stream.pump import pump_out
from ftpservice.stream.splice import State, Turn
from ftpservice_client.errors import Mismatch
from ftpservice_client.interfaces import Source, Target

__all__ = ["SMALL", "TooMuch", "fill", "pour"]

SMALL = 64 * 1024
"""Bytes of a file that are received and written in one piece."""
EXCESS = 1024 * 1024
"""Bytes beyond those that were expected that are received and dropped: a file may grow."""


class TooMuch(Exception):
    """The peer sends far more than it was expected to; what was expected is there."""


async def fill(target: Target, data: DataConnection, most: int | None) -> int:
    """Write what comes, to the peer's end, but no more than ``most`` bytes; the rest is dropped.

    Returns how many bytes came; raises `TooMuch` when they have no end.
    """
    moved = 0
    pieces: list[bytes] = []
    while piece := await data.read():
        pieces.append(_admitted(piece, moved, most))
        moved += len(piece)
        if moved > SMALL and target.exclusively is not None and data.moves_files:
            rest = data.take()
            pieces.append(_admitted(rest, moved, most))
            moved += len(rest)
            await target.write(b"".join(pieces))
            return moved + await _receive(target, data, None if most is None else most - moved)
        if moved > SMALL or target.exclusively is None:
            await target.write(b"".join(pieces))
            pieces.clear()
        _check(moved, most)
    if pieces:
        await target.write(b"".join(pieces))
    return moved


async def _receive(target: Target, data: DataConnection, most: int | None) -> int:
    """Have threads write what comes, and take away what is more than ``most`` bytes."""
    before, end = data.moved, target.written + max(0, most or 0)
    exclusively = target.exclusively
    assert exclusively is not None

    async def limited(turn: Turn) -> tuple[int, State]:
        result = await exclusively(turn)
        _check(data.moved - before, most)
        return result

    try:
        return await data.receive_file(limited)
    finally:
        if most is not None and target.written > end:
            await target.shorten(end)


def _admitted(piece: bytes, moved: int, most: int | None) -> bytes:
    """Return what belongs to the first ``most`` bytes, of which ``moved`` are there."""
    return piece if most is None or moved + len(piece) <= most else piece[: max(0, most - moved)]


def _check(moved: int, most: int | None) -> None:
    if most is not None and moved > most + EXCESS:
        raise TooMuch


async def pour(source: Source, data: DataConnection, offset: int) -> int:
    """Send what a source has from ``offset`` on; returns the bytes.

    Raises `Mismatch` when it turns out to have fewer than it said.
    """
    end = source.size
    if source.file is not None and end is not None and data.moves_files and end - offset > SMALL:
        moved = await data.send_file(source.file, (offset, end))
    elif end is not None and end - offset <= SMALL:
        moved = await _pour_little(source, data, offset, end)
    else:
        moved = await pump_out(source.read, data, offset, end)
    if end is not None and moved < end - offset:
        raise Mismatch("the file became shorter while it was sent")
    return moved


async def _pour_little(source: Source, data: DataConnection, offset: int, end: int) -> int:
    moved = 0
    while offset + moved < end and (
        piece := await source.read(offset + moved, end - offset - moved)
    ):
        await data.write(piece)
        moved += len(piece)
    return moved
