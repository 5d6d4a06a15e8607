"""What a server's refusal means; the only place that knows reply codes for errors.

RFC 959 has one code, 550, for all that can be wrong with a file. The reason is only in the text
says, in each server's own words; so where it matters the caller looks again (`AlreadyExists`,
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
"""Codes that say that a command, or what it was to do, is not known here."""
ERRORS_BY_CODE: dict[int, type[ServerRefused]] = {
    codes.SERVICE_UNAVAILABLE: ServerBusy,
    codes.FILE_BUSY: ServerRefused,
    codes.NO_SPACE: StorageFull,
    codes.OVER_QUOTA: StorageFull,
    codes.NOT_LOGGED_IN: AccessDenied,  # after a login that went well it means this
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
    said = _reply_text(reply)
    if verb.upper() in LOGIN_COMMANDS:
        kind = ServerBusy if reply.code == codes.SERVICE_UNAVAILABLE else AuthenticationFailed
        return kind(login_error_text(said), reply)
    text = f"{argument}: {said}" if argument and not _mentions(said, argument) else said
    if reply.code in NOT_IMPLEMENTED_CODES:
        return Unsupported(f"the server has no {verb.upper()} for this: {said}")
    return _error_class(reply.code, said)(text, reply)


def error_for_greeting(greeting: Reply) -> ServerRefused:
    """Return the error for a greeting of 400 and more."""
    kind = ERRORS_BY_CODE.get(greeting.code, ServerRefused)
    return kind(f"the server refuses the connection: {_reply_text(greeting)}", greeting)


def _reply_text(reply: Reply) -> str:
    return " ".join(line.strip() for line in reply.lines if line.strip()) or str(reply.code)


def _mentions(said: str, name: str) -> bool:
    """Tell whether ``name`` is in what was said, and not merely part of a word of it."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) is not None


def _error_class(code: int, said: str) -> type[ServerRefused]:
    if code == codes.FILE_UNAVAILABLE:
        return next(
            (kind for pattern, kind in ERRORS_BY_TEXT if pattern.search(said)), ServerRefused
        )
    return ERRORS_BY_CODE.get(code, ServerRefused)
