"""The verbs of the simple protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from twisted.python.failure import Failure

from ftpservice.accounts.login_attempts import MOST_FAILURES
from ftpservice.commands import access_control
from ftpservice.commands.upload_resumption import remove_file
from ftpservice.events import CommandFailed, CommandRefused, FileChanged, LoginRefusal
from ftpservice.session.active_uploads import LivingUpload
from ftpservice.session.context import Context
from ftpservice.session.error_replies import described, log, untold
from ftpservice.session.verb_table import Run
from ftpservice.simple.error_answers import Refused, refusal
from ftpservice.simple.line_stream import Stream
from ftpservice.simple.listing import list_path
from ftpservice.simple.transfers import SMALL, Move, Whole, dropped, opened, publish, receive, send
from ftpservice.simple.upload_batch import Uploads
from ftpservice.storage.interfaces import IHashes, IWriting
from ftpservice.storage.rights import Right
from ftpservice.wire import codes
from ftpservice.wire.paths import ROOT, VirtualPath
from ftpservice.wire.replies import Reply
from ftpservice.wire.simple import (
    GO,
    MOST_AT_ONCE,
    BadLine,
    Code,
    Upload,
    answer,
    bytes_behind,
    error,
    parse_download,
    parse_upload,
)

__all__ = ["TABLE", "Command", "Conversation", "uploaded_anyway"]

ALGORITHM = "SHA-256"


@dataclass
class Conversation:
    """What a command is given: the session's memory and its connection."""

    context: Context
    stream: Stream
    last_words_said: bool = False
    certified: bool = False
    """Whether the client's certificate has logged it in, and its password will not be looked at."""

    def __post_init__(self) -> None:
        """Answer uploads in their order."""
        self.uploads = Uploads(publish, self._tell)

    def _tell(self, batch: Sequence[Whole]) -> None:
        for upload in batch:
            problem = upload.problem
            if problem is not None:
                self.context.told = problem  # by the event of the end of its transfer
            self.stream.put(answer(upload.text) if problem is None else self.refused(problem))
        self.stream.offer()

    def refused(self, problem: BaseException, line: bytes = b"") -> bytes:
        """Return the answer to a problem, and tell of it unless an event has told of it already.

        One that nobody expected is logged. ``line`` is what was asked.
        """
        refused, context = refusal(problem), self.context
        told, context.told = context.told, None
        if refused is None:
            log.failure("a command failed", Failure(problem))
            context.publish(CommandFailed, "simple", described(problem))
            refused = Refused(Code.INTERNAL, "local error")
        elif problem is not told:
            verb, about = _asked(line)
            told_of = (verb, about, refused.code.value, refused.text, untold(problem, refused.text))
            context.publish(CommandRefused, *told_of)
        self.last_words_said |= refused.parting
        return error(refused.code, refused.text)


def _asked(line: bytes) -> tuple[str, str]:
    """Return the verb and what it is about; nothing of a line that may hold a password."""
    verb, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
    verb = verb.upper()
    if verb not in TABLE:
        return "", ""
    return verb, "" if verb in ("USER", "PASS") else argument


@dataclass(frozen=True)
class Command:
    """A row of the table."""

    run: Callable[[Conversation, str], Awaitable[None]]
    help: str
    """A line for HELP."""
    is_upload: bool = False
    """Whether it need not wait for the uploads before it."""


async def uploaded_anyway(stream: Stream, line: bytes) -> None:
    """Drop the bytes behind the line of an upload that will be refused."""
    size = bytes_behind(line)
    if size is None:
        raise Refused(Code.SYNTAX, "UPLD <size>+ <name>", parting=True)
    await dropped(stream, size)


async def _said(verb: Run, context: Context, argument: str) -> Reply:
    """Do what FTP does at one of its verbs."""
    reply = await verb(context, argument)
    if not isinstance(reply, Reply):
        raise TypeError("a login is answered at once")
    return reply


async def _user(session: Conversation, name: str) -> None:
    if not name:
        raise BadLine("USER <name>")
    reply = await _said(access_control.user, session.context, name)
    session.certified = reply.code == codes.LOGGED_IN_BY_CERTIFICATE
    if reply.code >= 400:
        raise _refused(session.context, reply)
    await session.stream.say(answer(f"password required for {name}"))


async def _pass(session: Conversation, password: str) -> None:
    context = session.context
    if not session.certified:
        if not context.user:
            raise Refused(Code.AUTH, "say USER first")
        await _ask(context, password)
    session.certified = False
    await session.stream.say(answer(f"logged in as {context.user}"))


async def _ask(context: Context, password: str) -> None:
    reply = await _said(access_control.password, context, password)
    if reply.code >= 400:
        raise _refused(context, reply)
    if context.wants_private_data and not context.secured:
        access_control.tell_refused(context, LoginRefusal.NO_TLS, "files are not sent in clear")
        context.forget_login()
        context.told = refused = Refused(Code.AUTH, "not in clear; use TLS")
        raise refused


