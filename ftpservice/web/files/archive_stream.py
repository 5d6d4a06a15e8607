"""Writes an archive of `ArchivePlan` while its files are read, and each file only once."""

from __future__ import annotations

from typing import Any
from zipfile import ZIP_STORED, ZipFile

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.errors import Busy
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.files.archive_plan import ArchiveMember, ArchivePlan
from ftpservice.web.files.file_problems import refusals
from ftpservice.web.files.response_stream import ResponseStream
from ftpservice.web.files.web_download import send_file_range

__all__ = ["send_archive"]


class PendingBytes:
    """The file that `ZipFile` writes to: keeps what is to be sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Keep bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what is kept, and forget it."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class ArchiveStream:
    """Sends what `ZipFile` writes; ``chunk`` and `write` are for the content of a member."""

    chunk = CHUNK_SIZE
    writing: Any = None
    """The member that is written."""

    def __init__(self, out: ResponseStream, pool: BlockingRunner) -> None:
        self.pending = PendingBytes()
        self._out = out
        self._pool = pool

    async def write(self, data: bytes) -> None:
        """Add content to the member; the checksum is computed in a thread."""
        await self._pool.run(self.writing.write, data)
        await self.flush()

    async def flush(self) -> None:
        """Send what has been written."""
        await self._out.write(self.pending.take())


async def send_archive(
    account: AccountSession, plan: ArchivePlan, out: ResponseStream, pool: BlockingRunner
) -> None:
    """Send the archive; each file is a download of its own, with its events and limits.

    Raises `Problem`, `StorageError` and `TransferAborted`, also if the archive would not have the
    size that was announced.
    """
    stream = ArchiveStream(out, pool)
    archive: Any = ZipFile(stream.pending, "w", ZIP_STORED)  # type: ignore[call-overload]
    for member in plan.members:
        with archive.open(member.info, "w", force_zip64=member.is_large) as stream.writing:
            await stream.flush()
            if member.text:
                await stream.write(member.text)
            elif not member.info.is_dir():
                await _send_member(account, member, stream)
        await stream.flush()
    await pool.run(archive.close)  # an entry for each of up to 100,000 members
    await stream.flush()
    if out.moved != plan.size:
        raise TransferAborted(
            f"the archive has {out.moved} of {plan.size} bytes that were announced"
        )


async def _send_member(
    account: AccountSession, member: ArchiveMember, stream: ArchiveStream
) -> None:
    path, size = member.path, member.size
    assert path is not None
    with refusals(account, "GET zip", path):
        reading = await account.context.storage.open_reading(path)
        if reading.entry.size != size:
            reading.close()
            raise Busy(path, "its size has changed since the archive was begun")
    await send_file_range(account, str(path), reading, (0, size), stream)
