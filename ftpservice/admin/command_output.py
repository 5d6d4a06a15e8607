"""Errors and warnings of all commands: a line each on stderr, or with ``--json`` an object each.

An unknown command is named, with the one that was probably meant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches
from io import StringIO
from typing import Any, NoReturn

import click

from ftpservice.service.settings.errors import WrongCommandLine

__all__ = [
    "FAILED_STATUS",
    "JSON_OPTION",
    "UNAVAILABLE_STATUS",
    "AdminCommandError",
    "AdminCommands",
    "CommandGroup",
    "access_advice",
    "show_warning",
]

FAILED_STATUS = 1
USAGE_STATUS = 2
UNAVAILABLE_STATUS = 3
JSON_OPTION = "--json"
PREFIX = "ftpservice: "


class CommandGroup(click.Group):
    """A `click.Group` with suggestions; lists its commands in the order of their declaration."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as in the base class
        """Return the names of the commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; raises `click.UsageError` for an unknown one."""
        name = args[0]
        if name in self.commands or name.startswith("-"):
            return super().resolve_command(ctx, args)
        close = get_close_matches(name, self.commands, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise click.UsageError(f"Unknown command: {name!r}.{meant}", ctx)


class AdminCommandError(click.ClickException):
    """Ends a command with a message; ``kind`` is the word for it in JSON."""

    exit_code: int  # type: ignore[misc]  # that of an instance, as in subclasses of click

    def __init__(self, message: str, kind: str, status: int = FAILED_STATUS) -> None:
        super().__init__(message)
        self.kind = kind
        self.exit_code = status


def access_advice(error: BaseException | None) -> str:
    """Return what to do after an error of a file that another user may use; else nothing."""
    is_denied = isinstance(error, PermissionError)
    return " - run this as the user of the service, or as root" if is_denied else ""


def show_warning(message: str, as_json: bool) -> None:
    """Print a warning on stderr."""
    shown = {"warning": {"message": message}}
    click.echo(json.dumps(shown) if as_json else f"{PREFIX}warning: {message}", err=True)


class AdminCommands(CommandGroup):
    """The commands of this program; errors of all of them have the same form.

    With ``--json`` anywhere in the command line: ``{"error": {"kind": ..., "message": ...}}``.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - it always ends the process
        **extra: Any,
    ) -> NoReturn:
        """Run a command line; ends with `SystemExit`."""
        as_json = JSON_OPTION in (args or ())
        try:
            status = super().main(args, prog_name, complete_var, False, **extra)
        except click.ClickException as error:
            kind = getattr(error, "kind", "UsageError")
            _show_error(error, kind, as_json)
            raise SystemExit(error.exit_code) from None
        except click.Abort:
            _show_error(click.ClickException("interrupted"), "Interrupted", as_json)
            raise SystemExit(FAILED_STATUS) from None
        except SystemExit as end:
            if not isinstance(end.code, str):
                raise
            shown = click.ClickException(end.code.removeprefix(PREFIX))
            is_wrong = isinstance(end, WrongCommandLine)
            _show_error(shown, "UsageError" if is_wrong else "CannotStart", as_json)
            raise SystemExit(USAGE_STATUS if is_wrong else FAILED_STATUS) from None
        raise SystemExit(status if isinstance(status, int) else 0)


def _show_error(error: click.ClickException, kind: str, as_json: bool) -> None:
    message = error.format_message()
    if as_json:
        click.echo(json.dumps({"error": {"kind": kind, "message": message}}), err=True)
    elif isinstance(error, click.UsageError):
        shown = StringIO()
        error.show(shown)
        *usage, _, last = shown.getvalue().rpartition("Error: ")
        click.echo("".join(usage) + (PREFIX + last if usage[0] else last), err=True, nl=False)
    else:
        click.echo(f"{PREFIX}{message}", err=True)
