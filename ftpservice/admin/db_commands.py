"""``ftpservice db``: the schema of a database of accounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ftpservice.accounts.account_store import IAccountStore
from ftpservice.admin.command_group import CommandGroup
from ftpservice.admin.command_output import FAILED_STATUS
from ftpservice.admin.store_options import account_command

if TYPE_CHECKING:
    from ftpservice.accounts.sql.database import Database

__all__ = ["db"]


@click.group(cls=CommandGroup)
def db() -> None:
    """Create, upgrade and show the schema of a database of accounts.

    The database is that of --store sql:URL, or of 'auth' in the settings file (--config).
    """


@db.command("upgrade", short_help="Create or upgrade the schema.")
@account_command
def upgrade_database(store: IAccountStore, *, as_json: bool) -> None:
    """Create the table of accounts, or bring it to the version that this ftpservice needs.

    A running service refuses logins of this store (421) until its version fits.
    """
    database = _database(store)
    from ftpservice.accounts.sql.migration import upgrade

    before, now = upgrade(database)
    if as_json:
        click.echo(json.dumps({"before": before, "version": now}))
    elif before == now:
        click.echo(f"{database.place}: version {now} already")
    else:
        click.echo(f"{database.place}: version {now}, before {before or 'none'}")


@db.command("show", short_help="Show the version of the schema.")
@account_command
def show_database(store: IAccountStore, *, as_json: bool) -> None:
    """Show the version of the schema; the exit status is 1 if another one is needed."""
    database = _database(store)
    from ftpservice.accounts.sql.schema import SCHEMA_VERSION

    version = database.version()
    if as_json:
        click.echo(json.dumps({"version": version, "needed": SCHEMA_VERSION}))
    else:
        click.echo(f"{database.place}: version {version or 'none'}, needed {SCHEMA_VERSION}")
    if version != SCHEMA_VERSION:
        raise SystemExit(FAILED_STATUS)


def _database(store: IAccountStore) -> Database:
    if not store.place.startswith("sql:"):
        raise click.UsageError(f"{store.place} is not a database; name one with --store sql:URL")
    from ftpservice.accounts.sql.sql_store import SQLStore

    assert isinstance(store, SQLStore)
    return store.database
