"""SITE PARTIALS: the interrupted uploads that an account has left behind, told and removed.

Nobody sees them in listings, yet they take space. An account with the admin right is told of those
of all accounts below its root, and may remove them.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError

from ftpservice.concurrency.task import Task
from ftpservice.events import FileChanged
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IPartials, PartialUpload
from ftpservice.storage.rights import Right
from ftpservice.wire import codes
from ftpservice.wire.facts import format_time
from ftpservice.wire.replies import Reply, reply

__all__ = ["SYNTAX", "partials", "partials_summary"]

SYNTAX = "[DELETE <path>|ALL]"
MAX_SHOWN = 500
SEARCH_TIMEOUT_SECONDS = 1.0
"""For finding all of them where they are only to be summed up."""


async def partials(context: SessionContext, text: str | None) -> Reply:
    """List interrupted uploads (path, bytes, time of the last of them), or remove them."""
    word, _space, name = (text or "").strip().partition(" ")
    everybody = Right.ADMIN in context.account.rights
    kept = context.capability(IPartials, Right.CREATE, context.directory)
    if not word:
        return _listed(await kept.all_partials(everybody), everybody)
    if word.upper() != "DELETE" or not name:
        raise ReplyError(codes.BAD_ARGUMENT, f"Syntax: SITE PARTIALS {SYNTAX}")
    path = None if name.upper() == "ALL" else context.resolve(name)
    dropped = await kept.drop_partials(path, everybody)
    for one in dropped:
        context.publish(FileChanged, "drop partial", str(one.path))
        context.services.resume_offers.withdraw((one.owner, one.path))
    return reply(codes.OK, f"{_summed(dropped)} removed.")


def _listed(found: Sequence[PartialUpload], everybody: bool) -> Reply:
    newest = sorted(found, key=lambda one: -one.modified)[:MAX_SHOWN]
    lines = [_line(one, everybody) for one in newest]
    if len(found) > MAX_SHOWN:
        lines.append(f" ({len(found) - MAX_SHOWN} more)")
    return reply(codes.SYSTEM_STATUS, "Interrupted uploads:", *lines, f"{_summed(found)}.")


def _line(one: PartialUpload, everybody: bool) -> str:
    state = " (under way)" if one.is_active else ""
    owner = f" {one.owner or '?'}" if everybody else ""
    return f" {one.size} {format_time(one.modified)}{owner} {one.path}{state}"


def _summed(found: Sequence[PartialUpload]) -> str:
    size = sum(one.size for one in found)
    return f"{len(found)} interrupted upload{'' if len(found) == 1 else 's'}, {size} bytes"


async def partials_summary(context: SessionContext) -> str:
    """Return a line on what the account's interrupted uploads hold; empty for nothing."""
    kept = IPartials(context.storage, None)
    if kept is None:
        return ""
    search = Task(_searched(kept))
    late = context.services.clock.callLater(SEARCH_TIMEOUT_SECONDS, search.cancel)
    try:
        found: Sequence[PartialUpload] = await search
    except StorageError:
        return ""
    except CancelledError:
        if late.active():
            raise
        return " SITE PARTIALS lists interrupted uploads."
    finally:
        if late.active():
            late.cancel()
    return f" {_summed(found)} (SITE PARTIALS)." if found else ""


async def _searched(kept: IPartials) -> Sequence[PartialUpload]:
    found: Sequence[PartialUpload] = await kept.all_partials()
    return found
