"""The table of accounts; on PostgreSQL a trigger that notifies services of changes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLE = "ftpservice_accounts"
TRIGGER = """
CREATE FUNCTION ftpservice_accounts_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('ftpservice_accounts', '');
    RETURN NULL;
END $$;
CREATE TRIGGER ftpservice_accounts_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ftpservice_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ftpservice_accounts_notify();
"""


def _columns(is_sqlite: bool) -> list[sa.Column[Any]]:
    return [
        sa.Column("name", sa.Text, primary_key=True, comment="The name to log in with."),
        sa.Column("password_hash", sa.Text, nullable=False, comment="Argon2id or imported."),
        sa.Column(
            "root",
            sa.Text,
            nullable=False,
            server_default="/",
            comment="A path below the root of the service, or a storage (local:/srv/attic).",
        ),
        sa.Column(
            "rights",
            sa.Text,
            nullable=False,
            comment="As in passwd.db: full, read, upload-only, ... or operations, with commas.",
        ),
        sa.Column(
            "disabled",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="Whether logins are refused.",
        ),
        sa.Column(
            "expires",
            sa.Text if is_sqlite else sa.Date,
            comment="The last day of logins (2027-01-31); NULL for no end.",
        ),
        *_limit_columns(),
        sa.Column(
            "options",
            sa.Text,
            nullable=False,
            server_default="",
            comment="Further options as in passwd.db, with commas: tls=required,from=10.0.0.0/8",
        ),
    ]


def _limit_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("max_sessions", sa.BigInteger, comment="Sessions at a time; NULL for no limit."),
        sa.Column("quota_bytes", sa.BigInteger, comment="Bytes below the root; NULL for no limit."),
        sa.Column("quota_files", sa.BigInteger, comment="Files below the root; NULL for no limit."),
    ]


def _checks(is_sqlite: bool) -> list[sa.CheckConstraint]:
    """Return the constraints; SQLite has no types for truth values and dates."""
    by_column = {
        "name": "name <> '' AND name NOT LIKE '%:%'",
        "password_hash": "password_hash <> '' AND password_hash NOT LIKE '%:%'",
        "rights": "rights <> ''",
        **{column.name: f"{column.name} > 0" for column in _limit_columns()},
    }
    if is_sqlite:
        by_column["disabled"] = "disabled IN (0, 1)"
        by_column["expires"] = "expires IS date(expires, '+0 days')"
    return [
        sa.CheckConstraint(text, name=f"{TABLE}_{column}") for column, text in by_column.items()
    ]


def upgrade() -> None:
    """Create the table."""
    is_sqlite = op.get_context().dialect.name == "sqlite"
    op.create_table(
        TABLE,
        *_columns(is_sqlite),
        *_checks(is_sqlite),
        comment="The accounts of ftpservice. Changes are in force within two seconds.",
    )
    if not is_sqlite:
        op.execute(TRIGGER)


def downgrade() -> None:
    """Refuse: that would remove the accounts."""
    raise NotImplementedError("the first version of the schema cannot be taken back")
