"""Converts refusals of the server to errors; the only place that knows the reply codes of errors.

RFC 959 has one code, 550, for everything that can be wrong with a file. The reason is only in the
text, in the words of each server. Where the reason matters, the caller checks it (`AlreadyExists`,
`NotFound`).
"""

from __future__ import annotations

import re

from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import (
    AccessDenied,
    AlreadyExists,
    AuthenticationFailed,
    NotFound,
    ServerBusy,
    ServerRefused,
    StorageFull,
    Unsupported,
    login_error_text,
)

__all__ = ["NOT_IMPLEMENTED_CODES", "error_for_greeting", "error_for_reply"]

NOT_IMPLEMENTED_CODES = frozenset(
    {codes.UNKNOWN_VERB, codes.NOT_IMPLEMENTED, codes.BAD_PARAMETER, codes.SUPERFLUOUS}
)
"""Codes for a command or a parameter that the server does not support."""
ERRORS_BY_CODE: dict[int, type[ServerRefused]] = {
    codes.SERVICE_UNAVAILABLE: ServerBusy,
    codes.FILE_BUSY: ServerRefused,
    codes.NO_SPACE: StorageFull,
    codes.OVER_QUOTA: StorageFull,
    codes.NOT_LOGGED_IN: AccessDenied,  # after a successful login
    532: AccessDenied,
    codes.BAD_NAME: AccessDenied,
}
LOGIN_COMMANDS = frozenset({"USER", "PASS", "ACCT"})
ERRORS_BY_TEXT: tuple[tuple[re.Pattern[str], type[ServerRefused]], ...] = (
    (
        re.compile(
            r"no such (file|dir)|not? found|n[o']t exist|cannot find|can't find|failed to open"
            r"|failed to change dir|check for file existence|could not get file size|no file",
            re.IGNORECASE,
        ),
        NotFound,
    ),
    (
        re.compile(
            r"exists|of that name already|is a dir|not a dir|not empty|not a (plain|regular)", re.I
        ),
        AlreadyExists,
    ),
    (re.compile(r"space|quota|too (large|big)", re.I), StorageFull),
    (re.compile(r"denied|permi|forbidden|not allowed|read.only|privilege", re.I), AccessDenied),
)


def error_for_reply(reply: Reply, command: str) -> ServerRefused | Unsupported:
    """Return the error for a reply of 400 and more to ``command``."""
    verb, _, argument = command.partition(" ")
    reply_text = _reply_text(reply)
    if verb.upper() in LOGIN_COMMANDS:
        kind = ServerBusy if reply.code == codes.SERVICE_UNAVAILABLE else AuthenticationFailed
        return kind(login_error_text(reply_text), reply)
    text = reply_text
    if argument and not _mentions(reply_text, argument):
        text = f"{argument}: {reply_text}"
    if reply.code in NOT_IMPLEMENTED_CODES:
        return Unsupported(f"the server has no {verb.upper()} for this: {reply_text}")
    return _error_class(reply.code, reply_text)(text, reply)


def error_for_greeting(greeting: Reply) -> ServerRefused:
    """Return the error for a greeting of 400 and more."""
    kind = ERRORS_BY_CODE.get(greeting.code, ServerRefused)
    return kind(f"the server refuses the connection: {_reply_text(greeting)}", greeting)


def _reply_text(reply: Reply) -> str:
    return " ".join(line.strip() for line in reply.lines if line.strip()) or str(reply.code)


def _mentions(text: str, name: str) -> bool:
    """Return whether ``name`` is in the text, and not merely part of a word."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _error_class(code: int, text: str) -> type[ServerRefused]:
    if code == codes.FILE_UNAVAILABLE:
        return next(
            (kind for pattern, kind in ERRORS_BY_TEXT if pattern.search(text)), ServerRefused
        )
    return ERRORS_BY_CODE.get(code, ServerRefused)
