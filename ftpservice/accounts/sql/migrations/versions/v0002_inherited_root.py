"""An account without a root of its own inherits one: the default of the column is empty.

Rows that exist keep their root: one that was left out before cannot be told from one that is ``/``.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op
from alembic.util.exc import CommandError

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "ftpservice_accounts"
COMMENT = (
    "A path below the root of the service, or a storage (local:/srv/attic); empty: that of the"
    " groups of the account, or / if they have none."
)
ROOT_COLUMN = re.compile(r"(\broot\s+TEXT\s+DEFAULT\s+)'([^']*)'")


def upgrade() -> None:
    """Change the default of new rows."""
    _set_default("")


def downgrade() -> None:
    """Change the default back."""
    _set_default("/")


def _set_default(root: str) -> None:
    if op.get_context().dialect.name == "sqlite":
        _set_default_in_sqlite(op.get_bind(), root)
    else:
        op.alter_column(TABLE, "root", server_default=root, comment=COMMENT)


def _set_default_in_sqlite(connection: sa.Connection, root: str) -> None:
    """Change the definition of the table alone, as SQLite's "ALTER TABLE" page (§7) describes it.

    Another table in its place would lose columns, indexes and triggers that were added to it.
    """
    run = connection.exec_driver_sql
    (before,) = run("SELECT sql FROM sqlite_master WHERE name = ?", (TABLE,)).one()
    after, count = ROOT_COLUMN.subn(rf"\1'{root}'", before)
    if count != 1:
        raise CommandError(
            f"the table {TABLE} was changed: its column root has no default to change;"
            " set the default to '' and then version_num in ftpservice_version to 0002"
        )
    version = run("PRAGMA schema_version").scalar_one()
    run("PRAGMA writable_schema = ON")
    run("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (after, TABLE))
    run(f"PRAGMA schema_version = {version + 1}")
    run("PRAGMA writable_schema = OFF")
