"""``ftpservice token``: the tokens of programs that use the REST API."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftpservice.activity.text_table import printable_text, table_lines
from ftpservice.admin.command_output import (
    FAILED_STATUS,
    UNAVAILABLE_STATUS,
    AdminCommandError,
    CommandGroup,
)
from ftpservice.service.settings.directories import acting_as
from ftpservice.state_files.private_json import DocumentStore, DocumentUnavailable, UnknownDocuments
from ftpservice.web.access.scopes import Scope, parse_scopes
from ftpservice.web.access.token_file import TOKEN_FILE, ApiToken, TokenFile, TokenFileError
from ftpservice.wire.units import parse_duration

if TYPE_CHECKING:
    from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["configured_directory", "configured_documents", "data_directory_command", "token"]

DEFAULT_DATA_DIRECTORY = "var"
NEVER = "never"

Command = Callable[..., None]


@click.group(cls=CommandGroup)
def token() -> None:
    """Add, list and remove the tokens of programs that use the REST API.

    A running service knows a change within a second.
    """


def data_directory_command(
    file_of: Callable[[Path, DocumentStore], Any], errors: type[Exception]
) -> Callable[[Command], Command]:
    """Return a decorator that adds ``--data-dir``, ``--config`` and ``--json`` to a command.

    Its first argument is what ``file_of`` returns for the data directory, and for where its files
    are in force. As root it acts as the owner of the directory.
    """

    def decorated(function: Command) -> Command:
        @click.option(
            "--data-dir", metavar="DIR", help="Data directory of the service [default: var]."
        )
        @click.option(
            "--config",
            metavar="FILE",
            help="Settings file of the service: names its data directory and its cluster.",
        )
        @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        @functools.wraps(function)
        def run(data_dir: str | None, config: str | None, **arguments: Any) -> None:
            directory = data_dir or _configured_directory(config)
            documents = configured_documents(config)
            try:
                state = os.stat(directory)
                with acting_as((state.st_uid, state.st_gid)):
                    function(file_of(Path(directory), documents), **arguments)
            except OSError as error:
                text = f"{directory}: {error.strerror} - give the --data-dir of the service"
                raise AdminCommandError(text, "NoDataDirectory") from None
            except errors as error:
                is_away = isinstance(error.__cause__, DocumentUnavailable)
                status = UNAVAILABLE_STATUS if is_away else FAILED_STATUS
                raise AdminCommandError(str(error), type(error).__name__, status) from None
            finally:
                documents.close()

        return run

    return decorated


def _token_file(directory: Path, documents: DocumentStore) -> TokenFile:
    return TokenFile(directory / TOKEN_FILE, time.time, documents)


token_command = data_directory_command(_token_file, TokenFileError)


def _configured_directory(config: str | None) -> str:
    if config is None:
        return DEFAULT_DATA_DIRECTORY
    found = configured_directory(config)
    if found is None:
        raise click.UsageError(f"{config} has no data-dir")
    return found


def configured_directory(config: str) -> str | None:
    """Return the data directory of a settings file, None without one; raises `UsageError`."""
    return _settings(config).data_dir


def configured_documents(config: str | None) -> DocumentStore:
    """Return where the files of a data directory are in force; raises `UsageError`.

    Without a settings file it is not known whether that is the database of a cluster.
    """
    if config is None:
        return UnknownDocuments()
    from ftpservice.service.cluster.cluster_setup import documents_for
    from ftpservice.service.settings.errors import CannotStart

    try:
        return documents_for(_settings(config))
    except CannotStart as error:
        raise click.UsageError(f"--config {config}: {error.line}") from None


def _settings(config: str) -> ServiceSettings:
    from ftpservice.service.settings.errors import SettingsConflict
    from ftpservice.service.settings.settings import settings_from
    from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

    try:
        return settings_from(load_toml(config), os.getcwd())
    except (BadConfiguration, SettingsConflict) as error:
        raise click.UsageError(f"--config {error}") from None


def _parsed_scopes(_context: object, _parameter: object, texts: Sequence[str]) -> frozenset[Scope]:
    return parse_scopes(texts)


def _parsed_duration(_context: object, _parameter: object, text: str) -> float | None:
    if text == NEVER:
        return None
    try:
        seconds = parse_duration(text, needs_unit=True)
    except ValueError as error:
        raise click.UsageError(f"--expires: {error}") from None
    if seconds <= 0:
        raise click.UsageError("--expires: give a time, such as 90d, or never")
    return seconds


@token.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    callback=_parsed_scopes,
    help="What it may do; may be given more than once.",
)
@click.option(
    "--expires",
    metavar="TIME",
    default="90d",
    show_default=True,
    callback=_parsed_duration,
    help="Time for which it is valid, such as 12h or 90d, or never.",
)
@token_command
def add_token(
    file: TokenFile, *, name: str, scopes: frozenset[Scope], expires: float | None, as_json: bool
) -> None:
    """Add a token and print it: it is shown this once."""
    secret = file.add(name, scopes, expires)
    click.echo(json.dumps({"name": name, "token": secret}) if as_json else secret)


@token.command("list", short_help="List the tokens.")
@token_command
def list_tokens(file: TokenFile, *, as_json: bool) -> None:
    """List the tokens; their secrets are not known."""
    tokens = list(file.read().values())
    if as_json:
        shown = [{k: v for k, v in one.to_json().items() if k != "hash"} for one in tokens]
        click.echo(json.dumps(shown, indent=1))
        return
    rows = [
        (
            printable_text(one.name, 60),
            ",".join(sorted(one.scopes)),
            _day(one.created),
            _end(one),
        )
        for one in tokens
    ]
    click.echo("\n".join(table_lines(("NAME", "SCOPES", "CREATED", "EXPIRES"), rows)))


@token.command("remove")
@click.argument("name")
@token_command
def remove_token(file: TokenFile, *, name: str, as_json: bool) -> None:
    """Remove a token; it is refused within a second."""
    file.remove(name)
    click.echo(json.dumps({"removed": name}) if as_json else f"token {name!r} removed")


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _end(one: ApiToken) -> str:
    if one.expires is None:
        return NEVER
    return f"{_day(one.expires)}{' (expired)' if one.expires <= time.time() else ''}"
