"""The commands ``ftpservice retention`` and ``ftpservice trash``, for the running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from ftpservice.activity.text_table import duration_text, printable_text, size_text, table_lines
from ftpservice.admin.command_output import AdminCommandError, CommandGroup
from ftpservice.admin.service_commands import service_command
from ftpservice.wire.units import count_text

__all__ = ["retention", "trash"]

RUN_SECONDS = 86_400.0
"""How long the command waits while the service looks at all files."""
FILE_HEADINGS = ("ACCOUNT", "RULE", "UNCHANGED FOR", "SIZE", "FILE")
RULE_HEADINGS = ("FILES", "KEPT FOR")
TRASH_SECONDS = 3600.0
"""How long a command waits while the service looks through a trash."""
TRASH_HEADINGS = ("ID", "HOW", "WHEN", "UNTIL", "SIZE", "FILE")


@click.group(cls=CommandGroup)
def retention() -> None:
    """Show and delete the files that accounts no longer keep (user set --retention)."""


@retention.command("show")
@click.argument("name")
@service_command
def show(send: Callable[..., Any], *, name: str, as_json: bool) -> None:
    """Show how long the files of an account are kept, and the runs."""
    found = send("retention", user=name)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    if not found["rules"]:
        click.echo(f"the account {name!r} has no retention; its files are kept")
        return
    rows = [(printable_text(_place(rule), 200), _time(rule["keep"])) for rule in found["rules"]]
    click.echo("\n".join(table_lines(RULE_HEADINGS, rows)))
    due, last = found["next_run"], found["last_run"]
    click.echo(f"next run: {'none by itself' if due is None else _local(due)}")
    if last is not None:
        click.echo(f"last run: {_local(last['when'])}, {_counts(last)}")


@retention.command("run")
@click.option("--account", metavar="NAME", help="The files of this account only.")
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option("--force", is_flag=True, help="Delete, although the clock has not been watched yet.")
@service_command
def run(
    send: Callable[..., Any], *, account: str | None, dry_run: bool, force: bool, as_json: bool
) -> None:
    """Delete now what accounts no longer keep; --dry-run lists it.

    The status is 1 if something could not be deleted.
    """
    done = send("retention-run", user=account, dry_run=dry_run, force=force, seconds=RUN_SECONDS)
    click.echo(json.dumps(done, indent=1) if as_json else "\n".join(_result_lines(done)))
    failed = sum(each["failed"] for each in done["accounts"])
    if failed:
        text = f"{count_text(failed, 'file')} or directories failed; see the log of the service"
        raise AdminCommandError(text, "RetentionFailed")


def _result_lines(done: dict[str, Any]) -> Sequence[str]:
    rows = [
        (
            printable_text(each["user"], 40),
            _rule(each),
            duration_text(each["age"]),
            "directory" if each["directory"] else size_text(each["size"]),
            printable_text(each["path"], 1000),
        )
        for each in done["files"]
    ]
    lines = table_lines(FILE_HEADINGS, rows) if rows else []
    if done["omitted"]:
        lines.append(f"and {done['omitted']} more")
    keys = ("files", "bytes", "directories", "kept_by_others", "in_use", "failed")
    total = {key: sum(each[key] for each in done["accounts"]) for key in keys}
    verb = "would be deleted" if done["dry_run"] else "deleted"
    return [*lines, f"{verb}: {_counts(total)}"]


def _counts(counts: dict[str, Any]) -> str:
    text = f"{count_text(counts['files'], 'file')}, {size_text(counts['bytes'])}"
    if counts["directories"]:
        text += f"; {count_text(counts['directories'], 'empty directory')}"
    if counts["kept_by_others"]:
        text += f"; kept longer by other accounts: {count_text(counts['kept_by_others'], 'file')}"
    if counts["in_use"]:
        text += f"; in use: {count_text(counts['in_use'], 'file')}"
    return text + (f"; {counts['failed']} failed" if counts["failed"] else "")


def _rule(file: dict[str, Any]) -> str:
    account = file["rule_account"]
    return printable_text(f"{file['rule']} of {account}" if account else file["rule"], 60)


def _place(rule: dict[str, Any]) -> str:
    directory, pattern = rule["directory"], rule["pattern"]
    place = "all directories" if directory == "/" else f"{directory} and below"
    return f"{pattern or 'all files'} in {place}"


def _time(keep: str) -> str:
    return "ever" if keep == "keep" else keep


def _local(when: float) -> str:
    return f"{datetime.fromtimestamp(when).astimezone():%Y-%m-%d %H:%M %Z}"


@click.group(cls=CommandGroup)
def trash() -> None:
    """Restore what accounts have deleted and overwritten (user set --trash)."""


@trash.command("list")
@click.argument("user")
@click.argument("file", metavar="[PATH]", required=False)
@service_command
def list_trash(send: Callable[..., Any], *, user: str, file: str | None, as_json: bool) -> None:
    """List what an account has deleted and overwritten, the latest first."""
    found = send("trash", user=user, seconds=TRASH_SECONDS, **_given(file=file))
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    rows = [
        (
            one["id"],
            "overwritten" if one["overwritten"] else "deleted",
            _local(one["deleted"]),
            _local(one["expires"]),
            size_text(one["size"]),
            printable_text(one["path"], 1000),
        )
        for one in found["files"]
    ]
    lines = table_lines(TRASH_HEADINGS, rows) if rows else []
    if found["omitted"]:
        lines.append(f"and {found['omitted']} more")
    count = count_text(len(found["files"]) + found["omitted"], "file")
    lines.append(f"{count}, {size_text(found['bytes'])}")
    if found["keeps"] is None:
        lines.append(f"the account {user!r} has no trash; what it deletes is not kept")
    click.echo("\n".join(lines))


@trash.command("restore", short_help="Restore a file.")
@click.argument("user")
@click.argument("file", metavar="[PATH]", required=False)
@click.option("--id", metavar="ID", help="This version; without it the latest of PATH.")
@click.option("--to", metavar="PATH", help="Restore it under another name.")
@click.option("--replace", is_flag=True, help="Replace the file of that name, which is kept.")
@service_command
def restore(
    send: Callable[..., Any], *, user: str, file: str | None, as_json: bool, **wanted: Any
) -> None:
    """Restore the latest version of a file, or one by its id.

    A file of that name is not replaced unless you say --replace. Directories are created again.
    """
    words = _given(file=file, **wanted)
    done = send("trash-restore", user=user, seconds=TRASH_SECONDS, **words)
    text = f"restored {printable_text(done['path'], 1000)}, {size_text(done['size'])}"
    click.echo(json.dumps(done, indent=1) if as_json else text)


@trash.command("empty")
@click.argument("user")
@click.argument("file", metavar="[PATH]", required=False)
@service_command
def empty(send: Callable[..., Any], *, user: str, file: str | None, as_json: bool) -> None:
    """Remove files of the trash for good: all of them, or those at a path and below."""
    done = send("trash-empty", user=user, seconds=TRASH_SECONDS, **_given(file=file))
    text = f"removed {count_text(done['files'], 'file')}, {size_text(done['bytes'])}"
    click.echo(json.dumps(done, indent=1) if as_json else text)


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
