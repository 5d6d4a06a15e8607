"""The node of each row, for a journal of several nodes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE, COLUMN = "ftpservice_journal", "node"


def upgrade() -> None:
    """Add the column."""
    comment = "The node of a cluster that has written it; null without a cluster."
    op.add_column(TABLE, sa.Column(COLUMN, sa.Text, comment=comment))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column(TABLE, COLUMN)
