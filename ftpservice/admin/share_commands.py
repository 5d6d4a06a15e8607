"""``ftpservice share``: the links by which accounts share files."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from ftpservice.activity.text_table import printable_text, table_lines
from ftpservice.admin.command_output import AdminCommandError, CommandGroup
from ftpservice.admin.token_commands import data_directory_command
from ftpservice.state_files.private_json import DocumentStore
from ftpservice.web.shares.share_file import SHARE_FILE, Share, ShareFile, ShareFileError

__all__ = ["share"]


@click.group(cls=CommandGroup)
def share() -> None:
    """List and remove the links by which accounts share files over HTTP.

    A running service knows a change within a second.
    """


def _share_file(directory: Path, documents: DocumentStore) -> ShareFile:
    return ShareFile(directory / SHARE_FILE, time.time, documents)


share_command = data_directory_command(_share_file, ShareFileError)


def _shown(one: Share) -> dict[str, object]:
    facts = {name: value for name, value in asdict(one).items() if name != "hash"}
    return {"id": one.id, **facts, "password": bool(one.password)}


@share.command("list", short_help="List the links.")
@click.argument("user", required=False)
@share_command
def list_shares(file: ShareFile, *, user: str | None, as_json: bool) -> None:
    """List the links in force, of one account or of all; their URLs are not known."""
    found = [one for one in file.read().values() if user in (None, one.user)]
    if as_json:
        click.echo(json.dumps([_shown(one) for one in found], indent=1))
        return
    rows = [
        (
            one.id,
            printable_text(one.user, 30),
            "yes" if one.password else "no",
            f"{datetime.fromtimestamp(one.expires, UTC):%Y-%m-%d %H:%M}",
            printable_text(one.path, 60),
        )
        for one in found
    ]
    click.echo("\n".join(table_lines(("ID", "USER", "PASSWORD", "EXPIRES", "PATH"), rows)))


@share.command("remove")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--user", metavar="USER", help="Remove all links of an account.")
@share_command
def remove_shares(
    file: ShareFile, *, ids: tuple[str, ...], user: str | None, as_json: bool
) -> None:
    """Remove links by their ids, or all of an account; they stop working within a second."""
    if bool(ids) == (user is not None):
        raise click.UsageError("give the ids of links, or --user")
    if user is not None:
        ids = tuple(one.id for one in file.read().values() if one.user == user)
        if not ids:
            raise AdminCommandError(f"{user!r} has no share links", "ShareFileError")
    for id in ids:
        file.remove(id)
        if not as_json:
            click.echo(f"share link {id} removed")
    if as_json:
        click.echo(json.dumps({"removed": list(ids)}))
