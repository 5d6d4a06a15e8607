"""SITE UNDELETE: lists and restores what an account has deleted and overwritten (trash)."""

from __future__ import annotations

from ftpservice.events import FileChanged
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.storage.interfaces import MaskedMode
from ftpservice.storage.rights import Right
from ftpservice.storage.trash import ITrash, TrashedFile, find_trashed, restore
from ftpservice.wire import codes
from ftpservice.wire.facts import format_time
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply
from ftpservice.wire.units import bytes_text, count_text

__all__ = ["UNDELETE_SYNTAX", "restore_and_tell", "undelete"]

UNDELETE_SYNTAX = "[LIST <path> | [REPLACE] FILE <path> | [REPLACE] ID <id> [<new path>]]"
MAX_SHOWN = 500
LIST, REPLACE, FILE, ID = "LIST", "REPLACE", "FILE", "ID"


async def undelete(context: SessionContext, text: str | None) -> Reply:
    """List deleted and overwritten files (id, bytes, time, how, path), or restore one of them."""
    word, _space, rest = (text or "").strip().partition(" ")
    if word.upper() in ("", LIST):
        return await _listed(context, context.resolve(rest or None))
    replace = word.upper() == REPLACE
    if replace:
        word, _space, rest = rest.lstrip().partition(" ")
    if word.upper() not in (FILE, ID) or not rest:
        raise ReplyError(codes.BAD_ARGUMENT, f"Syntax: SITE UNDELETE {UNDELETE_SYNTAX}")
    context.capability(ITrash, Right.CREATE, context.directory)
    target: VirtualPath | None = None
    if word.upper() == FILE:
        found = await find_trashed(context.storage, context.resolve(rest))
    else:
        number, _space, name = rest.partition(" ")
        target = context.resolve(name) if name else None
        found = await find_trashed(context.storage, number=number)
    path = await restore_and_tell(context, found, target, replace)
    return reply(codes.FILE_ACTION_OK, f"Restored {path}")


async def restore_and_tell(
    context: SessionContext,
    trashed: TrashedFile,
    target: VirtualPath | None = None,
    replace: bool = False,
) -> VirtualPath:
    """Restore a file and publish that; return its path. Raises what `restore` does."""
    path = trashed.path if target is None else target
    mode = MaskedMode.of(0o777, context.parameters.umask)
    await restore(context.storage, trashed, path, replace, mode)
    context.events.publish(FileChanged, "restore", str(trashed.path), str(path))
    return path


async def _listed(context: SessionContext, path: VirtualPath) -> Reply:
    found = await context.capability(ITrash, Right.CREATE, path).trashed(path)
    lines = [_line(one) for one in found[:MAX_SHOWN]]
    if len(found) > MAX_SHOWN:
        lines.append(f" ({len(found) - MAX_SHOWN} more)")
    count = count_text(len(found), "file")
    size = sum(one.size for one in found)
    return reply(
        codes.SYSTEM_STATUS,
        f"Deleted and overwritten below {path}:",
        *lines,
        f"{count}, {bytes_text(size)}.",
    )


def _line(one: TrashedFile) -> str:
    how = "overwritten" if one.was_overwritten else "deleted"
    return f" {one.id} {one.size} {format_time(one.deleted)} {how} {one.path}"
