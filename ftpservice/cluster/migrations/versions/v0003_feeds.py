"""The tables of feeds: what a node asks the others to send as it happens, and what they send."""

from __future__ import annotations

from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE UNLOGGED TABLE ftpservice_cluster_feed (
    id text PRIMARY KEY,
    owner text NOT NULL REFERENCES ftpservice_cluster_node ON DELETE CASCADE,
    target text NOT NULL,
    body text NOT NULL
);
COMMENT ON TABLE ftpservice_cluster_feed IS
    'What a node asks others to send it as it happens: events, transcripts, sessions.';
CREATE INDEX ftpservice_cluster_feed_owner ON ftpservice_cluster_feed (owner);
CREATE UNLOGGED TABLE ftpservice_cluster_record (
    feed text REFERENCES ftpservice_cluster_feed ON DELETE CASCADE,
    run text,
    number bigint,
    node text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (feed, run, number)
);
COMMENT ON TABLE ftpservice_cluster_record IS
    'What was sent and is not received yet; numbers of a run rise.'
"""


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Remove the tables."""
    op.execute("DROP TABLE ftpservice_cluster_record, ftpservice_cluster_feed")
