"""The verbs of the simple protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from twisted.python.failure import Failure

from ftpservice.accounts.defence.login_attempts import MAX_FAILURES_PER_SESSION
from ftpservice.commands import access_control
from ftpservice.commands.information import report_lines
from ftpservice.commands.upload_resumption import remove_file
from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    FileChanged,
    LoginRefusal,
    UploadRefused,
)
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import log, undisclosed_detail, unexpected_error_text
from ftpservice.session.verb_table import CommandFunction
from ftpservice.simple.error_answers import INTERNAL_ERROR, AnswerError, answer_for
from ftpservice.simple.line_stream import LineStream
from ftpservice.simple.listing import list_path
from ftpservice.simple.transfers import (
    ReceivedUpload,
    TransferRecord,
    begin_upload,
    discard_bytes,
    publish_uploads,
    receive_upload,
    send_download,
)
from ftpservice.simple.upload_batch import UploadPublisher
from ftpservice.storage.interfaces import IHashes
from ftpservice.storage.rights import Right
from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.wire import codes
from ftpservice.wire.paths import ROOT, BadPath, VirtualPath
from ftpservice.wire.replies import Reply
from ftpservice.wire.simple import (
    GO,
    MAX_IMMEDIATE_UPLOAD_SIZE,
    ErrorCode,
    MalformedCommand,
    answer,
    bytes_following,
    error,
    parse_download,
    parse_upload,
)

__all__ = ["SIMPLE_VERBS", "UNKNOWN_VERB", "SimpleInterpreter", "SimpleVerb", "discard_upload"]

HASH_ALGORITHM = "SHA-256"


@dataclass
class SimpleInterpreter:
    """What commands use: the session's context, its stream and its uploads."""

    context: SessionContext
    stream: LineStream
    final_answer_sent: bool = False
    is_certificate_login: bool = False
    """Whether USER has logged in by a certificate; PASS then ignores the password."""

    def __post_init__(self) -> None:
        """Create the publisher of uploads."""
        self.uploads = UploadPublisher(publish_uploads, self._answer_uploads)

    def _answer_uploads(self, batch: Sequence[ReceivedUpload]) -> None:
        for upload in batch:
            problem = upload.problem
            if problem is None:
                self.stream.append(answer(upload.text))
            else:
                self.context.published_error = problem  # its TransferEnded event has been published
                self.stream.append(self.refuse(problem))
        self.stream.try_flush()

    def refuse(self, problem: BaseException, line: bytes = b"") -> bytes:
        """Return the answer to a failed command ``line``, and publish the failure.

        Publishes nothing if an event has reported the problem; logs an unexpected one.
        """
        refusal, context = answer_for(problem), self.context
        reported, context.published_error = context.published_error, None
        if refusal is None:
            log.failure("a command failed", Failure(problem))
            context.events.publish(CommandFailed, "simple", unexpected_error_text(problem))
            refusal = INTERNAL_ERROR
        elif problem is not reported:
            detail = undisclosed_detail(problem, refusal.text)
            verb, path = _verb_and_path(line)
            kind = UploadRefused if verb == "UPLD" else CommandRefused
            context.events.publish(kind, verb, path, refusal.code.value, refusal.text, detail)
        self.final_answer_sent |= refusal.ends_session
        return error(refusal.code, refusal.text)


def _verb_and_path(line: bytes) -> tuple[str, str]:
    """Return a line's verb and path; nothing of an unknown command, and no password."""
    verb, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
    verb = verb.upper()
    if verb not in SIMPLE_VERBS:
        return "", ""
    if verb in ("USER", "PASS") or not argument:
        return verb, ""
    with suppress(MalformedCommand, BadPath):
        name = argument
        if verb in ("UPLD", "DWLD"):
            name = (parse_upload if verb == "UPLD" else parse_download)(argument).name
        return verb, str(VirtualPath.parse(name))
    return verb, argument


