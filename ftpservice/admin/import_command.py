"""``ftpservice user import``: the accounts of other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import AccountExists, ExistingAccounts, IAccountStore
from ftpservice.accounts.groups.group_names import is_group
from ftpservice.accounts.groups.home_template import fill_template
from ftpservice.accounts.passwd_line import parse_rights_field, parse_root
from ftpservice.accounts.storage_problems import check_storages
from ftpservice.admin.account_data import AccountData, data_option
from ftpservice.admin.command_output import FAILED_STATUS, AdminCommandError
from ftpservice.admin.imports.account_draft import ImportedAccount, ImportOptions
from ftpservice.admin.imports.account_files import (
    FORMATS,
    PASSWD_DB,
    ImportedFile,
    ImportProblem,
    format_of,
    read_accounts,
    read_data,
)
from ftpservice.admin.store_options import account_command
from ftpservice.wire.units import count_text

__all__ = ["import_users"]

AUTO = "auto"
DEFAULT_RIGHTS = "full"


@click.command("import", short_help="Add the accounts of another program or store.")
@click.argument("file")
@click.option(
    "--format",
    "file_format",
    type=click.Choice([AUTO, *FORMATS]),
    default=AUTO,
    show_default=True,
    help="Format of FILE.",
)
@click.option("--shadow", metavar="FILE", help="The shadow file that belongs to a passwd file.")
@click.option("--root", metavar="PATH", help="Root of every account; {user} is its name.")
@click.option(
    "--service-root",
    metavar="DIRECTORY",
    help="What the service serves; homes in it become paths, others local:HOME.",
)
@click.option("--rights", metavar="RIGHTS", help=f"Rights, where FILE has none ({DEFAULT_RIGHTS}).")
@click.option("--skip-existing", is_flag=True, help="Leave accounts that exist as they are.")
@click.option("--replace", is_flag=True, help="Replace accounts that exist.")
@click.option("--keep-going", is_flag=True, help="Import the others if some cannot be.")
@click.option("--dry-run", is_flag=True, help="Report everything and change nothing.")
@account_command
@data_option
def import_users(store: IAccountStore, *, as_json: bool, data: AccountData, **given: Any) -> None:
    """Add the accounts of another program, with their passwords; all of FILE or nothing.

    FILE (- for stdin) is a passwd file (with --shadow), a pureftpd.passwd, an AuthUserFile of
    ProFTPD, an htpasswd file or a dump of SFTPGo. What is not carried over is reported for each
    account. An account that could do more than before is imported locked. FILE may also be a
    passwd.db, to move its accounts to another store; everything in it is carried over.
    """
    if given["skip_existing"] and given["replace"]:
        raise click.UsageError("choose one of --skip-existing and --replace")
    existing = ExistingAccounts.SKIP if given["skip_existing"] else ExistingAccounts.REFUSE
    existing = ExistingAccounts.REPLACE if given["replace"] else existing
    keep_going, dry_run = given["keep_going"], given["dry_run"]
    imported = _read(given)
    _make_new(imported, store, data, as_json)
    written = _written(store, imported, existing, keep_going, dry_run)
    names = {record.name for record in written}
    accounts = [account for account in imported.accounts if account.record.name in names]
    skipped = [found.record.name for found in imported.accounts if found.record.name not in names]
    if imported.problems and not keep_going:
        skipped = []
    if as_json:
        click.echo(json.dumps(_as_json(imported, accounts, skipped, dry_run)))
    else:
        _report(imported, accounts, skipped, f"{'would be ' * dry_run}imported to {store.place}")
    if imported.problems:
        raise SystemExit(FAILED_STATUS)


def _read(given: Mapping[str, Any]) -> ImportedFile:
    """Read the files that the options name; raises `click.ClickException`."""
    try:
        rights = parse_rights_field(given["rights"] or DEFAULT_RIGHTS)
        if given["root"] is not None:
            check_storages(AccountRecord("", "", parse_root(given["root"])))
            fill_template(given["root"], "name", None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    how = ImportOptions(given["root"], given["service_root"], rights)
    data, shadow = (_data(given[key]) for key in ("file", "shadow"))
    try:
        file_format = given["file_format"] if given["file_format"] != AUTO else format_of(data)
        if file_format == PASSWD_DB:
            _refuse_unused(given)
        return read_accounts(data, file_format, how, shadow)
    except ValueError as error:
        raise AdminCommandError(f"{given['file']}: {error}", "ImportFailed") from None


def _make_new(
    imported: ImportedFile, store: IAccountStore, data: AccountData, as_json: bool
) -> None:
    """Give the accounts nothing of removed ones; names for which that fails become problems."""
    records = [account.record for account in imported.accounts]
    new, refused = data.new_accounts(store, records, as_json)
    new_of = {record.name: record for record in new}
    imported.problems += [
        ImportProblem(account.place, account.record.name, refused[account.record.name])
        for account in imported.accounts
        if account.record.name in refused
    ]
    imported.accounts = [
        replace(account, record=new_of[account.record.name])
        for account in imported.accounts
        if account.record.name in new_of
    ]


def _refuse_unused(given: Mapping[str, Any]) -> None:
    """Raise `click.UsageError` for an option that would change nothing in a ``passwd.db``."""
    for key in ("shadow", "root", "service_root", "rights"):
        if given[key] is not None:
            option = key.replace("_", "-")
            raise click.UsageError(f"--{option}: the accounts of a passwd.db stay as they are")


def _data(path: str | None) -> bytes:
    try:
        return read_data(path) if path is not None else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AdminCommandError(f"{path}: {reason}", "ImportFailed") from None


def _written(
    store: IAccountStore,
    imported: ImportedFile,
    existing: ExistingAccounts,
    keep_going: bool,
    dry_run: bool,
) -> Sequence[AccountRecord]:
    """Add the accounts; names that exist become problems. Returns what was written."""
    is_stopped = bool(imported.problems) and not keep_going
    records = [account.record for account in imported.accounts]
    try:
        written = store.add_many(records, existing, dry_run or is_stopped)
    except AccountExists as error:
        held = set(error.names)
        imported.problems += [
            ImportProblem(account.place, account.record.name, f"exists in {store.place} already")
            for account in imported.accounts
            if account.record.name in held
        ]
        imported.accounts = [each for each in imported.accounts if each.record.name not in held]
        records = [account.record for account in imported.accounts]
        if keep_going:
            return store.add_many(records, ExistingAccounts.SKIP, dry_run)
        return []
    return [] if is_stopped else written


def _report(
    imported: ImportedFile, accounts: list[ImportedAccount], skipped: list[str], done: str
) -> None:
    for note in imported.notes:
        click.echo(f"warning: {note}", err=True)
    for account in imported.accounts:
        start = f"{account.place}: {account.record.name}: "
        for reason in account.locks:
            click.echo(f"{start}locked: {reason}", err=True)
        for warning in account.warnings:
            click.echo(f"{start}warning: {warning}", err=True)
    for problem in imported.problems:
        click.echo(f"{problem}", err=True)
    groups = sum(is_group(account.record.name) for account in accounts)
    locked = sum(account.record.disabled for account in accounts)
    more = f" and {count_text(groups, 'group')}" if groups else ""
    added = count_text(len(accounts) - groups, "account")
    click.echo(f"{added}{more} {done}, {locked} of them locked")
    if skipped:
        exist = "exists" if len(skipped) == 1 else "exist"
        click.echo(f"{count_text(len(skipped), 'account')} left unchanged: {exist} already")
    if imported.problems:
        click.echo(f"{count_text(len(imported.problems), 'account')} cannot be imported")


def _as_json(
    imported: ImportedFile, accounts: list[ImportedAccount], skipped: list[str], dry_run: bool
) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "imported": [
            {
                "name": account.record.name,
                "place": account.place,
                "locked": list(account.locks),
                "warnings": list(account.warnings),
            }
            for account in accounts
        ],
        "skipped": skipped,
        "problems": [
            {"place": problem.place, "name": problem.name, "reason": problem.reason}
            for problem in imported.problems
        ],
        "notes": imported.notes,
    }
