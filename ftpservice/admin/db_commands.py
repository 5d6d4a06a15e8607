"""``ftpservice db``: the schemas of the databases of accounts, journal and cluster."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ftpservice.accounts.account_store import AccountStoreError, StoreUnavailable
from ftpservice.accounts.stores.url_passwords import IN_COMMAND_LINE_TEXT, has_password
from ftpservice.activity.journal.journal_place import journal_database_url
from ftpservice.admin.command_output import (
    FAILED_STATUS,
    UNAVAILABLE_STATUS,
    AdminCommandError,
    CommandGroup,
)
from ftpservice.admin.store_options import open_store
from ftpservice.cluster.cluster_schema import CLUSTER_SCHEMA
from ftpservice.cluster.cluster_url import cluster_database_url

if TYPE_CHECKING:
    from ftpservice.accounts.sql.database import Database

__all__ = ["db"]

STATEMENT_SECONDS = 60.0


@click.group(cls=CommandGroup)
def db() -> None:
    """Create, upgrade and show the schema of a database: of accounts, journal or cluster.

    The databases are those of --store sql:URL, --journal URL and --cluster URL, or those of 'auth',
    'journal' and 'cluster' in the settings file (--config).
    """


def _databases_command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose databases, and these as first argument."""

    @click.option("--store", metavar="STORE", help="Database of accounts: sql:URL.")
    @click.option(
        "--journal",
        metavar="URL",
        help="Database of the journal: postgresql://user@host/database, or a path.",
    )
    @click.option(
        "--cluster", metavar="URL", help="Database of a cluster: postgresql://user@host/database."
    )
    @click.option("--config", metavar="FILE", help="Settings file of the service.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def run(
        store: str | None,
        journal: str | None,
        cluster: str | None,
        config: str | None,
        as_json: bool,
        **others: Any,
    ) -> None:
        try:
            found = _databases(store, {"journal": journal, "cluster": cluster}, config)
            function(found, as_json=as_json, **others)
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
    its spool; a node of a cluster goes on alone.
    """
    from ftpservice.accounts.sql.migration import upgrade

    for database in databases:
        before, now = upgrade(database)
        part = database.schema.part
        if as_json:
            click.echo(json.dumps({"part": part, "before": before, "version": now}))
        elif before == now:
            click.echo(f"{database.place}, {part}: version {now} already")
        else:
            click.echo(f"{database.place}, {part}: version {now}, before {before or 'none'}")


@db.command("show", short_help="Show the version of the schema.")
@_databases_command
def show_database(databases: Sequence[Database], *, as_json: bool) -> None:
    """Show the version of the schema; the exit status is 1 if another one is needed."""
    fits = True
    for database in databases:
        version, needed = database.version(), database.schema.version
        part = database.schema.part
        if as_json:
            click.echo(json.dumps({"part": part, "version": version, "needed": needed}))
        else:
            click.echo(f"{database.place}, {part}: version {version or 'none'}, needed {needed}")
        fits = fits and version == needed
    if not fits:
        raise SystemExit(FAILED_STATUS)


def _databases(
    store: str | None, given: Mapping[str, str | None], config: str | None
) -> list[Database]:
    """Return what the options name, ``given`` by their names; raises `UsageError`."""
    for name, text in given.items():
        if text is not None and has_password(text):
            raise click.UsageError(f"--{name}: {IN_COMMAND_LINE_TEXT}")
    named = dict(given)
    if config is not None:
        configured = _configured(config)
        named = {name: text or configured[name] for name, text in named.items()}
    found = [_database(name, text) for name, text in named.items() if text is not None]
    if store is not None or not found:
        found.insert(0, _accounts_database(store, config))
    elif config is not None:
        found = [*_configured_accounts(config), *found]
    return found


def _configured(path: str) -> dict[str, str | None]:
    """Return the databases in the settings, by the names of the options."""
    from ftpservice.service.activity.journal_setup import journal_place
    from ftpservice.service.settings.errors import SettingsConflict
    from ftpservice.service.settings.settings import settings_from
    from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

    try:
        settings = settings_from(load_toml(path))
    except (BadConfiguration, SettingsConflict) as error:
        raise click.UsageError(f"--config {error}") from None
    journal = None if settings.journal is None else journal_place(settings)
    return {"journal": journal, "cluster": settings.cluster}


def _database(name: str, place: str) -> Database:
    """Return the database of an option."""
    try:
        url = journal_database_url(place) if name == "journal" else cluster_database_url(place)
    except ValueError as error:
        raise click.UsageError(f"--{name}: {error}") from None
    from ftpservice.accounts.sql.database import Database
    from ftpservice.activity.journal.journal_table import JOURNAL_SCHEMA

    schema = JOURNAL_SCHEMA if name == "journal" else CLUSTER_SCHEMA
    return Database(url, STATEMENT_SECONDS, schema=schema)


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
