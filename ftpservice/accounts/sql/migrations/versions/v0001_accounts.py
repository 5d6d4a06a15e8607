"""The table of accounts; on PostgreSQL a trigger that notifies services of changes."""

from __future__ import annotations

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


def _positive(column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} > 0", name=f"{TABLE}_{column}")


def upgrade() -> None:
    """Create the table."""
    is_sqlite = op.get_context().dialect.name == "sqlite"
    expires = [
        sa.Column(
            "expires",
            sa.Text if is_sqlite else sa.Date,
            comment="The last day of logins (2027-01-31); NULL for no end.",
        ),
        *(
            [sa.CheckConstraint("expires IS date(expires, '+0 days')", name=f"{TABLE}_expires")]
            * is_sqlite
        ),
    ]
    op.create_table(
        TABLE,
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
            comment="A preset (full, read, upload-only, read-append) or operations, with commas.",
        ),
        sa.Column(
            "disabled",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="Whether logins are refused.",
        ),
        *expires,
        sa.Column("max_sessions", sa.BigInteger, comment="Sessions at a time; NULL for no limit."),
        sa.Column("quota_bytes", sa.BigInteger, comment="Bytes below the root; NULL for no limit."),
        sa.Column("quota_files", sa.BigInteger, comment="Files below the root; NULL for no limit."),
        sa.Column(
            "options",
            sa.Text,
            nullable=False,
            server_default="",
            comment="Further options as in passwd.db, with commas: tls=required,from=10.0.0.0/8",
        ),
        sa.CheckConstraint("name <> '' AND name NOT LIKE '%:%'", name=f"{TABLE}_name"),
        sa.CheckConstraint(
            "password_hash <> '' AND password_hash NOT LIKE '%:%'", name=f"{TABLE}_password_hash"
        ),
        sa.CheckConstraint("rights <> ''", name=f"{TABLE}_rights"),
        *([sa.CheckConstraint("disabled IN (0, 1)", name=f"{TABLE}_disabled")] * is_sqlite),
        *map(_positive, ("max_sessions", "quota_bytes", "quota_files")),
        comment="The accounts of ftpservice. Changes are in force within two seconds.",
    )
    if not is_sqlite:
        op.execute(TRIGGER)


def downgrade() -> None:
    """Refuse: that would remove the accounts."""
    raise NotImplementedError("the first version of the schema cannot be taken back")
