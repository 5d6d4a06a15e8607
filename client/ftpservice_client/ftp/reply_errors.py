"""What a server's refusal means; the only place that knows reply codes for errors.

RFC 959 has one code, 550, for all that can be wrong with a file. What is behind it only the text
says, in each server's own words; so where it matters the caller looks again (`Exists`, `NotFound`).
"""

from __future__ import annotations

import re

from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import (
    Busy,
    Denied,
    Exists,
    LoginFailed,
    NoSpace,
    NotFound,
    Refused,
    Unsupported,
    login_problem,
)

__all__ = ["NOT_IMPLEMENTED", "refusal", "turned_away"]

NOT_IMPLEMENTED = frozenset(
    {codes.UNKNOWN_VERB, codes.NOT_IMPLEMENTED, codes.BAD_PARAMETER, codes.SUPERFLUOUS}
)
"""Codes that say that a command, or what it was to do, is not known here."""
KINDS: dict[int, type[Refused]] = {
    codes.UNAVAILABLE: Busy,
    codes.FILE_BUSY: Refused,
    codes.NO_SPACE: NoSpace,
    codes.OVER_QUOTA: NoSpace,
    codes.NOT_LOGGED_IN: Denied,  # after a login that went well it means this
    532: Denied,
    codes.BAD_NAME: Denied,
}
LOGIN = frozenset({"USER", "PASS", "ACCT"})
TEXTS: tuple[tuple[re.Pattern[str], type[Refused]], ...] = (
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
        Exists,
    ),
    (re.compile(r"space|quota|too (large|big)", re.I), NoSpace),
    (re.compile(r"denied|permi|forbidden|not allowed|read.only|privilege", re.I), Denied),
)


def refusal(reply: Reply, command: str) -> Refused | Unsupported:
    """Return the error for a reply of 400 and more to ``command``."""
    verb, _, argument = command.partition(" ")
    said = _said(reply)
    if verb.upper() in LOGIN:
        kind = Busy if reply.code == codes.UNAVAILABLE else LoginFailed
        return kind(login_problem(said), reply)
    text = f"{argument}: {said}" if argument and not _names(said, argument) else said
    if reply.code in NOT_IMPLEMENTED:
        return Unsupported(f"the server has no {verb.upper()} for this: {said}")
    return _kind(reply.code, said)(text, reply)


def turned_away(greeting: Reply) -> Refused:
    """Return the error for a greeting of 400 and more."""
    kind = KINDS.get(greeting.code, Refused)
    return kind(f"the server refuses the connection: {_said(greeting)}", greeting)


def _said(reply: Reply) -> str:
    return " ".join(line.strip() for line in reply.lines if line.strip()) or str(reply.code)


def _names(said: str, name: str) -> bool:
    """Tell whether ``name`` is in what was said, and not merely part of a word of it."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) is not None


def _kind(code: int, said: str) -> type[Refused]:
    if code == codes.REFUSED:
        return next((kind for pattern, kind in TEXTS if pattern.search(said)), Refused)
    return KINDS.get(code, Refused)
