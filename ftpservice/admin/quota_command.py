"""The commands ``ftpservice quota show`` and ``quota recount``, answered by the running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from ftpservice.activity.text_table import printable_text, size_text, table_lines
from ftpservice.admin.command_output import CommandGroup
from ftpservice.admin.service_commands import service_command

__all__ = ["quota"]

COUNT_SECONDS = 3600.0
"""How long a command waits while the service counts the files of an account."""
HEADINGS = ("ACCOUNT", "BYTES", "QUOTA", "FILES", "QUOTA")


@click.group(cls=CommandGroup)
def quota() -> None:
    """Show what accounts use of their quotas, or count it again."""


@quota.command("show")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@service_command
def show(send: Callable[..., Any], *, names: Sequence[str], as_json: bool) -> None:
    """Show what accounts use, and their quotas.

    The service counts the files of an account that it has not counted yet.
    """
    _print([send("quota", user=name, seconds=COUNT_SECONDS) for name in names], as_json)


@quota.command("recount", short_help="Count the files of accounts again.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@service_command
def recount(send: Callable[..., Any], *, names: Sequence[str], as_json: bool) -> None:
    """Count the files of accounts again, after other programs have changed them."""
    found = [send("quota", user=name, recount=True, seconds=COUNT_SECONDS) for name in names]
    _print(found, as_json)


def _print(states: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(states, indent=1))
        return
    rows = [
        (
            printable_text(state["user"], 40),
            size_text(state["bytes"]),
            "-" if state["quota_bytes"] is None else size_text(state["quota_bytes"]),
            str(state["files"]),
            "-" if state["quota_files"] is None else str(state["quota_files"]),
        )
        for state in states
    ]
    click.echo("\n".join(table_lines(HEADINGS, rows)))
