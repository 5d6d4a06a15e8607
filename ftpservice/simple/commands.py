"""The verbs of the simple protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from twisted.python.failure import Failure

from ftpservice.accounts.login_attempts import MAX_FAILURES_PER_SESSION
from ftpservice.commands import access_control
from ftpservice.commands.upload_resumption import remove_file
from ftpservice.events import CommandFailed, CommandRefused, FileChanged, LoginRefusal
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import log, undisclosed_detail, unexpected_error_text
from ftpservice.session.verb_table import CommandFunction
from ftpservice.simple.error_answers import AnswerError, answer_for
from ftpservice.simple.line_stream import LineStream
from ftpservice.simple.listing import list_path
from ftpservice.simple.transfers import (
    SMALL_FILE_SIZE,
    ReceivedUpload,
    TransferRecord,
    begin_upload,
    discard_bytes,
    publish_uploads,
    receive_upload,
    send_download,
)
from ftpservice.simple.upload_batch import UploadPublisher
from ftpservice.storage.interfaces import IHashes, IWriting
from ftpservice.storage.rights import Right
from ftpservice.wire import codes
from ftpservice.wire.paths import ROOT, VirtualPath
from ftpservice.wire.replies import Reply
from ftpservice.wire.simple import (
    GO,
    MAX_IMMEDIATE_UPLOAD_SIZE,
    ErrorCode,
    MalformedCommand,
    UploadArgument,
    answer,
    bytes_following,
    error,
    parse_download,
    parse_upload,
)

__all__ = ["SIMPLE_VERBS", "SimpleInterpreter", "SimpleVerb", "discard_upload"]

HASH_ALGORITHM = "SHA-256"


@dataclass
class SimpleInterpreter:
    """What a command is given: the session's memory and its connection."""

    context: SessionContext
    stream: LineStream
    final_reply_sent: bool = False
    certificate_names: bool = False
    """Whether the client's certificate has logged it in, and its password will not be looked at."""

    def __post_init__(self) -> None:
        """Answer uploads in their order."""
        self.uploads = UploadPublisher(publish_uploads, self._tell)

    def _tell(self, batch: Sequence[ReceivedUpload]) -> None:
        for upload in batch:
            problem = upload.problem
            if problem is not None:
                self.context.told = problem  # by the event of the end of its transfer
            self.stream.put(answer(upload.text) if problem is None else self.refused(problem))
        self.stream.try_send()

    def refused(self, problem: BaseException, line: bytes = b"") -> bytes:
        """Return the answer to a problem, and tell of it unless an event has told of it already.

        One that nobody expected is logged. ``line`` is what was asked.
        """
        refused, context = answer_for(problem), self.context
        told, context.told = context.told, None
        if refused is None:
            log.failure("a command failed", Failure(problem))
            context.publish(CommandFailed, "simple", unexpected_error_text(problem))
            refused = AnswerError(ErrorCode.INTERNAL, "local error")
        elif problem is not told:
            verb, about = _asked(line)
            told_of = (
                verb,
                about,
                refused.code.value,
                refused.text,
                undisclosed_detail(problem, refused.text),
            )
            context.publish(CommandRefused, *told_of)
        self.final_reply_sent |= refused.parting
        return error(refused.code, refused.text)


def _asked(line: bytes) -> tuple[str, str]:
    """Return the verb and what it is about; nothing of a line that may hold a password."""
    verb, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
    verb = verb.upper()
    if verb not in SIMPLE_VERBS:
        return "", ""
    return verb, "" if verb in ("USER", "PASS") else argument


@dataclass(frozen=True)
class SimpleVerb:
    """A row of the table."""

    run: Callable[[SimpleInterpreter, str], Awaitable[None]]
    help: str
    """A line for HELP."""
    is_upload: bool = False
    """Whether it need not wait for the uploads before it."""


async def discard_upload(stream: LineStream, line: bytes) -> None:
    """Drop the bytes behind the line of an upload that will be refused."""
    size = bytes_following(line)
    if size is None:
        raise AnswerError(ErrorCode.SYNTAX, "UPLD <size>+ <name>", parting=True)
    await discard_bytes(stream, size)


async def _said(verb: CommandFunction, context: SessionContext, argument: str) -> Reply:
    """Do what FTP does at one of its verbs."""
    reply = await verb(context, argument)
    if not isinstance(reply, Reply):
        raise TypeError("a login is answered at once")
    return reply


async def _user(session: SimpleInterpreter, name: str) -> None:
    if not name:
        raise MalformedCommand("USER <name>")
    reply = await _said(access_control.user, session.context, name)
    session.certificate_names = reply.code == codes.LOGGED_IN_BY_CERTIFICATE
    if reply.code >= 400:
        raise _refused(session.context, reply)
    await session.stream.say(answer(f"password required for {name}"))


async def _pass(session: SimpleInterpreter, password: str) -> None:
    context = session.context
    if not session.certificate_names:
        if not context.user:
            raise AnswerError(ErrorCode.AUTH, "say USER first")
        await _ask(context, password)
    session.certificate_names = False
    await session.stream.say(answer(f"logged in as {context.user}"))


