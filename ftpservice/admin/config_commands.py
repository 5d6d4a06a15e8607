"""``ftpservice config``: check the settings of the service, and show where each comes from."""

from __future__ import annotations

import getopt
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ftpservice.accounts.stores.url_passwords import without_password
from ftpservice.admin.command_output import (
    JSON_OPTION,
    AdminCommandError,
    CommandGroup,
    show_warning,
)
from ftpservice.service.settings.setting import FLAG, TEXTS

__all__ = ["SERVE_OPTIONS", "config", "effective_settings", "parsed_options"]


class ServeOptionsCommand(click.Command):
    """Takes the options of ``serve`` after its own; ``--json`` may stand anywhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        is_json = JSON_OPTION in args
        others = [word for word in args if word != JSON_OPTION]
        return super().parse_args(ctx, [JSON_OPTION] * is_json + others)


SERVE_OPTIONS: dict[str, Any] = {
    "cls": ServeOptionsCommand,
    "context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False},
    "options_metavar": "[options of serve]",
}
"""Parameters of commands that take the options of ``ftpservice serve`` after their own."""
DEFAULT = "default"

json_option = click.option(JSON_OPTION, "as_json", is_flag=True, help="Print JSON.")
serve_words = click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="")


@click.group(cls=CommandGroup)
def config() -> None:
    """Check the settings of the service, and show where they come from.

    The options are those of 'ftpservice serve', such as --config FILE.
    """


@config.command("check", short_help="Check whether the service would start.", **SERVE_OPTIONS)
@json_option
@serve_words
def check_config(as_json: bool, words: Sequence[str]) -> None:
    """Check whether the service would start, and print what is wrong; the exit status is then 1.

    Creates no file and binds no port. The same as 'ftpservice serve --check'.
    """
    from ftpservice.service.settings.errors import CannotStart
    from ftpservice.service.start_check import start_warnings
    from ftpservice.service.tap import installed_reactor

    try:
        for line in start_warnings(parsed_options(words), installed_reactor()):
            show_warning(line, as_json)
    except CannotStart as error:
        raise AdminCommandError(error.line, "CannotStart") from None
    click.echo(json.dumps({"valid": True}) if as_json else "ftpservice: the settings are valid")


@config.command("show", short_help="Show the settings in force.", **SERVE_OPTIONS)
@json_option
@serve_words
def show_config(as_json: bool, words: Sequence[str]) -> None:
    """Show the settings that differ from the defaults, and where each comes from.

    With --json, all settings: {"name": {"value": ..., "source": ...}}.
    """
    settings = effective_settings(words)
    if as_json:
        shown = {name: {"value": value, "source": source} for name, value, source in settings}
        click.echo(json.dumps(shown, indent=1))
        return
    for name, value, source in settings:
        if source != DEFAULT:
            click.echo(f"{name} = {_toml(value)}  # {source}")


def parsed_options(words: Sequence[str]) -> Any:
    """Parse the options of ``serve``; ends the process with one line on an error."""
    from ftpservice.service.tap import Options

    options = Options()
    options.is_for_command = True
    options.parseOptions(list(words))
    return options


def effective_settings(words: Sequence[str]) -> list[tuple[str, Any, str]]:
    """Return name, value and source of every setting, the values as a user writes them.

    The source is ``default``, ``FILE, line N`` or ``option --name``. Ends the process like
    `parsed_options`.
    """
    from ftpservice.service.settings.settings import SETTINGS
    from ftpservice.service.settings.toml_file import key_line, octal_literal

    options = parsed_options(words)
    path = options["config"]
    text = Path(path).read_text(encoding="utf-8") if path else ""
    table = tomllib.loads(text)
    given: dict[str, Any] = {}
    pairs, _ = getopt.getopt(list(words), options.shortOpt, options.longOpt)
    for option, value in pairs:
        name = option.lstrip("-")
        setting = SETTINGS.get(name)
        if setting is not None and setting.kind is TEXTS:
            given.setdefault(name, []).append(value)
        elif setting is not None:
            given[name] = True if setting.kind is FLAG else value
    found: list[tuple[str, Any, str]] = []
    for name, setting in SETTINGS.items():
        if name in given:
            found.append((name, given[name], f"option --{name}"))
        elif name in table:
            value = octal_literal(name, text) or table[name]
            found.append((name, value, f"{path}, line {key_line(name, text)}"))
        else:
            found.append((name, setting.default, DEFAULT))
    return [(name, _shown(name, value), source) for name, value, source in found]


def _shown(name: str, value: Any) -> Any:
    """Return a value without the passwords of databases."""
    if name not in ("auth", "journal") or value is None:
        return value
    return without_password(value) if isinstance(value, str) else list(map(without_password, value))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
