"""The table of the journal, one row an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLE = "ftpservice_journal"
TEXTS = {
    "session": "The id of the session, unique over runs and machines; empty without one.",
    "transfer": "The id of the transfer; empty if the row is about none.",
    "account": "The account's name; of a failed login the name that was tried.",
    "address": "The client's IP address; local for a UNIX socket.",
    "protocol": "ftp or simple.",
    "tls": "Version and cipher of the control connection; empty for plaintext.",
    "groups": "The groups of the account, with commas.",
    "path": "The file as the account sees it, absolute.",
    "target": "The new path of a rename; what an administrator's action or a ban is about.",
    "storage_name": "The path of the file on the disk, where the storage has one.",
    "action": "upload or download, the change of a file, the verb, the action of an administrator.",
    "outcome": "complete, aborted or refused; ok or failed; the reply code of a refusal.",
    "digest": "ALGORITHM:hex; empty if it was not computed.",
    "detail": "The reason, as text.",
}


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        TABLE,
        sa.Column("id", sa.Text, primary_key=True, comment="Unique over runs and machines."),
        sa.Column("at", sa.Double, nullable=False, comment="Seconds since the epoch."),
        sa.Column("kind", sa.Text, nullable=False, comment="What happened."),
        sa.Column("number", sa.BigInteger, nullable=False, comment="The session's, in its run."),
        sa.Column("events", sa.BigInteger, nullable=False, comment="Events the row stands for."),
        *(
            sa.Column(name, sa.Text, nullable=False, comment=comment)
            for name, comment in TEXTS.items()
        ),
        sa.Column("bytes", sa.BigInteger, comment="Bytes transferred or deleted."),
        sa.Column("seconds", sa.Double, comment="The duration, or the age of a deleted file."),
        sa.Column("rate", sa.Double, comment="Bytes per second."),
        comment="The journal of ftpservice: one row an event.",
    )
    op.create_index(f"{TABLE}_at", TABLE, ["at"])
    op.create_index(f"{TABLE}_account", TABLE, ["account", "at"])
    op.create_index(f"{TABLE}_session", TABLE, ["session"])


def downgrade() -> None:
    """Refuse: that would remove the journal."""
    raise NotImplementedError("the first version of the schema cannot be taken back")
