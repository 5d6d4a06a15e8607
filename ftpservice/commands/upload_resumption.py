"""Resuming uploads: what SIZE replies about an interrupted upload, and where one may resume.

A resumed upload never mixes bytes of the published file with those of an interrupted upload of that
name:

- REST and STOR keep the beginning of the account's interrupted upload, and that of the published
  file only if there is no interrupted upload. An offset beyond its end is refused (554).
- APPE resumes the upload whose size SIZE replied to this session. It is refused (554) if the client
  may have another size in mind: that of the file, or that of an upload interrupted within a day.
- SIZE replies the size of an interrupted upload if there is no file, or if `ResumeOffers` has an
  offer for the session; if the upload may be complete, one byte less than arrived. A session that
  then downloads is refused once (450), because it would expect a file of another size.
- If nothing of an upload was kept, SIZE replies 0 to that session, and nobody resumes at the end of
  the published file for a day (554): clients take its size for what arrived.
"""

from __future__ import annotations

from typing import NoReturn

from ftpservice.session.context import NextTransfer, SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.resume_offers import ReportedSize
from ftpservice.storage.errors import PathNotFound, StorageError
from ftpservice.storage.interfaces import IPartials, WriteMode
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import bytes_text

__all__ = [
    "check_reader",
    "forget_partial",
    "interrupted_time",
    "partial_of",
    "refuse_missing",
    "refuse_offset",
    "remove_file",
    "reported_size",
    "resume_request",
]

NOTHING_KEPT = "Nothing was kept of an interrupted upload; send STOR from the beginning."
MAX_REPORTED_SIZES = 256
"""Sizes that are kept for each session; the oldest is dropped for another one."""


async def partial_of(context: SessionContext, path: VirtualPath) -> Entry | None:
    """Return the entry of the account's interrupted upload of ``path``, if there is one."""
    partials = IPartials(context.storage, None)
    if partials is None:
        return None
    try:
        partial: Entry = await partials.partial(path)
    except StorageError:
        return None
    return partial


async def _resumable_size(context: SessionContext, path: VirtualPath) -> Entry | None:
    """Return the entry of an interrupted upload, with the size that SIZE replies.

    If the client ended its data connection, or may have done so, the complete file may have
    arrived, but not the reply that it is stored. A client that compares sizes would take the file
    for stored. So SIZE replies one byte less, which the client then has left to send.
    """
    partial = await partial_of(context, path)
    services, key = context.services, context.upload_key(path)
    if partial is None or services.resume_offers.is_short(key) or services.uploads.is_active(key):
        return partial
    return partial._replace(size=max(0, partial.size - 1))


async def reported_size(context: SessionContext, path: VirtualPath) -> Entry:
    """Return the entry whose size SIZE replies for ``path``, and record the size.

    Raises `PathNotFound`.
    """
    await context.services.uploads.wait_for_end(context.upload_key(path))
    try:
        entry = await context.storage.stat(path)
    except PathNotFound:
        partial = await _resumable_size(context, path)
        if partial is None:
            raise
        _record(context, path, ReportedSize(partial.size, WriteMode.CREATE))
        return partial
    services, peer = context.services, context.peer
    key = context.upload_key(path)
    if await services.resume_offers.belongs_to(key, peer.session, peer.host):
        arrived = await _resumable_size(context, path) or entry._replace(size=0)
        _record(context, path, ReportedSize(arrived.size, WriteMode.REPLACE))
        return arrived
    _record(context, path, ReportedSize(entry.size, None))
    return entry


def _record(context: SessionContext, path: VirtualPath, size: ReportedSize) -> None:
    sizes = context.reported_sizes
    sizes.pop(path, None)
    sizes[path] = size
    if len(sizes) > MAX_REPORTED_SIZES:
        del sizes[next(iter(sizes))]


def check_reader(context: SessionContext, path: VirtualPath) -> None:
    """Record that the client downloads a file; raises `ReplyError` after another SIZE."""
    context.services.resume_offers.decline(context.upload_key(path), context.peer.session)
    reported = context.reported_sizes.pop(path, None) if context.reported_sizes else None
    if reported is not None and reported.resumes is not None:
        raise ReplyError(
            codes.FILE_BUSY,
            f"SIZE was that of an interrupted upload ({bytes_text(reported.size)}); send SIZE "
            "again.",
        )


