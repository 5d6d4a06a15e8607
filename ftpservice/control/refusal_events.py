"""Tells of commands that were refused; whoever carries one out successfully pays nothing for it."""

from __future__ import annotations

from ftpservice.commands.table import VERB_TABLE
from ftpservice.events import CommandRefused
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError, undisclosed_detail
from ftpservice.session.verb_table import ArgumentKind
from ftpservice.storage.errors import StorageError
from ftpservice.wire.commands import Command
from ftpservice.wire.paths import BadPath
from ftpservice.wire.replies import Reply

__all__ = ["publish_refused"]

PATH_ARGUMENTS = (ArgumentKind.PATH, ArgumentKind.OPTIONAL_PATH, ArgumentKind.PATH_OR_ROOT)
LOGIN_VERBS = ("USER", "PASS")
"""They tell of refusals themselves (`LoginFailed`), but for those of the command as such."""
SECRET_VERBS = ("ACCT",)
"""Verbs of logged-in users whose argument is nobody's business."""


def publish_refused(
    context: SessionContext, command: Command, answer: Reply, error: BaseException | None = None
) -> None:
    """Publish that ``command`` was answered with an error, and what ``error`` knows of it."""
    if command.verb in LOGIN_VERBS and not isinstance(error, ReplyError):
        context.told = None
        return
    about, text = _about(context, command, error), answer.lines[-1]
    context.publish(
        CommandRefused, command.verb, about, answer.code, text, undisclosed_detail(error, text)
    )


def _about(context: SessionContext, command: Command, error: BaseException | None) -> str:
    """Return the path that the command names; of other arguments only what holds no secret."""
    row, text = VERB_TABLE.rows.get(command.verb), command.argument
    if row is None or text is None or row.name in SECRET_VERBS:
        return ""
    if not row.login and not isinstance(error, StorageError):
        return ""
    try:
        path = context.resolve(text)
    except BadPath:
        return text
    is_path = isinstance(error, StorageError) and error.path == path
    return str(path) if is_path or row.argument in PATH_ARGUMENTS else text
