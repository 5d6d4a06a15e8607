"""The events of refused commands."""

from __future__ import annotations

from ftpservice.commands.extensions import site_verbs
from ftpservice.commands.table import VERB_TABLE
from ftpservice.control.dispatch import shown_verb
from ftpservice.events import CommandRefused, UploadRefused
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError, refused_by, undisclosed_detail
from ftpservice.session.verb_table import ArgumentKind
from ftpservice.storage.errors import StorageError
from ftpservice.wire.commands import Command
from ftpservice.wire.paths import BadPath
from ftpservice.wire.replies import Reply

__all__ = ["publish_refused"]

PATH_ARGUMENTS = (ArgumentKind.PATH, ArgumentKind.OPTIONAL_PATH, ArgumentKind.PATH_OR_ROOT)
LOGIN_VERBS = ("USER", "PASS")
"""They publish `LoginFailed`; only their errors of syntax and sequence are published here."""
UPLOAD_VERBS = ("STOR", "APPE", "STOU", "PUT")
SECRET_VERBS = ("ACCT",)
"""Verbs after a login whose argument is secret."""


def publish_refused(
    context: SessionContext, command: Command, answer: Reply, error: BaseException | None = None
) -> None:
    """Publish that ``command`` was refused with ``answer``, because of ``error``."""
    if command.verb in LOGIN_VERBS and not isinstance(error, ReplyError):
        context.published_error = None
        return
    subject, text = _subject(context, command, error), answer.lines[-1]
    verb = shown_verb(command.verb)
    facts = (verb, subject, answer.code, text, undisclosed_detail(error, text))
    if command.verb in UPLOAD_VERBS:
        context.events.publish(UploadRefused, *facts, 0, refused_by(error))
    else:
        context.events.publish(CommandRefused, *facts)


def _subject(context: SessionContext, command: Command, error: BaseException | None) -> str:
    """Return the path that the command names, or its argument if that is not secret."""
    row, text = VERB_TABLE.rows.get(command.verb), command.argument
    if row is None or text is None or row.name in SECRET_VERBS:
        return ""
    if row.name == "SITE" and f"SITE {text.split(' ')[0].upper()}" not in site_verbs.rows:
        return ""  # its argument may be a password (SITE PSWD of other servers)
    if not row.login and not isinstance(error, StorageError):
        return ""
    try:
        path = context.resolve(text)
    except BadPath:
        return text
    is_path = isinstance(error, StorageError) and error.path == path
    return str(path) if is_path or row.argument in PATH_ARGUMENTS else text
