"""SITE PARTIALS: lists and removes the partial uploads of an account.

They take space and do not appear in listings. An account with the admin right sees those of all
accounts below its root, and may remove them.
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
from ftpservice.wire.units import bytes_text, count_text

__all__ = ["SYNTAX", "partials", "partials_summary"]

SYNTAX = "[DELETE <path>|ALL]"
MAX_SHOWN = 500
SEARCH_TIMEOUT_SECONDS = 1.0
"""For finding all of them for the summary of STAT."""


async def partials(context: SessionContext, text: str | None) -> Reply:
    """List interrupted uploads (bytes, time of the last byte, path), or remove them."""
    word, _space, name = (text or "").strip().partition(" ")
    all_accounts = Right.ADMIN in context.account.rights
    storage = context.capability(IPartials, Right.CREATE, context.directory)
    if not word:
        return _listed(await storage.all_partials(all_accounts), all_accounts)
    if word.upper() != "DELETE" or not name:
        raise ReplyError(codes.BAD_ARGUMENT, f"Syntax: SITE PARTIALS {SYNTAX}")
    path = None if name.upper() == "ALL" else context.resolve(name)
    dropped = await storage.drop_partials(path, all_accounts)
    for one in dropped:
        context.events.publish(FileChanged, "drop partial", str(one.path))
        context.services.resume_offers.withdraw((one.owner, one.path))
    return reply(codes.OK, f"{_summary(dropped)} removed.")


def _listed(found: Sequence[PartialUpload], all_accounts: bool) -> Reply:
    newest = sorted(found, key=lambda one: -one.modified)[:MAX_SHOWN]
    lines = [_line(one, all_accounts) for one in newest]
    if len(found) > MAX_SHOWN:
        lines.append(f" ({len(found) - MAX_SHOWN} more)")
    return reply(codes.SYSTEM_STATUS, "Interrupted uploads:", *lines, f"{_summary(found)}.")


def _line(one: PartialUpload, all_accounts: bool) -> str:
    state = " (under way)" if one.is_active else ""
    owner = f" {one.owner or '?'}" if all_accounts else ""
    return f" {one.size} {format_time(one.modified)}{owner} {one.path}{state}"


def _summary(found: Sequence[PartialUpload]) -> str:
    size = sum(one.size for one in found)
    return f"{count_text(len(found), 'interrupted upload')}, {bytes_text(size)}"


async def partials_summary(context: SessionContext) -> str:
    """Return a line on the account's interrupted uploads; empty without any."""
    storage = IPartials(context.storage, None)
    if storage is None:
        return ""
    search = Task(_all_partials(storage))
    timeout = context.services.clock.callLater(SEARCH_TIMEOUT_SECONDS, search.cancel)
    try:
        found: Sequence[PartialUpload] = await search
    except StorageError:
        return ""
    except CancelledError:
        if timeout.active():
            raise
        return " SITE PARTIALS lists interrupted uploads."
    finally:
        if timeout.active():
            timeout.cancel()
    return f" {_summary(found)} (SITE PARTIALS)." if found else ""


async def _all_partials(storage: IPartials) -> Sequence[PartialUpload]:
    found: Sequence[PartialUpload] = await storage.all_partials()
    return found
