"""From a connection to a target, and from a source to a connection, by the fastest way there is."""

from __future__ import annotations

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.pump import pump_to_connection
from ftpservice.stream.splice import Turn, TurnResult
from ftpservice_client.errors import VerificationFailed
from ftpservice_client.interfaces import DownloadTarget, UploadSource

__all__ = ["SMALL_FILE_SIZE", "ExcessData", "receive_into", "send_from"]

SMALL_FILE_SIZE = 64 * 1024
"""Bytes of a file that are received and written in one piece."""
MAX_EXCESS_SIZE = 1024 * 1024
"""Bytes beyond those that were expected that are received and dropped: a file may grow."""


class ExcessData(Exception):
    """The peer sends far more than it was expected to; what was expected is there."""


async def receive_into(target: DownloadTarget, data: StreamConnection, most: int | None) -> int:
    """Write what comes, to the peer's end, but no more than ``most`` bytes; the rest is dropped.

    Returns how many bytes came; raises `ExcessData` when they have no end.
    """
    moved = 0
    pieces: list[bytes] = []
    while piece := await data.read():
        pieces.append(_within_limit(piece, moved, most))
        moved += len(piece)
        if (
            moved > SMALL_FILE_SIZE
            and target.exclusively is not None
            and data.supports_file_transfer
        ):
            rest = data.take()
            pieces.append(_within_limit(rest, moved, most))
            moved += len(rest)
            await target.write(b"".join(pieces))
            return moved + await _receive(target, data, None if most is None else most - moved)
        if moved > SMALL_FILE_SIZE or target.exclusively is None:
            await target.write(b"".join(pieces))
            pieces.clear()
        _check_excess(moved, most)
    if pieces:
        await target.write(b"".join(pieces))
    return moved


async def _receive(target: DownloadTarget, data: StreamConnection, most: int | None) -> int:
    """Have threads write what comes, and take away what is more than ``most`` bytes."""
    before, end = data.moved, target.written + max(0, most or 0)
    exclusively = target.exclusively
    assert exclusively is not None

    async def limited(turn: Turn) -> tuple[int, TurnResult]:
        result = await exclusively(turn)
        _check_excess(data.moved - before, most)
        return result

    try:
        return await data.receive_file(limited)
    finally:
        if most is not None and target.written > end:
            await target.truncate(end)


def _within_limit(piece: bytes, moved: int, most: int | None) -> bytes:
    """Return what belongs to the first ``most`` bytes, of which ``moved`` are there."""
    return piece if most is None or moved + len(piece) <= most else piece[: max(0, most - moved)]


def _check_excess(moved: int, most: int | None) -> None:
    if most is not None and moved > most + MAX_EXCESS_SIZE:
        raise ExcessData


async def send_from(source: UploadSource, data: StreamConnection, offset: int) -> int:
    """Send what a source has from ``offset`` on; returns the bytes.

    Raises `VerificationFailed` when it turns out to have fewer than it said.
    """
    end = source.size
    if (
        source.file is not None
        and end is not None
        and data.supports_file_transfer
        and end - offset > SMALL_FILE_SIZE
    ):
        moved = await data.send_file(source.file, (offset, end))
    elif end is not None and end - offset <= SMALL_FILE_SIZE:
        moved = await _send_small(source, data, offset, end)
    else:
        moved = await pump_to_connection(source.read, data, offset, end)
    if end is not None and moved < end - offset:
        raise VerificationFailed("the file became shorter while it was sent")
    return moved


async def _send_small(source: UploadSource, data: StreamConnection, offset: int, end: int) -> int:
    moved = 0
    while offset + moved < end and (
        piece := await source.read(offset + moved, end - offset - moved)
    ):
        await data.write(piece)
        moved += len(piece)
    return moved
