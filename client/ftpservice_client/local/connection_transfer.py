"""Transfers between a data connection and a local target or source, by the fastest way."""

from __future__ import annotations

from ftpservice.stream.connection import SMALL_FILE_SIZE, StreamConnection, read_then_splice
from ftpservice.stream.pump import pump_to_connection
from ftpservice.stream.splice import Turn, TurnResult
from ftpservice_client.errors import VerificationFailed
from ftpservice_client.interfaces import DownloadTarget, UploadSource

__all__ = ["ExcessData", "receive_into", "send_from"]

MAX_EXCESS_SIZE = 1024 * 1024
"""Bytes beyond those that were expected that are received and dropped: a file may grow."""


class ExcessData(Exception):
    """The peer sends far more than it was expected to; what was expected is there."""


async def receive_into(target: DownloadTarget, data: StreamConnection, most: int | None) -> int:
    """Write what arrives until the peer's FIN, at most ``most`` bytes; the rest is dropped.

    Returns the number of bytes received. Raises `ExcessData` if there are far more than ``most``.
    """
    if most is None:
        return await read_then_splice(data, target.write, target.with_descriptor)
    before, end, limit = data.moved, target.written + max(0, most), most
    moved = 0

    async def write(piece: bytes) -> None:
        nonlocal moved
        kept = _within_limit(piece, moved, limit)
        moved += len(piece)
        await target.write(kept)
        _check_excess(moved, limit)

    async def with_descriptor(turn: Turn) -> tuple[int, TurnResult]:
        assert target.with_descriptor is not None
        result = await target.with_descriptor(turn)
        _check_excess(data.moved - before, limit)
        return result

    try:
        by_thread = None if target.with_descriptor is None else with_descriptor
        return await read_then_splice(data, write, by_thread)
    finally:
        if target.with_descriptor is not None and target.written > end:
            await target.truncate(end)


def _within_limit(piece: bytes, moved: int, most: int) -> bytes:
    """Return what belongs to the first ``most`` bytes, of which ``moved`` are there."""
    return piece if moved + len(piece) <= most else piece[: max(0, most - moved)]


def _check_excess(moved: int, most: int) -> None:
    if moved > most + MAX_EXCESS_SIZE:
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
