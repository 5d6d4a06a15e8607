"""Digests, space and SITE (draft-bryan-ftp-hash, draft-peterson-streamlined-ftp)."""

from __future__ import annotations

from contextlib import suppress

from ftpservice.commands.filesystem import set_modified, set_times
from ftpservice.commands.information import report
from ftpservice.commands.partial_uploads import SYNTAX, partials
from ftpservice.commands.sizes import directory_size
from ftpservice.commands.undelete import UNDELETE_SYNTAX, undelete
from ftpservice.events import FileChanged
from ftpservice.session.arguments import parse_argument
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.tls_policy import TLSSwitch
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.errors import NotSupported
from ftpservice.storage.interfaces import IFreeSpace, IHashes, ISetMode
from ftpservice.storage.quota_interfaces import IQuota, QuotaState
from ftpservice.storage.rights import OWNER_BITS, Right
from ftpservice.wire import codes
from ftpservice.wire.facts import parse_time
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply

__all__ = ["site_verbs", "verbs"]

verbs = VerbTable()
site_verbs = VerbTable()
"""The commands of SITE; a new one needs only a row here."""


@verbs.add("HASH", ArgumentKind.PATH, rfc="draft-bryan-ftp-hash", syntax="<file>",
           feature="HASH {hashes}")  # fmt: skip
async def digest(context: SessionContext, path: VirtualPath) -> Transfer | Reply:
    """Return a digest of a file or of its RANG; OPTS HASH chooses the algorithm."""
    algorithm, span = context.parameters.hash_algorithm, context.take_next_transfer()
    hashes = context.capability(IHashes, Right.READ, path)
    entry = await context.storage.stat(path)
    end = entry.size if span.end is None else span.end
    if span.start == 0 and end == entry.size:
        known = context.services.digests.find(context.account.name, path, entry, algorithm)
        if known is not None:
            return hash_reply(path, algorithm, 0, end, known)
    return HashComputation(hashes, path, algorithm, span.start, end)


def hash_reply(path: VirtualPath, algorithm: str, start: int, end: int, result: str) -> Reply:
    """Return the reply of HASH: the last byte is included there."""
    return reply(codes.FILE_STATUS, f"{algorithm} {start}-{max(end - 1, 0)} {result} {path}")


class HashComputation(Transfer):
    """Computes a digest; a transfer without a data connection, so that ABOR and STAT work."""

    def __init__(
        self, hashes: IHashes, path: VirtualPath, algorithm: str, start: int, end: int
    ) -> None:
        super().__init__(f"HASH {path}", upload=False)
        self._hashes = hashes
        self._span = (path, algorithm, start, end)

    async def run(self) -> Reply:
        """Return the digest as a reply."""
        return hash_reply(*self._span, await self._hashes.hash(*self._span))


@verbs.add("AVBL", ArgumentKind.OPTIONAL_PATH, rfc="draft-peterson-streamlined-ftp 4",
           syntax="[<directory>]", feature="AVBL")  # fmt: skip
async def available(context: SessionContext, path: VirtualPath) -> Reply:
    """Return the number of bytes that can still be stored."""
    space, quota = IFreeSpace(context.storage, None), IQuota(context.storage, None)
    left: list[int] = []
    if space is not None:
        with suppress(NotSupported):  # that of this path, where several storages are mounted
            left.append(await space.free_space(path))
    if quota is not None:
        size_left = (await quota.quota_state()).size_left
        left += [] if size_left is None else [size_left]
    if not left:
        raise NotSupported(path)
    return reply(codes.FILE_STATUS, str(min(left)))


@verbs.add("DSIZ", ArgumentKind.OPTIONAL_PATH, rfc="draft-peterson-streamlined-ftp 6",
           syntax="[<directory>]", feature="DSIZ")  # fmt: skip
async def total_size(context: SessionContext, path: VirtualPath) -> Reply:
    """Return the bytes of all files in a directory and below it."""
    return reply(codes.FILE_STATUS, str(await directory_size(context, path)))


@verbs.add("SITE", ArgumentKind.TEXT, rfc="959 4.1.3", syntax="<word> [<argument>]")
async def site(context: SessionContext, text: str) -> Reply | Transfer | TLSSwitch:
    """Carry out a command beyond the standards; SITE HELP lists them."""
    word, _space, rest = text.lstrip().partition(" ")
    row = site_verbs.rows.get(f"SITE {word.upper()}")
    if row is None:
        raise ReplyError(codes.BAD_PARAMETER, f"Unknown SITE {word.upper()}; see SITE HELP.")
    return await row.run(context, parse_argument(context, row, rest or None))