def forget_partial(context: SessionContext, path: VirtualPath) -> None:
    """Forget the sizes and offers of an upload that is resumed, begun anew or removed."""
    context.services.resume_offers.withdraw(context.upload_key(path))
    if context.reported_sizes:
        context.reported_sizes.pop(path, None)


async def remove_file(context: SessionContext, path: VirtualPath) -> None:
    """Remove a file and the account's interrupted upload of it, or only the latter."""
    await context.services.uploads.wait_for_end(context.upload_key(path))
    await context.storage.remove_file(path)
    forget_partial(context, path)


async def resume_request(
    context: SessionContext, path: VirtualPath, write_mode: WriteMode, next_transfer: NextTransfer
) -> tuple[WriteMode, int, bool]:
    """Return how an upload is written, its offset, and whether that is one in the partial only.

    Raises `ReplyError` if it is not certain what the client resumes.
    """
    reported = context.reported_sizes.get(path) if context.reported_sizes else None
    resumes = None if reported is None else reported.resumes
    offset = next_transfer.start
    if write_mode is WriteMode.APPEND:
        if reported is not None and resumes is not None:
            return resumes, reported.size, True  # whatever arrived since
        if reported is not None or _was_cut_recently(context, path):
            await _refuse_doubtful(context, path)
        return write_mode, 0, False
    if write_mode is not WriteMode.REPLACE or not offset:
        return write_mode, 0, False
    if resumes is None:
        is_size_of_file = reported is not None and reported.size == offset
        if is_size_of_file or _was_cut_recently(context, path):
            await _refuse_doubtful(context, path, keeps_partial=not is_size_of_file)
    return write_mode, offset, resumes is not None


def _was_cut_recently(context: SessionContext, path: VirtualPath) -> bool:
    return context.services.resume_offers.was_cut_recently(context.upload_key(path))


async def _refuse_doubtful(
    context: SessionContext, path: VirtualPath, *, keeps_partial: bool = False
) -> None:
    """Raise `ReplyError` if a client may take the file for what arrived of its upload.

    With ``keeps_partial``, it resumes what was kept of that, if anything was.
    """
    if context.services.uploads.is_active(context.upload_key(path)):
        return
    partial = await partial_of(context, path)
    if partial is not None and keeps_partial:
        return
    if partial is None and not _was_cut_recently(context, path):
        return
    try:
        await context.storage.stat(path)
    except PathNotFound:
        return
    raise ReplyError(codes.BAD_OFFSET, NOTHING_KEPT if partial is None else _resumable(partial))


def _resumable(partial: Entry) -> str:
    return (
        f"An interrupted upload can be resumed at {partial.size} (REST and STOR); "
        "STOR from the beginning, or DELE, discards it."
    )


async def refuse_offset(context: SessionContext, path: VirtualPath) -> NoReturn:
    """Raise `ReplyError` for an offset beyond the end; it names the offset that can be used."""
    partial = await partial_of(context, path)
    if partial is not None:
        raise ReplyError(codes.BAD_OFFSET, _resumable(partial))
    if _was_cut_recently(context, path):
        raise ReplyError(codes.BAD_OFFSET, NOTHING_KEPT)
    try:
        entry = await context.storage.stat(path)
    except PathNotFound:
        raise ReplyError(codes.BAD_OFFSET, "There is no interrupted upload; start at 0.") from None
    raise ReplyError(codes.BAD_OFFSET, f"The file ends at {entry.size}.")


async def refuse_missing(
    context: SessionContext, path: VirtualPath, error: PathNotFound
) -> NoReturn:
    """Raise ``error``, or a `ReplyError` that names the interrupted or unfinished upload."""
    partial = await partial_of(context, path)
    if partial is None:
        raise error
    if context.services.uploads.is_active(context.upload_key(path)):
        raise ReplyError(
            codes.FILE_UNAVAILABLE, f"It is being uploaded ({bytes_text(partial.size)} so far)."
        )
    raise ReplyError(
        codes.FILE_UNAVAILABLE,
        f"No such file, only an interrupted upload ({bytes_text(partial.size)}): resume or DELE "
        "it.",
    )


async def interrupted_time(
    context: SessionContext, path: VirtualPath, error: PathNotFound
) -> float:
    """Return the time of the last byte of an interrupted upload, or raise ``error``."""
    partial = await partial_of(context, path)
    if partial is None:
        raise error
    return partial.modified
