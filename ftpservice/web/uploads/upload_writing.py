"""The bytes of one request, written by the rules of STOR: transaction, limits, gates, commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import SessionContext
from ftpservice.storage.errors import PathNotFound, StorageError
from ftpservice.storage.gates import IPreparedWriting
from ftpservice.storage.interfaces import IPartials, IWriting, MaskedMode, WriteMode, WriteRequest
from ftpservice.stream.errors import TransferAborted
from ftpservice.web.http.problems import Problem
from ftpservice.web.uploads.request_body import MAX_WAITING_BYTES, RequestBody
from ftpservice.web.uploads.upload_progress import UploadProgress
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["TOO_MUCH_TEXT", "arrived_bytes", "claimed", "open_upload", "publish", "receive"]

TOO_MUCH_TEXT = "These are more bytes than Upload-Length announced."


@asynccontextmanager
async def claimed(
    context: SessionContext, path: VirtualPath, body: RequestBody
) -> AsyncIterator[ActiveUpload]:
    """Hold the name against other uploads of the account; raises `BeingUploaded`."""
    services, key = context.services, context.upload_key(path)
    clock = services.clock
    active = ActiveUpload(key, context.peer.host, body.is_there, clock.seconds())
    active.connection = body
    await services.uploads.claim(active, clock.seconds)
    try:
        yield active
    finally:
        services.uploads.leave(active)


async def arrived_bytes(context: SessionContext, path: VirtualPath) -> int:
    """Return the bytes that are kept of an interrupted upload."""
    partials = IPartials(context.storage, None)
    if partials is None:
        return 0
    try:
        entry: Entry = await partials.partial(path)
    except PathNotFound:
        return 0
    return entry.size


async def open_upload(
    context: SessionContext, path: VirtualPath, *, replaces: bool, offset: int, size: int
) -> IWriting:
    """Begin or resume the transaction; ``size`` bytes are to come. Raises `StorageError`."""
    mode = WriteMode.REPLACE if replaces else WriteMode.CREATE
    bits = MaskedMode.of(0o666, context.parameters.umask)
    request = WriteRequest(mode, offset, None, bits, partial_only=offset > 0, expected=size)
    writing: IWriting = await context.storage.open_writing(path, request)
    context.services.resume_offers.withdraw(context.upload_key(path))
    return context.services.digests.hashing_writer_for(writing, mode)


async def receive(
    context: SessionContext,
    body: RequestBody,
    writing: IWriting,
    progress: UploadProgress,
    room: int,
) -> int:
    """Write the body, of at most ``room`` bytes; return its size.

    Raises `StorageError`, `Problem`, and `TransferAborted` after all that arrived was written.
    """
    limiters, moved = context.rate_limiters(upload=True), 0
    most = MAX_WAITING_BYTES if limiters is None else limiters.chunk
    while data := await body.next(most):
        is_too_much = len(data) > room - moved
        data = data[: room - moved]
        if limiters is not None and not body.lost:
            with suppress(TransferAborted):  # what arrived is kept
                await body.unless_cut(limiters.take(len(data)))
        moved += len(data)
        progress.moved += len(data)
        await writing.write(data)
        if is_too_much:
            raise Problem(413, TOO_MUCH_TEXT, reason="too-much")
    return moved


async def publish(body: RequestBody, writing: IWriting, progress: UploadProgress) -> None:
    """Publish a complete file; raises what a commit raises, `TransferAborted` if it is cut before.

    Gates are asked while that can be cancelled; a commit cannot.
    """
    if IPreparedWriting.providedBy(writing):
        await body.unless_cut(writing.prepare())
    progress.is_committing = True
    try:
        entry = await writing.commit()
    except StorageError:
        progress.is_committing = False
        raise
    progress.committed(writing, entry)
