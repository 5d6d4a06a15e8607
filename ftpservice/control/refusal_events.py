"""Tells of commands that were refused; whoever carries one out successfully pays nothing for it."""

from __future__ import annotations

from ftpservice.commands.table import TABLE
from ftpservice.events import CommandRefused
from ftpservice.session.context import Context
from ftpservice.session.error_replies import Refusal, untold
from ftpservice.session.verb_table import Argument
from ftpservice.storage.errors import StorageError
from ftpservice.wire.commands import Command
from ftpservice.wire.paths import BadPath
from ftpservice.wire.replies import Reply

__all__ = ["tell_refused"]

PATHS = (Argument.PATH, Argument.OPTIONAL_PATH, Argument.PATH_OR_ROOT)
LOGINS = ("USER", "PASS")
"""They tell of refusals themselves (`LoginFailed`), but for those of the command as such."""
SECRETS = ("ACCT",)
"""Verbs of logged-in users whose argument is nobody's business."""


def tell_refused(
    context: Context, command: Command, answer: Reply, error: BaseException | None = None
) -> None:
    """Publish that ``command`` was answered with an error, and what ``error`` knows of it."""
    if command.verb in LOGINS and not isinstance(error, Refusal):
        context.told = None
        return
    about, text = _about(context, command, error), answer.lines[-1]
    context.publish(CommandRefused, command.verb, about, answer.code, text, untold(error, text))


def _about(context: Context, command: Command, error: BaseException | None) -> str:
    """Return the path that the command names; of other arguments only what holds no secret."""
    row, text = TABLE.find(command.verb), command.argument
    if row is None or text is None or row.name in SECRETS:
        return ""
    if not row.login and not isinstance(error, StorageError):
        return ""
    try:
        path = context.resolve(text)
    except BadPath:
        return text
    is_path = isinstance(error, StorageError) and error.path == path
    return str(path) if is_path or row.argument in PATHS else text