async def _ask(context: SessionContext, password: str) -> None:
    reply = await _said(access_control.password, context, password)
    if reply.code >= 400:
        raise _refused(context, reply)
    if context.requires_protected_data and not context.secured:
        access_control.publish_login_refused(
            context, LoginRefusal.NO_TLS, "files are not sent in clear"
        )
        context.forget_login()
        context.told = refused = AnswerError(ErrorCode.AUTH, "not in clear; use TLS")
        raise refused


def _refused(context: SessionContext, reply: Reply) -> AnswerError:
    """Return what a refused login, which was told of, is in this protocol."""
    code, parting = ErrorCode.AUTH, reply.code != codes.NOT_LOGGED_IN
    if parting and context.failures < MAX_FAILURES_PER_SESSION:
        code = ErrorCode.BUSY
    context.told = refused = AnswerError(code, reply.lines[0].rstrip(".").lower(), parting)
    return refused


async def _logged_in(context: SessionContext) -> None:
    """See that somebody is logged in: anonymous users need not say who they are."""
    if context.portal_login.account is not None:
        return
    if not context.services.settings.anonymous or context.user:
        raise AnswerError(ErrorCode.AUTH, "log in with USER and PASS")
    reply = await _said(access_control.user, context, context.services.user_anonymous)
    if reply.code >= 400:
        raise _refused(context, reply)
    await _ask(context, "")


def _path(name: str) -> VirtualPath:
    """Return the path of a name that has to be there."""
    if not name:
        raise MalformedCommand("a name is wanted")
    return VirtualPath.parse(name)


async def _list(session: SimpleInterpreter, name: str) -> None:
    await _logged_in(session.context)
    path = VirtualPath.parse(name) if name else ROOT
    await list_path(session.context, session.stream, path)


async def _download(session: SimpleInterpreter, argument: str) -> None:
    await _logged_in(session.context)
    wanted = parse_download(argument)
    await send_download(session.context, session.stream, _path(wanted.name), wanted.offset)


async def _upload(session: SimpleInterpreter, argument: str) -> None:
    context, stream, uploads = session.context, session.stream, session.uploads
    try:
        await _logged_in(context)
        order = parse_upload(argument)
        path = _path(order.name)
        is_here = order.at_once and order.size < SMALL_FILE_SIZE and stream.has_bytes(order.size)
        is_here = is_here and context.rate_limiters(upload=True) is None
        await (uploads.wait_for_room(str(path)) if is_here else uploads.settle())
        writing, living = await _begun(session, order, path)
    except Exception:
        await discard_upload(stream, f"UPLD {argument}".encode())
        raise
    # The transaction is open: nothing is waited for before somebody sees to its end.
    text = f"{order.size} {order.name}"
    if is_here:
        move = TransferRecord(context, path, True, living)
        move.size = order.size
        uploads.take(ReceivedUpload(str(path), text, stream.taken(order.size), writing, move))
        return
    if not order.at_once:
        stream.put(GO)
    await receive_upload(context, stream, writing, order.size, living)
    await stream.say(answer(text))


async def _begun(
    session: SimpleInterpreter, order: UploadArgument, path: VirtualPath
) -> tuple[IWriting, ActiveUpload]:
    if order.at_once and order.size > MAX_IMMEDIATE_UPLOAD_SIZE:
        raise MalformedCommand(f"more than {MAX_IMMEDIATE_UPLOAD_SIZE} bytes have to wait for GO")
    return await begin_upload(session.context, path, order.size, session.stream.connection)


async def _delete(session: SimpleInterpreter, name: str) -> None:
    await _logged_in(session.context)
    path = _path(name)
    await remove_file(session.context, path)
    session.context.publish(FileChanged, "delete", str(path))
    await session.stream.say(answer(name))


async def _hash(session: SimpleInterpreter, name: str) -> None:
    context = session.context
    await _logged_in(context)
    path = _path(name)
    hashes = context.capability(IHashes, Right.READ, path)
    entry = await context.storage.stat(path)
    known = context.services.digests.find(context.account.name, path, entry, HASH_ALGORITHM)
    digest = known or await hashes.hash(path, HASH_ALGORITHM, 0, entry.size)
    await session.stream.say(answer(f"{HASH_ALGORITHM} {digest} {name}"))


async def _quit(session: SimpleInterpreter, _none: str) -> None:
    await session.stream.say(answer("goodbye"))
    session.final_reply_sent = True


async def _help(session: SimpleInterpreter, _none: str) -> None:
    lines = [command.help for command in SIMPLE_VERBS.values()]
    await session.stream.say(answer(str(len(lines))))
    await session.stream.say("".join(f"{line}\n" for line in lines).encode())


SIMPLE_VERBS: dict[str, SimpleVerb] = {
    "USER": SimpleVerb(_user, "USER <name>: say who you are"),
    "PASS": SimpleVerb(_pass, "PASS <password>: log in"),
    "LIST": SimpleVerb(_list, "LIST [<path>]: what is in a directory, or one file"),
    "DWLD": SimpleVerb(_download, "DWLD [@<offset>] <name>: download a file, from an offset on"),
    "UPLD": SimpleVerb(
        _upload, "UPLD <size>[+] <name>: upload a file; with + it follows at once", True
    ),
    "DELF": SimpleVerb(_delete, "DELF <name>: delete a file"),
    "HASH": SimpleVerb(_hash, "HASH <name>: the SHA-256 of a file"),
    "HELP": SimpleVerb(_help, "HELP: this"),
    "QUIT": SimpleVerb(_quit, "QUIT: say goodbye"),
}
