"""Resuming uploads: what SIZE replies about an interrupted upload, and where one may resume.

A resumed upload never mixes bytes of the published file with those of an interrupted upload of that
name:

- REST and STOR keep the beginning of the account's interrupted upload, and that of the published
  file only if there is no interrupted upload. An offset beyond its end is refused (554).
- APPE resumes the upload whose size SIZE replied to this session. It is refused (554) if the client
  may have another size in mind: that of the file, or that of an upload interrupted within a day.
- SIZE replies the size of an interrupted upload if there is no file, or to its client: a session of
  the same account from the same address, within a day. If the upload may be complete, it is one
  byte less than arrived. A session that then downloads is refused once (450), because it would
  expect a file of another size; after that SIZE replies the size of the file.
- If nothing of an upload was kept, SIZE replies 0 to its client, and nobody resumes at the end of
  the published file for a day (554): clients take its size for what arrived.

The client is in the note that the storage keeps with the partial upload: its address (of IPv6 the
/64), and whether the upload is known to lack bytes. Where the storage keeps no notes (or no partial
upload in that directory), `ResumeOffers` has it.
"""

from __future__ import annotations

from typing import NoReturn

from ftpservice.session.active_uploads import UploadKey
from ftpservice.session.context import NextTransfer, SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.resume_offers import RESUME_OFFER_SECONDS, ReportedSize
from ftpservice.storage.errors import PathNotFound, StorageError
from ftpservice.storage.interfaces import IPartials, IStorage, WriteMode
from ftpservice.storage.interrupted_uploads import IInterruptedUploads, InterruptedUpload
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import bytes_text

__all__ = [
    "check_reader",
    "forget_partial",
    "interrupted_time",
    "partial_of",
    "record_interruption",
    "refuse_missing",
    "refuse_offset",
    "remove_file",
    "reported_size",
    "resume_request",
]

NOTHING_KEPT = "Nothing was kept of an interrupted upload; send STOR from the beginning."
SHORT = " short"
"""Ends the note of an upload that is known to lack bytes."""
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


async def _interrupted(
    context: SessionContext, path: VirtualPath, file: Entry | None
) -> InterruptedUpload | None:
    """Return what is known of an upload to ``path`` that was interrupted within a day.

    ``file`` is the entry of what has the name.
    """
    uploads = IInterruptedUploads(context.storage, None)
    if uploads is not None:
        try:
            found: InterruptedUpload | None = await uploads.interrupted(path)
        except StorageError:
            found = None
        if found is not None:
            is_offered = found.note != "" and found.age < RESUME_OFFER_SECONDS
            return found if is_offered else None
    note = context.services.resume_offers.note(context.upload_key(path), file)
    return None if note is None else InterruptedUpload(0, 0.0, note)


def _is_client(upload: InterruptedUpload, context: SessionContext) -> bool:
    """Return whether this session has the address of an interrupted upload."""
    client = (upload.note or "").partition(" ")[0]
    return client == context.peer.limit_key and not upload.is_active


async def _resumable_size(
    context: SessionContext, path: VirtualPath, upload: InterruptedUpload | None
) -> Entry | None:
    """Return the entry of an interrupted upload, with the size that SIZE replies.

    If the client ended its data connection, or may have done so, the complete file may have
    arrived, but not the reply that it is stored. A client that compares sizes would take the file
    for stored. So SIZE replies one byte less, which the client then has left to send.
    """
    partial = await partial_of(context, path)
    is_short = upload is not None and (upload.note or "").endswith(SHORT)
    if partial is None or is_short or context.services.uploads.is_active(context.upload_key(path)):
        return partial
    return partial._replace(size=max(0, partial.size - 1))


async def reported_size(context: SessionContext, path: VirtualPath) -> Entry:
    """Return the entry whose size SIZE replies for ``path``, and record the size.

    Raises `PathNotFound`.
    """
    uploads, key = context.services.uploads, context.upload_key(path)
    await uploads.wait_for_end(key)
    try:
        entry = await context.storage.stat(path)
    except PathNotFound:
        upload = await _interrupted(context, path, None)
        partial = await _resumable_size(context, path, upload)
        if partial is None:
            raise
        _record(context, path, ReportedSize(partial.size, WriteMode.CREATE))
        return partial
    if not uploads.is_active(key):
        upload = await _interrupted(context, path, entry)
        if upload is not None and _is_client(upload, context):
            arrived = await _resumable_size(context, path, upload) or entry._replace(size=0)
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


async def check_reader(context: SessionContext, path: VirtualPath) -> None:
    """Raise `ReplyError` if SIZE was that of an interrupted upload; it is not offered any more."""
    reported = context.reported_sizes.pop(path, None)
    if reported is None or reported.resumes is None:
        return
    if reported.resumes is WriteMode.REPLACE:
        context.services.resume_offers.withdraw(context.upload_key(path))
        uploads = IInterruptedUploads(context.storage, None)
        if uploads is not None:
            await uploads.annotate(path, "")
    raise ReplyError(
        codes.FILE_BUSY,
        f"SIZE was that of an interrupted upload ({bytes_text(reported.size)}); send SIZE again.",
    )


def forget_partial(context: SessionContext, path: VirtualPath) -> None:
    """Forget the sizes and offers of an upload that is resumed, begun anew or removed."""
    context.services.resume_offers.withdraw(context.upload_key(path))
    if context.reported_sizes:
        context.reported_sizes.pop(path, None)


async def record_interruption(
    context: SessionContext, storage: IStorage, key: UploadKey, *, is_short: bool, is_final: bool
) -> None:
    """Note whose upload was interrupted, where SIZE finds it.

    ``is_short``: it is known to lack bytes. ``is_final``: it was refused for good, so that no
    client sends it again by itself.
    """
    note, path = "", key[1]
    if not is_final:
        note = context.peer.limit_key + (SHORT if is_short else "")
    uploads = IInterruptedUploads(storage, None)
    try:
        if uploads is not None and await uploads.annotate(path, note):
            return
        file = await storage.stat(path)
    except PathNotFound:
        if uploads is not None:
            return
        file = None
    except StorageError:
        return
    if not is_final:
        context.services.resume_offers.make(key, note, file)


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
        await _refuse_doubtful(context, path, has_size=reported is not None)
        return write_mode, 0, False
    if write_mode is not WriteMode.REPLACE or not offset:
        return write_mode, 0, False
    if resumes is None:
        has_size = reported is not None and reported.size == offset
        await _refuse_doubtful(context, path, has_size=has_size, keeps_partial=not has_size)
    return write_mode, offset, resumes is not None


async def _refuse_doubtful(
    context: SessionContext, path: VirtualPath, *, has_size: bool, keeps_partial: bool = False
) -> None:
    """Raise `ReplyError` if a client may take the file for what arrived of its upload.

    ``has_size``: it got the size of the file. With ``keeps_partial``, it resumes what was kept of
    the upload, if anything was.
    """
    if context.services.uploads.is_active(context.upload_key(path)):
        return
    try:
        file = await context.storage.stat(path)
    except PathNotFound:
        return
    upload = await _interrupted(context, path, file)
    if upload is None and not has_size:
        return
    partial = await partial_of(context, path)
    if (partial is None and upload is None) or (partial is not None and keeps_partial):
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
    try:
        entry = await context.storage.stat(path)
    except PathNotFound:
        raise ReplyError(codes.BAD_OFFSET, "There is no interrupted upload; start at 0.") from None
    if await _interrupted(context, path, entry) is not None:
        raise ReplyError(codes.BAD_OFFSET, NOTHING_KEPT)
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