@dataclass(frozen=True)
class SimpleVerb:
    """A row of the verb table."""

    run: Callable[[SimpleInterpreter, str], Awaitable[None]]
    help: str
    """The line of HELP."""
    is_upload: bool = False
    """Whether it may run while earlier uploads are published."""


async def discard_upload(stream: LineStream, line: bytes) -> None:
    """Discard the bytes that follow the line of a refused ``UPLD <size>+``."""
    size = bytes_following(line)
    if size is None:
        raise AnswerError(ErrorCode.SYNTAX, "UPLD <size>+ <name>", ends_session=True)
    await discard_bytes(stream, size)


async def _ftp_reply(verb: CommandFunction, context: SessionContext, argument: str) -> Reply:
    """Run the FTP command that does the same."""
    reply = await verb(context, argument)
    if not isinstance(reply, Reply):
        raise TypeError("a login has one reply")
    return reply


async def _user(session: SimpleInterpreter, name: str) -> None:
    if not name:
        raise MalformedCommand("USER <name>")
    reply = await _ftp_reply(access_control.user, session.context, name)
    session.is_certificate_login = reply.code == codes.LOGGED_IN_BY_CERTIFICATE
    if reply.code >= 400:
        raise _login_refused(session.context, reply)
    await session.stream.send(answer(f"password required for {name}"))


async def _pass(session: SimpleInterpreter, password: str) -> None:
    context = session.context
    if not session.is_certificate_login:
        if not context.user:
            raise AnswerError(ErrorCode.AUTH, "send USER first")
        await _check_password(context, password)
    session.is_certificate_login = False
    await session.stream.send(answer(f"logged in as {context.user}"))


async def _check_password(context: SessionContext, password: str) -> None:
    reply = await _ftp_reply(access_control.password, context, password)
    if reply.code >= 400:
        raise _login_refused(context, reply)
    if context.requires_protected_data and not context.tls_state.control:
        access_control.publish_login_refused(
            context, LoginRefusal.NO_TLS, "plaintext transfers are refused"
        )
        context.forget_login()
        context.published_error = refusal = AnswerError(ErrorCode.AUTH, "TLS is required")
        raise refusal


def _login_refused(context: SessionContext, reply: Reply) -> AnswerError:
    """Return the error for a refused login, whose event has been published."""
    code, ends_session = ErrorCode.AUTH, reply.code != codes.NOT_LOGGED_IN
    if ends_session and context.failures < MAX_FAILURES_PER_SESSION:
        code = ErrorCode.BUSY
    text = reply.lines[0].rstrip(".").lower()
    context.published_error = refusal = AnswerError(code, text, ends_session)
    return refusal


async def _require_login(context: SessionContext) -> None:
    """Log in anonymously if there was no login and that is allowed; raises `AnswerError`."""
    if context.portal_login.account is not None:
        return
    if not context.services.settings.anonymous or context.user:
        raise AnswerError(ErrorCode.AUTH, "log in with USER and PASS")
    reply = await _ftp_reply(access_control.user, context, context.services.user_anonymous)
    if reply.code >= 400:
        raise _login_refused(context, reply)
    await _check_password(context, "")


def _path(name: str) -> VirtualPath:
    if not name:
        raise MalformedCommand("the name is missing")
    return VirtualPath.parse(name)


async def _list(session: SimpleInterpreter, name: str) -> None:
    await _require_login(session.context)
    path = VirtualPath.parse(name) if name else ROOT
    await list_path(session.context, session.stream, path)


async def _download(session: SimpleInterpreter, argument: str) -> None:
    await _require_login(session.context)
    wanted = parse_download(argument)
    await send_download(session.context, session.stream, _path(wanted.name), wanted.offset)