@site_verbs.add("SITE HELP", rfc="959 4.1.3")
async def site_help(_context: SessionContext, _none: None) -> Reply:
    """List the commands of SITE."""
    lines = (f" {row.syntax}  {row.help}" for row in site_verbs)
    return reply(codes.HELP, "SITE commands:", *lines, "End of help.")


@site_verbs.add("SITE CHMOD", ArgumentKind.TEXT, rfc="(in use)", syntax="<octal mode> <path>")
async def change_mode(context: SessionContext, text: str) -> Reply:
    """Set the permission bits of a file."""
    digits, _space, name = text.partition(" ")
    if not name:
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: SITE CHMOD <octal mode> <path>")
    mode, path = _octal(digits), context.resolve(name)
    modes = context.capability(ISetMode, Right.ATTRIBUTES, path)
    await modes.set_mode(path, mode)
    context.events.publish(FileChanged, "attributes", str(path))
    return reply(codes.OK, "Mode set.")


def _octal(digits: str) -> int:
    if not (1 <= len(digits) <= 4 and set(digits) <= set("01234567")):
        raise ReplyError(codes.BAD_ARGUMENT, "A mode is up to four octal digits.")
    mode = int(digits, 8)
    if mode > 0o777:
        raise ReplyError(codes.BAD_ARGUMENT, "Only the nine permission bits can be set.")
    return mode


@site_verbs.add("SITE UMASK", ArgumentKind.OPTIONAL_TEXT, rfc="(in use)", syntax="[<octal mask>]")
async def change_umask(context: SessionContext, text: str | None) -> Reply:
    """Return or set the umask: the permission bits that new files do not get."""
    if text is not None:
        mask = _octal(text.strip())
        if mask & OWNER_BITS:
            raise ReplyError(
                codes.BAD_PARAMETER, "A umask may not withhold permissions of the owner."
            )
        context.parameters.umask = mask
    return reply(codes.OK, f"The umask is {context.parameters.umask:03o}.")


@site_verbs.add("SITE UTIME", ArgumentKind.TEXT, rfc="(in use)",
           syntax="<time> <path> | <path> <atime> <mtime> <ctime> UTC")  # fmt: skip
async def set_time(context: SessionContext, text: str) -> Reply:
    """Set the modification time of a file, in either of the two forms in use."""
    words = text.rsplit(" ", 4)
    if len(words) == 5 and words[4].upper() == "UTC":
        await set_times(context, context.resolve(words[0]), modified=_stamp(words[2]))
        return reply(codes.OK, "Time set.")
    stamp, _space, name = text.partition(" ")
    if not name:
        raise ReplyError(codes.BAD_ARGUMENT, "Syntax: SITE UTIME <time> <path>")
    await set_modified(context, stamp if len(stamp) > 12 else f"{stamp}00", name)
    return reply(codes.OK, "Time set.")


def _stamp(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError:
        raise ReplyError(codes.BAD_ARGUMENT, "The time is YYYYMMDDHHMMSS, in UTC.") from None


@site_verbs.add("SITE QUOTA", rfc="(in use)")
async def quota(context: SessionContext, _none: None) -> Reply:
    """Show the quota of the account and its use, in the words of ProFTPD."""
    storage = IQuota(context.storage, None)
    if storage is None:
        return reply(codes.SUPERFLUOUS, "No quotas in effect.")
    state: QuotaState = await storage.quota_state()
    return reply(
        codes.OK,
        "The current quota for this session are [current/limit]:",
        f" Name: {context.account.name}",
        " Quota Type: User",
        " Per Session: False",
        " Limit Type: Hard",
        f"   Uploaded bytes: {_of_limit(state.size, state.size_limit)}",
        f"   Uploaded files: {_of_limit(state.files, state.files_limit)}",
        "End of quota.",
    )


def _of_limit(used: int, limit: int | None) -> str:
    return f"{used}/unlimited" if limit is None else f"{used}/{limit}"


site_verbs.add(
    "SITE REPORT", ArgumentKind.OPTIONAL_TEXT, rfc="(ours)", syntax="[<since> [<until> [<user>]]]"
)(report)
site_verbs.add("SITE PARTIALS", ArgumentKind.OPTIONAL_TEXT, rfc="(ours)", syntax=SYNTAX)(partials)
site_verbs.add("SITE UNDELETE", ArgumentKind.OPTIONAL_TEXT, rfc="(ours)", syntax=UNDELETE_SYNTAX)(
    undelete
)
