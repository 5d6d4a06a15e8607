"""The table of documents: what all nodes have in common, as JSON."""

from __future__ import annotations

from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ftpservice_cluster_document (
    name text PRIMARY KEY,
    origin text NOT NULL,
    version bigint NOT NULL,
    body text NOT NULL,
    changed timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ftpservice_cluster_document IS
    'Second factors, API tokens, share links and removed accounts; "origin" names its history.'
"""


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: that would remove second factors."""
    raise NotImplementedError("version 4 of the schema cannot be taken back")
