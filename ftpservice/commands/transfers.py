"""Files over the data connection (RFC 959 §4.1.3, RFC 3659 §5, draft-bryan-ftp-range)."""

from __future__ import annotations

import re

from ftpservice.commands.transfer_job import DownloadJob, UploadJob
from ftpservice.commands.upload_resumption import (
    check_reader,
    forget_partial,
    record_interruption,
    refuse_missing,
    refuse_offset,
    resume_request,
)
from ftpservice.data.channel import DataChannel
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.arguments import parse_count
from ftpservice.session.context import WHOLE_FILE, NextTransfer, SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.errors import (
    BadOffset,
    FilesystemUnsupported,
    NoSpace,
    NotSupported,
    PathNotFound,
)
from ftpservice.storage.interfaces import IFreeSpace, MaskedMode, WriteMode, WriteRequest
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.wire import codes
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply
from ftpservice.wire.units import bytes_text

__all__ = ["verbs"]

verbs = VerbTable()

ALLO_ARGUMENT = re.compile(r" *([0-9]+)(?: +R *[0-9]+)? *", re.ASCII | re.IGNORECASE)


@verbs.add("RETR", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>", moves_data=True)
async def retrieve(context: SessionContext, path: VirtualPath) -> Transfer:
    """Download a file."""
    next_transfer, channel = context.take_next_transfer(), context.connector.take()
    try:
        try:
            reading = await context.storage.open_reading(path)
        except PathNotFound as error:
            await refuse_missing(context, path, error)
        try:
            if context.reported_sizes:
                await check_reader(context, path)
            if next_transfer is not WHOLE_FILE:
                _check_span(context, next_transfer, reading.entry.size)
            return DownloadJob(context, channel, str(path), reading, next_transfer)
        except BaseException:
            reading.close()
            raise
    except BaseException:
        if channel is not None:
            channel.close()
        raise


def _check_span(context: SessionContext, next_transfer: NextTransfer, size: int) -> None:
    if context.parameters.ascii and (next_transfer.start or next_transfer.end is not None):
        raise ReplyError(codes.BAD_PARAMETER, "Part of a file can be downloaded in TYPE I only.")
    if next_transfer.start > size:
        raise ReplyError(codes.BAD_OFFSET, f"The file ends at {size}.")


@verbs.add("STOR", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>", moves_data=True)
async def store(context: SessionContext, path: VirtualPath) -> Transfer:
    """Upload a file; it becomes visible only when it is complete."""
    return await _receive(context, path, WriteMode.REPLACE, "STOR")


@verbs.add("APPE", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>", moves_data=True)
async def append(context: SessionContext, path: VirtualPath) -> Transfer:
    """Upload to the end of a file."""
    return await _receive(context, path, WriteMode.APPEND, "APPE")


@verbs.add("STOU", ArgumentKind.OPTIONAL_PATH, rfc="959 4.1.3", syntax="[<file>]", moves_data=True)
async def store_unique(context: SessionContext, path: VirtualPath) -> Transfer:
    """Upload a file under a new, unique name (RFC 1123 4.1.2.9)."""
    wanted = path if path != context.directory else path.child("upload")
    return await _receive(context, wanted, WriteMode.UNIQUE, "STOU")


async def _receive(
    context: SessionContext, path: VirtualPath, mode: WriteMode, verb: str
) -> Transfer:
    next_transfer, channel = context.take_next_transfer(), context.connector.take()
    active: ActiveUpload | None = None
    try:
        # 1. Decide where it begins: REST (RFC 3659 §5.3), APPE after an interrupted upload.
        request = await _write_request(context, path, mode, next_transfer)
        # 2. Claim the name, so that no other session of the account uploads to it.
        if mode is not WriteMode.UNIQUE:
            active = await _claim(context, path, request.write_mode)
        # 3. Begin the upload transaction.
        upload = await _begin(context, channel, path, request, verb)
    except BaseException:
        if channel is not None:
            channel.close()
        if active is not None:
            context.services.uploads.leave(active)
        raise
    upload.mode, announced = request.write_mode, next_transfer.announced_size
    upload.announced_size, upload.size = announced, announced if not request.offset else None
    upload.active_upload = active
    if active is not None:
        active.abort = upload.abort
    return upload


async def _write_request(
    context: SessionContext, path: VirtualPath, mode: WriteMode, next_transfer: NextTransfer
) -> WriteRequest:
    file_mode = MaskedMode.of(0o666, context.parameters.umask)
    if mode is not WriteMode.APPEND and next_transfer is WHOLE_FILE:
        return WriteRequest(mode, 0, None, file_mode, note=context.peer.limit_key)
    if next_transfer.end is not None:
        raise ReplyError(codes.BAD_PARAMETER, "RANG applies to downloads only.")
    mode, offset, partial_only = await resume_request(context, path, mode, next_transfer)
    if context.parameters.ascii and (offset or next_transfer.start):
        raise ReplyError(codes.BAD_PARAMETER, "An upload can be resumed in TYPE I only.")
    # What ALLO announced may be the whole file or its rest; text becomes shorter.
    announced = 0 if context.parameters.ascii else next_transfer.announced_size or 0
    expected = max(0, announced - offset) if announced else None
    note = "" if mode is WriteMode.APPEND else context.peer.limit_key
    return WriteRequest(mode, offset, None, file_mode, partial_only, expected, note=note)


async def _claim(
    context: SessionContext, path: VirtualPath, mode: WriteMode
) -> ActiveUpload | None:
    """Claim the name for this session; raises `BeingUploaded` while another one uploads to it.

    None if it appends together with another session.
    """
    uploads, key = context.services.uploads, (context.account.name, path)
    peer, clock, appends = context.peer, context.services.clock, mode is WriteMode.APPEND
    active = ActiveUpload(key, peer.host, context.is_live, clock.seconds(), appends=appends)
    if uploads.is_shared or key in uploads.active:
        return active if await uploads.claim(active, clock.seconds) else None
    uploads.active[key] = active
    return active


async def _begin(
    context: SessionContext,
    channel: DataChannel | None,
    path: VirtualPath,
    request: WriteRequest,
    verb: str,
) -> UploadJob:
    services, offers = context.services, context.services.resume_offers
    try:
        writing = await context.storage.open_writing(path, request)
    except BadOffset:
        await refuse_offset(context, path)
    try:
        if context.reported_sizes or offers.offers:
            forget_partial(context, path)
        if request.write_mode is not WriteMode.APPEND and services.digests.is_enabled:
            writing = services.digests.hashing_writer_for(writing, request.write_mode)
        return UploadJob(context, channel, verb, writing)
    except BaseException:
        await writing.abandon()
        if request.note and request.write_mode is not WriteMode.UNIQUE:  # nothing to resume
            final = {"is_short": False, "is_final": True}
            await record_interruption(context, context.storage, context.upload_key(path), **final)
        raise


@verbs.add("ALLO", ArgumentKind.TEXT, rfc="959 4.1.3", syntax="<bytes> [R <record size>]")
async def allocate(context: SessionContext, text: str) -> Reply:
    """Announce the size of the next upload; with fewer bytes it counts as aborted."""
    sizes = ALLO_ARGUMENT.fullmatch(text)
    if sizes is None:
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: ALLO <bytes> [R <record size>]")
    announced = parse_count(sizes[1])
    quota = IQuota(context.storage, None)
    if quota is not None:
        quota.check_size(announced)
    storage = IFreeSpace(context.storage, None)
    if storage is not None:
        try:
            free = await storage.free_space(context.directory)
        except (PathNotFound, FilesystemUnsupported, NotSupported):
            free = announced
        if free < announced:
            raise NoSpace(context.directory)
    context.next_transfer = context.next_transfer._replace(announced_size=announced or None)
    return reply(codes.OK, f"{bytes_text(announced)} or more expected.")


@verbs.add("REST", ArgumentKind.NUMBER, rfc="3659 5", syntax="<offset>", feature="REST STREAM")
async def restart(context: SessionContext, offset: int) -> Reply:
    """Set the offset at which the next transfer begins."""
    context.next_transfer = context.next_transfer._replace(start=offset, end=None)
    return reply(codes.FILE_ACTION_PENDING, f"The next transfer begins at {offset}.")


@verbs.add(
    "RANG",
    ArgumentKind.TEXT,
    rfc="draft-bryan-ftp-range",
    syntax="<first> <last>",
    feature="RANG STREAM",
)
async def byte_range(context: SessionContext, text: str) -> Reply:
    """Select the bytes for the next RETR or HASH; 1 0 selects the whole file again."""
    words = text.split()
    if len(words) != 2:
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: RANG <first> <last>")
    first, last = parse_count(words[0]), parse_count(words[1])
    if (first, last) == (1, 0):
        context.next_transfer = context.next_transfer._replace(start=0, end=None)
        return reply(codes.FILE_ACTION_PENDING, "The whole file again.")
    if last < first:
        raise ReplyError(codes.BAD_ARGUMENT, "The last byte is before the first.")
    context.next_transfer = context.next_transfer._replace(start=first, end=last + 1)
    return reply(codes.FILE_ACTION_PENDING, f"Bytes {first} to {last} of the next file.")


@verbs.add("ABOR", rfc="959 4.1.3", allowed_during_transfer=True)
async def abort(context: SessionContext, _none: None) -> Reply:
    """Abort the transfer in progress; the protocol interpreter has done so before this runs."""
    channel = context.connector.take()
    if channel is None:
        return reply(codes.TRANSFER_COMPLETE, "Nothing is being transferred.")
    channel.close()
    return reply(codes.TRANSFER_COMPLETE, "Data connection closed.")


for word, name in {"GET": "RETR", "PUT": "STOR"}.items():
    verbs.alias(word, name)
