"""Interrupted uploads: what clients are told of them, and from where an upload may resume.

An upload that resumes never mixes bytes of the published file with those of an interrupted upload
of that name:

- REST and STOR keep the beginning of the owner's interrupted upload, and of the published file
  only where there is no interrupted one. An offset that it does not reach is refused (554).
- APPE resumes the upload that SIZE told this session of. A session that may resume by another size
  (it was told that of the file, or the upload was cut a moment ago) is refused (554).
- SIZE tells of an interrupted upload where there is no file, or where `ResumeOffers` says so; of
  one that may be whole it tells a byte less than arrived. A session that then downloads is a
  reader: it is told once to ask again (450), for it would take the file to be of another size.
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

MAX_REPORTED_SIZES = 256
"""Sizes that a session is remembered to have been told."""


async def partial_of(context: SessionContext, path: VirtualPath) -> Entry | None:
    """Return the facts of the account's interrupted upload of ``path``, if there is one."""
    partials = IPartials(context.storage, None)
    if partials is None:
        return None
    try:
        partial: Entry = await partials.partial(path)
    except StorageError:
        return None
    return partial


async def _resumable_size(context: SessionContext, path: VirtualPath) -> Entry | None:
    """Return the facts of an interrupted upload as SIZE tells them.

    If the client ended its data connection, or it is not known whether it did, all of the file may
    have arrived, but not the reply that it is stored. A client that goes by SIZE would take the
    file for stored; so it is told a byte less, and has that left to send.
    """
    partial = await partial_of(context, path)
    services, key = context.services, context.upload_key(path)
    if partial is None or services.resume_offers.is_short(key) or key in services.uploads.active:
        return partial
    return partial._replace(size=partial.size - 1)


async def reported_size(context: SessionContext, path: VirtualPath) -> Entry:
    """Return the facts that SIZE is to tell of ``path``, and remember them.

    Raises `PathNotFound`.
    """
    await context.services.uploads.settle(context.upload_key(path))
    try:
        entry = await context.storage.stat(path)
    except PathNotFound:
        partial = await _resumable_size(context, path)
        if partial is None:
            raise
        _remember(context, path, ReportedSize(partial.size, WriteMode.CREATE))
        return partial
    services, peer = context.services, context.peer
    if services.resume_offers.belongs_to(context.upload_key(path), peer.session, peer.host):
        partial = await _resumable_size(context, path)
        if partial is not None:
            _remember(context, path, ReportedSize(partial.size, WriteMode.REPLACE))
            return partial
    _remember(context, path, ReportedSize(entry.size, None))
    return entry


def _remember(context: SessionContext, path: VirtualPath, told: ReportedSize) -> None:
    sizes = context.reported_sizes
    sizes.pop(path, None)
    sizes[path] = told
    if len(sizes) > MAX_REPORTED_SIZES:
        del sizes[next(iter(sizes))]


def check_reader(context: SessionContext, path: VirtualPath) -> None:
    """Learn that the client reads a file; raises `ReplyError` if it was told another size."""
    context.services.resume_offers.decline(context.upload_key(path), context.peer.session)
    told = context.reported_sizes.pop(path, None) if context.reported_sizes else None
    if told is not None and told.resumes is not None:
        raise ReplyError(
            codes.FILE_BUSY,
            f"SIZE was that of an interrupted upload ({told.size} bytes); send SIZE again.",
        )


def forget_partial(context: SessionContext, path: VirtualPath) -> None:
    """Forget what was told of an upload that is resumed, begun anew or removed."""
    context.services.resume_offers.withdraw(context.upload_key(path))
    if context.reported_sizes:
        context.reported_sizes.pop(path, None)


async def remove_file(context: SessionContext, path: VirtualPath) -> None:
    """Remove a file and the account's interrupted upload of it, or the latter alone."""
    await context.services.uploads.settle(context.upload_key(path))
    await context.storage.remove_file(path)
    forget_partial(context, path)


async def resume_request(
    context: SessionContext, path: VirtualPath, how: WriteMode, marks: NextTransfer
) -> tuple[WriteMode, int, bool]:
    """Return how an upload is written, from which offset, and if that is one of the partial only.

    Raises `ReplyError` where it is not certain what the client resumes.
    """
    told = context.reported_sizes.get(path) if context.reported_sizes else None
    if how is WriteMode.APPEND:
        if told is not None and told.resumes is not None:
            return told.resumes, told.size, True  # there the client resumes, whatever came since
        if told is not None or context.services.resume_offers.was_cut_recently(
            context.upload_key(path)
        ):
            await _refuse_doubtful(context, path)
        return how, 0, False
    if how is not WriteMode.REPLACE or not marks.start:
        return how, 0, False
    if told is not None and told.resumes is None and told.size == marks.start:
        await _refuse_doubtful(context, path)
    return how, marks.start, told is not None and told.resumes is not None


async def _refuse_doubtful(context: SessionContext, path: VirtualPath) -> None:
    """Raise `ReplyError` where a client may take the file for what arrived of its upload."""
    if context.upload_key(path) in context.services.uploads.active:
        return
    partial = await partial_of(context, path)
    if partial is None:
        return
    try:
        await context.storage.stat(path)
    except PathNotFound:
        return
    raise ReplyError(codes.BAD_OFFSET, _resumable(partial))


def _resumable(partial: Entry) -> str:
    return (
        f"An interrupted upload can be resumed at {partial.size} (REST and STOR); "
        "STOR from the beginning, or DELE, discards it."
    )


async def refuse_offset(context: SessionContext, path: VirtualPath) -> NoReturn:
    """Raise the `ReplyError` of an offset that is not there, which names the one to be had."""
    partial = await partial_of(context, path)
    if partial is not None:
        raise ReplyError(codes.BAD_OFFSET, _resumable(partial))
    try:
        entry = await context.storage.stat(path)
    except PathNotFound:
        raise ReplyError(codes.BAD_OFFSET, "There is no interrupted upload; begin at 0.") from None
    raise ReplyError(codes.BAD_OFFSET, f"The file ends at {entry.size}.")


async def refuse_missing(
    context: SessionContext, path: VirtualPath, error: PathNotFound
) -> NoReturn:
    """Raise ``error``, or a `ReplyError` that tells of an upload that has not come to its end."""
    partial = await partial_of(context, path)
    if partial is None:
        raise error
    if context.upload_key(path) in context.services.uploads.active:
        raise ReplyError(
            codes.FILE_UNAVAILABLE, f"It is being uploaded ({partial.size} bytes so far)."
        )
    raise ReplyError(
        codes.FILE_UNAVAILABLE,
        f"No such file, only an interrupted upload ({partial.size} bytes): resume or DELE it.",
    )


async def interrupted_time(
    context: SessionContext, path: VirtualPath, error: PathNotFound
) -> float:
    """Return when the last of an interrupted upload arrived, or raise ``error``."""
    partial = await partial_of(context, path)
    if partial is None:
        raise error
    return partial.modified
