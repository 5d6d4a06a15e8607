"""File system commands: remove, create, rename, size, times (RFC 959 §4.1.3, RFC 3659)."""

from __future__ import annotations

from ftpservice.commands.sizes import ascii_size, known_entry, with_access
from ftpservice.commands.upload_resumption import (
    interrupted_time,
    refuse_missing,
    remove_file,
    reported_size,
)
from ftpservice.events import FileChanged
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.directory_rights import IDirectoryRights
from ftpservice.storage.errors import NotSupported, PathNotFound
from ftpservice.storage.interfaces import ISetTimes, MaskedMode
from ftpservice.storage.permissions import permission_facts
from ftpservice.storage.rights import Right
from ftpservice.wire import codes
from ftpservice.wire.entry import Kind
from ftpservice.wire.facts import format_facts, format_time, parse_time
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply, verbatim_reply

__all__ = ["verbs"]

verbs = VerbTable()


@verbs.add("DELE", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<file>")
async def delete(context: SessionContext, path: VirtualPath) -> Reply:
    """Delete a file, and the account's interrupted upload of it."""
    await remove_file(context, path)
    context.events.publish(FileChanged, "delete", str(path))
    return reply(codes.FILE_ACTION_OK, "Removed.")


@verbs.add("MKD", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<directory>")
async def make_directory(context: SessionContext, path: VirtualPath) -> Reply:
    """Create a directory."""
    mode = MaskedMode.of(0o777, context.parameters.umask)
    await context.storage.make_directory(path, mode)
    context.events.publish(FileChanged, "mkdir", str(path))
    return verbatim_reply(codes.PATHNAME, f"{path.quoted()} created.")


@verbs.add("RMD", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<directory>")
async def remove_directory(context: SessionContext, path: VirtualPath) -> Reply:
    """Remove an empty directory."""
    await context.storage.remove_directory(path)
    context.events.publish(FileChanged, "rmdir", str(path))
    return reply(codes.FILE_ACTION_OK, "Removed.")


@verbs.add("RNFR", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<old name>")
async def rename_from(context: SessionContext, path: VirtualPath) -> Reply:
    """Name the file or directory to rename."""
    try:
        await context.storage.stat(path)
    except PathNotFound as error:
        await refuse_missing(context, path, error)
    context.rename_from = path
    return reply(codes.FILE_ACTION_PENDING, "Ready for RNTO.")


@verbs.add("RNTO", ArgumentKind.PATH, rfc="959 4.1.3", syntax="<new name>")
async def rename_to(context: SessionContext, path: VirtualPath) -> Reply:
    """Rename what RNFR named."""
    await context.storage.rename(context.rename_from, path)
    context.events.publish(FileChanged, "rename", str(context.rename_from), str(path))
    return reply(codes.FILE_ACTION_OK, "Renamed.")


@verbs.add("SIZE", ArgumentKind.PATH, rfc="3659 4", syntax="<file>", feature="SIZE")
async def size(context: SessionContext, path: VirtualPath) -> Reply:
    """Return the number of bytes that RETR would send."""
    in_ascii = context.parameters.ascii  # nothing is resumed in TYPE A
    entry = await (known_entry if in_ascii else reported_size)(context, path)
    if entry.kind is not Kind.FILE:
        raise ReplyError(codes.FILE_UNAVAILABLE, "Not a regular file.")
    if in_ascii:
        return reply(codes.FILE_STATUS, str(await ascii_size(context, path, entry)))
    return reply(codes.FILE_STATUS, str(entry.size))


@verbs.add("MDTM", ArgumentKind.TEXT, rfc="3659 3", syntax="<file>", feature="MDTM")
async def modification_time(context: SessionContext, text: str) -> Reply:
    """Return the modification time of a file (UTC); with a time before the name, set it."""
    path = context.resolve(text)
    try:
        entry = await context.storage.stat(path)
    except PathNotFound as error:
        stamp, space, name = text.partition(" ")
        if space and name and stamp.isdigit() and len(stamp) == 14:
            return await set_modified(context, stamp, name)
        modified = await interrupted_time(context, path, error)
        return reply(codes.FILE_STATUS, format_time(modified))
    return reply(codes.FILE_STATUS, format_time(entry.modified))


async def set_modified(context: SessionContext, stamp: str, name: str) -> Reply:
    """Set a modification time, and return the reply of MFMT."""
    path = context.resolve(name)
    await set_times(context, path, modified=_time(stamp))
    return reply(codes.FILE_STATUS, f"Modify={stamp}; {name}")


def _time(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError:
        raise ReplyError(codes.BAD_ARGUMENT, "The time is YYYYMMDDHHMMSS[.sss], in UTC.") from None


async def set_times(
    context: SessionContext,
    path: VirtualPath,
    modified: float | None = None,
    created: float | None = None,
) -> None:
    """Set the times that are given; raises `NotSupported` if the storage cannot."""
    times = context.capability(ISetTimes, Right.ATTRIBUTES, path)
    if created is not None and not times.creation:
        raise NotSupported(path)
    await times.set_times(path, modified, created)
    context.events.publish(FileChanged, "attributes", str(path))


def _stamp_and_name(text: str) -> tuple[str, str]:
    stamp, _space, name = text.partition(" ")
    if not name:
        raise ReplyError(codes.BAD_ARGUMENT, "The argument is a time and a name.")
    return stamp, name


@verbs.add(
    "MFMT", ArgumentKind.TEXT, rfc="draft-somers-ftp-mfxx 3", syntax="<time> <file>", feature="MFMT"
)
async def modify_modification_time(context: SessionContext, text: str) -> Reply:
    """Set the modification time of a file (UTC)."""
    return await set_modified(context, *_stamp_and_name(text))


@verbs.add("MFCT", ArgumentKind.TEXT, rfc="draft-somers-ftp-mfxx 4", syntax="<time> <file>")
async def modify_creation_time(context: SessionContext, text: str) -> Reply:
    """Set the creation time of a file (UTC), if the storage has one."""
    stamp, name = _stamp_and_name(text)
    await set_times(context, context.resolve(name), created=_time(stamp))
    return reply(codes.FILE_STATUS, f"Create={stamp}; {name}")


@verbs.add(
    "MFF",
    ArgumentKind.TEXT,
    rfc="draft-somers-ftp-mfxx 5",
    syntax="<fact>=<value>;... <file>",
    feature="MFF Modify;Create;",
)
async def modify_facts(context: SessionContext, text: str) -> Reply:
    """Set facts of a file."""
    facts, _space, name = text.partition(" ")
    facts = facts.removesuffix(";")
    pairs = [fact.partition("=")[::2] for fact in facts.split(";")]
    wanted = {key.lower(): value for key, value in pairs}
    if not name or len(wanted) != len(pairs) or not all(wanted.values()):
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: MFF <fact>=<value>;... <file>")
    if not wanted.keys() <= {"modify", "create"}:
        raise ReplyError(codes.BAD_PARAMETER, "Only Modify and Create can be set.")
    times = {key: _time(value) for key, value in wanted.items()}
    await set_times(context, context.resolve(name), times.get("modify"), times.get("create"))
    return reply(codes.FILE_STATUS, f"{facts}; {name}")


@verbs.add("MLST", ArgumentKind.OPTIONAL_TEXT, rfc="3659 7", syntax="[<path>[/]]",
           feature="MLST {facts}")  # fmt: skip
async def machine_status(context: SessionContext, text: str | None) -> Reply:
    """Return the facts of a name; of a link itself, or of its target if a slash follows."""
    path = context.resolve(text)
    follow = text is None or _names_target(text)
    entry = await with_access(context, path, await known_entry(context, path, follow), follow)
    ruled = IDirectoryRights(context.storage, None)
    permissions = (
        permission_facts(context.account.rights, entry)
        if ruled is None
        else ruled.table.permissions(path, entry)
    )
    facts = format_facts(entry, context.parameters.facts, permissions, path.parent)
    return verbatim_reply(codes.FILE_ACTION_OK, "Facts follow.", f" {facts} {path}", "End.")


def _names_target(text: str) -> bool:
    """Return whether an argument names the target of a link: ``link/``, ``link/.``, ``.``."""
    return text.rpartition("/")[2] in ("", ".", "..")


for word, name in {
    "XMKD": "MKD", "XRMD": "RMD", "MKDIR": "MKD", "RMDIR": "RMD", "RM": "DELE",
}.items():  # fmt: skip
    verbs.alias(word, name)
