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

from ftpservice.session.context import Context, Marks
from ftpservice.session.error_replies import Refusal
from ftpservice.session.resume_offers import ToldSize
from ftpservice.storage.errors import NotFound, StorageError
from ftpservice.storage.interfaces import How, IPartials
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "forget_partial",
    "interrupted_time",
    "partial_of",
    "refuse_missing",
    "refuse_offset",
    "remove_file",
    "resumed",
    "see_reader",
    "size_told",
]

MOST_TOLD = 256
"""Sizes that a session is remembered to have been told."""


async def partial_of(context: Context, path: VirtualPath) -> Entry | None:
    """Return the facts of the account's interrupted upload of ``path``, if there is one."""
    partials = IPartials(context.storage, None)
    if partials is None:
        return None
    try:
        partial: Entry = await partials.partial(path)
    except StorageError:
        return None
    return partial


async def _resumable_size(context: Context, path: VirtualPath) -> Entry | None:
    """Return the facts of an interrupted upload as SIZE tells them.

    If the client ended its data connection, or it is not known whether it did, all of the file may
    have arrived, but not the reply that it is stored. A client that goes by SIZE would take the
    file for stored; so it is told a byte less, and has that left to send.
    """
    partial = await partial_of(context, path)
    services, key = context.services, context.key_of(path)
    if partial is None or services.offers.is_short(key) or key in services.uploads:
        return partial
    return partial._replace(size=partial.size - 1)


async def size_told(context: Context, path: VirtualPath) -> Entry:
    """Return the facts that SIZE is to tell of ``path``, and remember them; raises `NotFound`."""
    await context.services.uploads.settle(context.key_of(path))
    try:
        entry = await context.storage.stat(path)
    except NotFound:
        partial = await _resumable_size(context, path)
        if partial is None:
            raise
        _remember(context, path, ToldSize(partial.size, How.CREATE))
        return partial
    services, peer = context.services, context.peer
    if services.offers.holds_for(context.key_of(path), peer.session, peer.host):
        partial = await _resumable_size(context, path)
        if partial is not None:
            _remember(context, path, ToldSize(partial.size, How.REPLACE))
            return partial
    _remember(context, path, ToldSize(entry.size, None))
    return entry


def _remember(context: Context, path: VirtualPath, told: ToldSize) -> None:
    sizes = context.told_sizes
    sizes.pop(path, None)
    sizes[path] = told
    if len(sizes) > MOST_TOLD:
        del sizes[next(iter(sizes))]


def see_reader(context: Context, path: VirtualPath) -> None:
    """Learn that the client reads a file; raises `Refusal` if it was told another size."""
    context.services.offers.decline(context.key_of(path), context.peer.session)
    told = context.told_sizes.pop(path, None) if context.told_sizes else None
    if told is not None and told.resumes is not None:
        raise Refusal(
            codes.FILE_BUSY,
            f"SIZE was that of an interrupted upload ({told.size} bytes); send SIZE again.",
        )


def forget_partial(context: Context, path: VirtualPath) -> None:
    """Forget what was told of an upload that is resumed, begun anew or removed."""
    context.services.offers.withdraw(context.key_of(path))
    if context.told_sizes:
        context.told_sizes.pop(path, None)


async def remove_file(context: Context, path: VirtualPath) -> None:
    """Remove a file and the account's interrupted upload of it, or the latter alone."""
    await context.services.uploads.settle(context.key_of(path))
    await context.storage.remove_file(path)
    forget_partial(context, path)


async def resumed(
    context: Context, path: VirtualPath, how: How, marks: Marks
) -> tuple[How, int, bool]:
    """Return how an upload is written, from which offset, and if that is one of the partial only.

    Raises `Refusal` where it is not certain what the client resumes.
    """
    told = context.told_sizes.get(path) if context.told_sizes else None
    if how is How.APPEND:
        if told is not None and told.resumes is not None:
            return told.resumes, told.size, True  # there the client resumes, whatever came since
        if told is not None or context.services.offers.is_fresh(context.key_of(path)):
            await _refuse_doubtful(context, path)
        return how, 0, False
    if how is not How.REPLACE or not marks.start:
        return how, 0, False
    if told is not None and told.resumes is None and told.size == marks.start:
        await _refuse_doubtful(context, path)
    return how, marks.start, told is not None and told.resumes is not None


async def _refuse_doubtful(context: Context, path: VirtualPath) -> None:
    """Raise `Refusal` where a client may take the file for what arrived of its upload."""
    if context.key_of(path) in context.services.uploads:
        return
    partial = await partial_of(context, path)
    if partial is None:
        return
    try:
        await context.storage.stat(path)
    except NotFound:
        return
    raise Refusal(codes.BAD_OFFSET, _resumable(partial))


def _resumable(partial: Entry) -> str:
    return (
        f"An interrupted upload can be resumed at {partial.size} (REST and STOR); "
        "STOR from the beginning, or DELE, discards it."
    )


async def refuse_offset(context: Context, path: VirtualPath) -> NoReturn:
    """Raise the `Refusal` of an offset that is not there, which names the one to be had."""
    partial = await partial_of(context, path)
    if partial is not None:
        raise Refusal(codes.BAD_OFFSET, _resumable(partial))
    try:
        entry = await context.storage.stat(path)
    except NotFound:
        raise Refusal(codes.BAD_OFFSET, "There is no interrupted upload; begin at 0.") from None
    raise Refusal(codes.BAD_OFFSET, f"The file ends at {entry.size}.")


async def refuse_missing(context: Context, path: VirtualPath, error: NotFound) -> NoReturn:
    """Raise ``error``, or a `Refusal` that tells of an upload that has not come to its end."""
    partial = await partial_of(context, path)
    if partial is None:
        raise error
    if context.key_of(path) in context.services.uploads:
        raise Refusal(codes.REFUSED, f"It is being uploaded ({partial.size} bytes so far).")
    raise Refusal(
        codes.REFUSED,
        f"No such file, only an interrupted upload ({partial.size} bytes): resume or DELE it.",
    )


async def interrupted_time(context: Context, path: VirtualPath, error: NotFound) -> float:
    """Return when the last of an interrupted upload arrived, or raise ``error``."""
    partial = await partial_of(context, path)
    if partial is None:
        raise error
    return partial.modified