def _refused(context: Context, reply: Reply) -> Refused:
    """Return what a refused login, which was told of, is in this protocol."""
    code, parting = Code.AUTH, reply.code != codes.NOT_LOGGED_IN
    if parting and context.failures < MOST_FAILURES:
        code = Code.BUSY
    context.told = refused = Refused(code, reply.lines[0].rstrip(".").lower(), parting)
    return refused


async def _logged_in(context: Context) -> None:
    """See that somebody is logged in: anonymous users need not say who they are."""
    if context.identity.account is not None:
        return
    if not context.services.settings.anonymous or context.user:
        raise Refused(Code.AUTH, "log in with USER and PASS")
    reply = await _said(access_control.user, context, context.services.user_anonymous)
    if reply.code >= 400:
        raise _refused(context, reply)
    await _ask(context, "")


def _path(name: str) -> VirtualPath:
    """Return the path of a name that has to be there."""
    if not name:
        raise BadLine("a name is wanted")
    return VirtualPath.parse(name)


async def _list(session: Conversation, name: str) -> None:
    await _logged_in(session.context)
    path = VirtualPath.parse(name) if name else ROOT
    await list_path(session.context, session.stream, path)


async def _download(session: Conversation, argument: str) -> None:
    await _logged_in(session.context)
    wanted = parse_download(argument)
    await send(session.context, session.stream, _path(wanted.name), wanted.offset)


async def _upload(session: Conversation, argument: str) -> None:
    context, stream, uploads = session.context, session.stream, session.uploads
    try:
        await _logged_in(context)
        order = parse_upload(argument)
        path = _path(order.name)
        is_here = order.at_once and order.size < SMALL and stream.holds(order.size)
        is_here = is_here and context.throttles(upload=True) is None
        await (uploads.room(str(path)) if is_here else uploads.settle())
        writing, living = await _begun(session, order, path)
    except Exception:
        await uploaded_anyway(stream, f"UPLD {argument}".encode())
        raise
    # The transaction is open: nothing is waited for before somebody sees to its end.
    text = f"{order.size} {order.name}"
    if is_here:
        move = Move(context, path, True, living)
        move.size = order.size
        uploads.take(Whole(str(path), text, stream.taken(order.size), writing, move))
        return
    if not order.at_once:
        stream.put(GO)
    await receive(context, stream, writing, order.size, living)
    await stream.say(answer(text))


async def _begun(
    session: Conversation, order: Upload, path: VirtualPath
) -> tuple[IWriting, LivingUpload]:
    if order.at_once and order.size > MOST_AT_ONCE:
        raise BadLine(f"more than {MOST_AT_ONCE} bytes have to wait for GO")
    return await opened(session.context, path, order.size, session.stream.connection)


async def _delete(session: Conversation, name: str) -> None:
    await _logged_in(session.context)
    path = _path(name)
    await remove_file(session.context, path)
    session.context.publish(FileChanged, "delete", str(path))
    await session.stream.say(answer(name))


async def _hash(session: Conversation, name: str) -> None:
    context = session.context
    await _logged_in(context)
    path = _path(name)
    hashes = context.capability(IHashes, Right.READ, path)
    entry = await context.storage.stat(path)
    known = context.services.digests.find(context.account.name, path, entry, ALGORITHM)
    digest = known or await hashes.hash(path, ALGORITHM, 0, entry.size)
    await session.stream.say(answer(f"{ALGORITHM} {digest} {name}"))


async def _quit(session: Conversation, _none: str) -> None:
    await session.stream.say(answer("goodbye"))
    session.last_words_said = True


async def _help(session: Conversation, _none: str) -> None:
    lines = [command.help for command in TABLE.values()]
    await session.stream.say(answer(str(len(lines))))
    await session.stream.say("".join(f"{line}\n" for line in lines).encode())


TABLE: dict[str, Command] = {
    "USER": Command(_user, "USER <name>: say who you are"),
    "PASS": Command(_pass, "PASS <password>: log in"),
    "LIST": Command(_list, "LIST [<path>]: what is in a directory, or one file"),
    "DWLD": Command(_download, "DWLD [@<offset>] <name>: download a file, from an offset on"),
    "UPLD": Command(
        _upload, "UPLD <size>[+] <name>: upload a file; with + it follows at once", True
    ),
    "DELF": Command(_delete, "DELF <name>: delete a file"),
    "HASH": Command(_hash, "HASH <name>: the SHA-256 of a file"),
    "HELP": Command(_help, "HELP: this"),
    "QUIT": Command(_quit, "QUIT: say goodbye"),
}
