"""Files over the data connection (RFC 959 §4.1.3, RFC 3659 §5, draft-bryan-ftp-range)."""

from __future__ import annotations

import re
from dataclasses import replace

from ftpservice.commands.transfer_job import DownloadJob, UploadJob
from ftpservice.commands.upload_resumption import (
    check_reader,
    forget_partial,
    refuse_missing,
    refuse_offset,
    resume_request,
)
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.arguments import parse_count
from ftpservice.session.context import NextTransfer, SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.errors import BadOffset, FilesystemUnsupported, NoSpace, PathNotFound
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IReading,
    IWriting,
    MaskedMode,
    WriteMode,
    WriteRequest,
)
from ftpservice.wire import codes
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply

__all__ = ["verbs"]

verbs = VerbTable()

ALLO_ARGUMENT = re.compile(r" *([0-9]+)(?: +R *[0-9]+)? *", re.ASCII | re.IGNORECASE)
WRITE_MODE_VERBS = {
    WriteMode.REPLACE: "STOR",
    WriteMode.APPEND: "APPE",
    WriteMode.CREATE: "APPE",
    WriteMode.UNIQUE: "STOU",
}


@verbs.add("RETR", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>", moves_data=True)
async def retrieve(context: SessionContext, path: VirtualPath) -> Transfer:
    """Download a file."""
    marks, channel = context.take_next_transfer(), context.connector.take()
    try:
        try:
            reading: IReading = await context.storage.open_reading(path)
        except PathNotFound as error:
            await refuse_missing(context, path, error)
        try:
            check_reader(context, path)
            _check_span(context, marks, reading.entry.size)
            return DownloadJob(context, channel, str(path), reading, marks)
        except BaseException:
            reading.close()
            raise
    except BaseException:
        if channel is not None:
            channel.close()  # with a FIN, not a reset
        raise


def _check_span(context: SessionContext, marks: NextTransfer, size: int) -> None:
    if context.parameters.ascii and (marks.start or marks.end is not None):
        raise ReplyError(codes.BAD_PARAMETER, "A part of a file can be had in TYPE I only.")
    if marks.start > size:
        raise ReplyError(codes.BAD_OFFSET, f"The file ends at {size}.")


@verbs.add("STOR", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>", moves_data=True)
async def store(context: SessionContext, path: VirtualPath) -> Transfer:
    """Upload a file; it appears when it is whole."""
    return await _receive(context, path, WriteMode.REPLACE, "Receiving {path}.")


@verbs.add("APPE", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>", moves_data=True)
async def append(context: SessionContext, path: VirtualPath) -> Transfer:
    """Upload to the end of a file."""
    return await _receive(context, path, WriteMode.APPEND, "Appending to {path}.")


@verbs.add("STOU", ArgumentKind.OPTIONAL_PATH, rfc="959 4.1.3", syntax="[<file>]", moves_data=True)
async def store_unique(context: SessionContext, path: VirtualPath) -> Transfer:
    """Upload a file under a name that nobody has (RFC 1123 4.1.2.9)."""
    wanted = path if path != context.directory else path.child("upload")
    return await _receive(context, wanted, WriteMode.UNIQUE, "FILE: {name}")


async def _receive(
    context: SessionContext, path: VirtualPath, how: WriteMode, begin: str
) -> Transfer:
    marks, channel = context.take_next_transfer(), context.connector.take()
    active: ActiveUpload | None = None
    try:
        request = await _request(context, path, how, marks)
        if request.write_mode is not WriteMode.UNIQUE:
            active = await _register(context, path, request.write_mode)
        try:
            writing: IWriting = await context.storage.open_writing(path, request)
        except BadOffset:
            await refuse_offset(context, path)
        if request.write_mode is not WriteMode.APPEND:
            forget_partial(context, path)
        try:
            target = writing.path  # of STOU, and of a storage that renames
            name = str(target)
            watched = context.services.digests.hashing_writer_for(writing, request.write_mode)
            job = UploadJob(context, channel, WRITE_MODE_VERBS[how], watched, name)
            text = begin.format(path=name, name=target.name)
            job.begin(text, request.write_mode, marks.announced, active)
            return job
        except BaseException:
            await writing.abandon()
            raise
    except BaseException:
        if channel is not None:
            channel.close()  # with a FIN, not a reset
        if active is not None:
            context.services.uploads.leave(active)
        raise


async def _register(
    context: SessionContext, path: VirtualPath, how: WriteMode
) -> ActiveUpload | None:
    """Claim the name for this session; raises `BeingUploaded` while another one uploads to it.

    Appending uploads do not exclude each other; they would lose their bytes to one that replaces.
    """
    uploads, key = context.services.uploads, (context.account.name, path)
    peer, clock = context.peer, context.services.clock
    if key in uploads.active:
        if how is WriteMode.APPEND:
            await uploads.settle(key)
            if uploads.appends(key):
                return None
        await uploads.abort_dead_upload(key, peer.host, clock.seconds)
    appends = how is WriteMode.APPEND
    upload = ActiveUpload(key, peer.host, context.is_live, clock.seconds(), appends=appends)
    uploads.active[key] = upload
    return upload


async def _request(
    context: SessionContext, path: VirtualPath, how: WriteMode, marks: NextTransfer
) -> WriteRequest:
    parameters = context.parameters
    if marks.end is not None:
        raise ReplyError(codes.BAD_PARAMETER, "RANG is for downloads.")
    offset, partial_only = 0, False
    if marks.start or how is WriteMode.APPEND:
        how, offset, partial_only = await resume_request(context, path, how, marks)
    if parameters.ascii and (offset or marks.start):
        raise ReplyError(codes.BAD_PARAMETER, "An upload is resumed in TYPE I only.")
    mode = MaskedMode.of(0o666, parameters.umask)
    return WriteRequest(how, offset, None, mode, partial_only)


@verbs.add("ALLO", ArgumentKind.TEXT, rfc="959 4.1.3", syntax="<bytes> [R <record size>]")
async def allocate(context: SessionContext, text: str) -> Reply:
    """Announce the size of the next upload; fewer bytes are then a cut."""
    sizes = ALLO_ARGUMENT.fullmatch(text)
    if sizes is None:
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: ALLO <bytes> [R <record size>]")
    announced = parse_count(sizes[1])
    spacious = IFreeSpace(context.storage, None)
    if spacious is not None:
        try:
            free = await spacious.free_space(context.directory)
        except (PathNotFound, FilesystemUnsupported):
            free = announced
        if free < announced:
            raise NoSpace(context.directory)
    context.marks = replace(context.marks, announced=announced or None)
    return reply(codes.OK, f"{announced} bytes or more expected.")


@verbs.add("REST", ArgumentKind.NUMBER, rfc="3659 5", syntax="<offset>", feature="REST STREAM")
async def restart(context: SessionContext, offset: int) -> Reply:
    """Have the next transfer begin at an offset."""
    context.marks = replace(context.marks, start=offset, end=None)
    return reply(codes.FILE_ACTION_PENDING, f"The next transfer begins at {offset}.")


@verbs.add(
    "RANG",
    ArgumentKind.TEXT,
    rfc="draft-bryan-ftp-range",
    syntax="<first> <last>",
    feature="RANG STREAM",
)
async def byte_range(context: SessionContext, text: str) -> Reply:
    """Choose the bytes that the next RETR or HASH is about; 1 0 chooses all again."""
    words = text.split()
    if len(words) != 2:
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: RANG <first> <last>")
    first, last = parse_count(words[0]), parse_count(words[1])
    if (first, last) == (1, 0):
        context.marks = replace(context.marks, start=0, end=None)
        return reply(codes.FILE_ACTION_PENDING, "The whole file again.")
    if last < first:
        raise ReplyError(codes.BAD_ARGUMENT, "The last byte lies before the first.")
    context.marks = replace(context.marks, start=first, end=last + 1)
    return reply(codes.FILE_ACTION_PENDING, f"Bytes {first} to {last} of the next file.")


@verbs.add("ABOR", rfc="959 4.1.3", allowed_during_transfer=True)
async def abort(context: SessionContext, _none: None) -> Reply:
    """End the transfer in progress; the control connection has stopped it when this runs."""
    channel = context.connector.take()
    if channel is None:
        return reply(codes.TRANSFER_COMPLETE, "Nothing is being transferred.")
    channel.close()
    return reply(codes.TRANSFER_COMPLETE, "Data connection closed.")


for word, name in {"GET": "RETR", "PUT": "STOR"}.items():
    verbs.alias(word, name)