async def _upload(session: SimpleInterpreter, argument: str) -> None:
    context, stream, uploads = session.context, session.stream, session.uploads
    try:
        await _require_login(context)
        # 1. A small upload that has arrived completely joins a batch; others wait for the batches.
        order = parse_upload(argument)
        path = _path(order.name)
        size, name = order.size, str(path)
        is_complete = order.at_once and size < SMALL_FILE_SIZE and stream.has_bytes(size)
        is_complete = is_complete and context.rate_limiters(upload=True) is None
        await (uploads.wait_for_room(name) if is_complete else uploads.wait_until_done())
        # 2. Begin the transaction.
        if order.at_once and size > MAX_IMMEDIATE_UPLOAD_SIZE:
            raise MalformedCommand(
                f"more than {MAX_IMMEDIATE_UPLOAD_SIZE} bytes have to wait for GO"
            )
        writing, active = await begin_upload(context, path, size, stream.connection)
    except Exception:
        await discard_upload(stream, f"UPLD {argument}".encode())
        raise
    # 3. Hand the transaction to what ends it; nothing may be awaited before that.
    text = f"{size} {order.name}"
    if is_complete:
        transfer = TransferRecord(context, name, active, size)
        uploads.add(ReceivedUpload(name, text, stream.take_bytes(size), writing, transfer))
        return
    if not order.at_once:
        stream.append(GO)
    await receive_upload(context, stream, writing, size, active)
    await stream.send(answer(text))


async def _delete(session: SimpleInterpreter, name: str) -> None:
    await _require_login(session.context)
    path = _path(name)
    await remove_file(session.context, path)
    session.context.events.publish(FileChanged, "delete", str(path))
    await session.stream.send(answer(name))


async def _hash(session: SimpleInterpreter, name: str) -> None:
    context = session.context
    await _require_login(context)
    path = _path(name)
    hashes = context.capability(IHashes, Right.READ, path)
    entry = await context.storage.stat(path)
    known = context.services.digests.find(context.account.name, path, entry, HASH_ALGORITHM)
    digest = known or await hashes.hash(path, HASH_ALGORITHM, 0, entry.size)
    await session.stream.send(answer(f"{HASH_ALGORITHM} {digest} {name}"))


async def _report(session: SimpleInterpreter, argument: str) -> None:
    context = session.context
    await _require_login(context)
    if Right.ADMIN not in context.account.rights:
        raise AnswerError(ErrorCode.DENIED, "only accounts with the admin right may do that")
    lines = await report_lines(context, argument)
    await session.stream.send(answer(str(len(lines))))
    text = "".join(f"{line}\n" for line in lines)
    await session.stream.send(text.encode("utf-8", "backslashreplace"))


async def _quit(session: SimpleInterpreter, _none: str) -> None:
    await session.stream.send(answer("goodbye"))
    session.final_answer_sent = True


async def _help(session: SimpleInterpreter, _none: str) -> None:
    lines = [command.help for command in SIMPLE_VERBS.values()]
    await session.stream.send(answer(str(len(lines))))
    await session.stream.send("".join(f"{line}\n" for line in lines).encode())


async def _unknown(_session: SimpleInterpreter, _argument: str) -> None:
    raise MalformedCommand("unknown command; send HELP for a list")


UNKNOWN_VERB = SimpleVerb(_unknown, "")
SIMPLE_VERBS: dict[str, SimpleVerb] = {
    "USER": SimpleVerb(_user, "USER <name>: the account to log in with"),
    "PASS": SimpleVerb(_pass, "PASS <password>: log in"),
    "LIST": SimpleVerb(_list, "LIST [<path>]: list a directory or a file"),
    "DWLD": SimpleVerb(_download, "DWLD [@<offset>] <name>: download a file, or its rest"),
    "UPLD": SimpleVerb(
        _upload, "UPLD <size>[+] <name>: upload a file; with + the bytes follow at once", True
    ),
    "DELF": SimpleVerb(_delete, "DELF <name>: delete a file"),
    "HASH": SimpleVerb(_hash, "HASH <name>: the SHA-256 of a file"),
    "REPORT": SimpleVerb(
        _report, "REPORT [<since> [<until> [<user>]]]: what has happened (admin right)"
    ),
    "HELP": SimpleVerb(_help, "HELP: this list"),
    "QUIT": SimpleVerb(_quit, "QUIT: end the session"),
}
