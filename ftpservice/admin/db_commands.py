"""``ftpservice db``: the schemas of the databases of accounts and journal."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ftpservice.accounts.account_store import AccountStoreError, StoreUnavailable
from ftpservice.accounts.stores.url_passwords import IN_COMMAND_LINE_TEXT, has_password
from ftpservice.activity.journal.journal_place import journal_database_url
from ftpservice.admin.command_group import CommandGroup
from ftpservice.admin.command_output import FAILED_STATUS, UNAVAILABLE_STATUS, AdminCommandError
from ftpservice.admin.store_options import open_store

if TYPE_CHECKING:
    from ftpservice.accounts.sql.database import Database

__all__ = ["db"]

STATEMENT_SECONDS = 60.0


@click.group(cls=CommandGroup)
def db() -> None:
    """Create, upgrade and show the schema of a database: of accounts, or of the journal.

    The databases are those of --store sql:URL and --journal URL, or those of 'auth' and 'journal'
    in the settings file (--config).
    """


def _databases_command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose databases, and these as first argument."""

    @click.option("--store", metavar="STORE", help="Database of accounts: sql:URL.")
    @click.option(
        "--journal",
        metavar="URL",
        help="Database of the journal: postgresql://user@host/database, or a path.",
    )
    @click.option("--config", metavar="FILE", help="Settings file of the service.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def run(
        store: str | None, journal: str | None, config: str | None, as_json: bool, **others: Any
    ) -> None:
        try:
            function(_databases(store, journal, config), as_json=as_json, **others)
        except AccountStoreError as error:
            is_unavailable = isinstance(error, StoreUnavailable)
            status = UNAVAILABLE_STATUS if is_unavailable else FAILED_STATUS
            raise AdminCommandError(str(error), type(error).__name__, status) from None

    return run


@db.command("upgrade", short_help="Create or upgrade the schema.")
@_databases_command
def upgrade_database(databases: Sequence[Database], *, as_json: bool) -> None:
    """Create the tables, or bring them to the version that this ftpservice needs.

    A running service refuses logins of a store (421) until its version fits; the journal waits in
    its spool.
    """
    from ftpservice.accounts.sql.migration import upgrade

    for database in databases:
        before, now = upgrade(database)
        if as_json:
            click.echo(json.dumps({"before": before, "version": now}))
        elif before == now:
            click.echo(f"{database.place}: version {now} already")
        else:
            click.echo(f"{database.place}: version {now}, before {before or 'none'}")


@db.command("show", short_help="Show the version of the schema.")
@_databases_command
def show_database(databases: Sequence[Database], *, as_json: bool) -> None:
    """Show the version of the schema; the exit status is 1 if another one is needed."""
    fits = True
    for database in databases:
        version, needed = database.version(), database.schema.version
        if as_json:
            click.echo(json.dumps({"version": version, "needed": needed}))
        else:
            click.echo(f"{database.place}: version {version or 'none'}, needed {needed}")
        fits = fits and version == needed
    if not fits:
        raise SystemExit(FAILED_STATUS)


def _databases(store: str | None, journal: str | None, config: str | None) -> list[Database]:
    """Return what the options name; raises `UsageError`."""
    found = []
    if journal is not None and has_password(journal):
        raise click.UsageError(f"--journal: {IN_COMMAND_LINE_TEXT}")
    if config is not None and journal is None:
        journal = _configured_journal(config)
    if journal is not None:
        found.append(_journal_database(journal))
    if store is not None or not found:
        found.insert(0, _accounts_database(store, config))
    elif config is not None:
        found = [*_configured_accounts(config), *found]
    return found


def _configured_journal(path: str) -> str | None:
    from ftpservice.service.activity.journal_setup import journal_place
    from ftpservice.service.settings.errors import SettingsConflict
    from ftpservice.service.settings.settings import settings_from
    from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

    try:
        settings = settings_from(load_toml(path))
    except (BadConfiguration, SettingsConflict) as error:
        raise click.UsageError(f"--config {error}") from None
    return None if settings.journal is None else journal_place(settings)


def _journal_database(place: str) -> Database:
    try:
        url = journal_database_url(place)
    except ValueError as error:
        raise click.UsageError(f"--journal: {error}") from None
    from ftpservice.accounts.sql.database import Database
    from ftpservice.activity.journal.journal_table import JOURNAL_SCHEMA

    return Database(url, STATEMENT_SECONDS, schema=JOURNAL_SCHEMA)


def _configured_accounts(config: str) -> list[Database]:
    """Return the database of accounts in the settings, if there is one."""
    try:
        return [_accounts_database(None, config)]
    except click.UsageError:
        return []


def _accounts_database(store: str | None, config: str | None) -> Database:
    opened = open_store(store, config)
    if not opened.place.startswith("sql:"):
        raise click.UsageError(f"{opened.place} is not a database; name one with --store sql:URL")
    from ftpservice.accounts.sql.sql_store import SQLStore

    assert isinstance(opened, SQLStore)
    return opened.database
