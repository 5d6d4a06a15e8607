"""Creates and upgrades the schema of a database, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_schema import Schema
from ftpservice.accounts.sql.schema import ACCOUNTS_SCHEMA

__all__ = ["known_versions", "upgrade"]

SCRIPTS = Path(__file__).parent / "migrations"
"""What runs the migrations of each schema."""


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the schema to the version that is needed (blocks); return the old and the new one.

    Creates the file of an SQLite database. Raises `StoreUnavailable`.
    """
    database.create_file()
    if database.is_sqlite:
        with database.transaction(checked=False) as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("BEGIN")
    schema = database.schema
    config = _config(schema)
    with database.transaction(writes=True, checked=False) as connection:
        before = database.version_in(connection)
        if before is not None and before not in known_versions(schema):
            raise StoreUnavailable(
                f"{database.place}: its schema is version {before}, which this version of"
                " ftpservice does not know; install the newer one"
            )
        config.attributes["connection"] = connection
        config.attributes["version_table"] = schema.version_table
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreUnavailable(f"{database.place}: {error}") from None
    return before, schema.version


def known_versions(schema: Schema = ACCOUNTS_SCHEMA) -> list[str]:
    """Return the versions that this package has migrations for, the newest first."""
    scripts = ScriptDirectory.from_config(_config(schema))
    return [script.revision for script in scripts.walk_revisions()]


def _config(schema: Schema) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    versions = str(schema.migrations / "versions")
    config.set_main_option("version_locations", versions.replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
