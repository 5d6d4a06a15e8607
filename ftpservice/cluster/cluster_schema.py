"""The schema of a cluster in its database. Needs the extra."""

from __future__ import annotations

from pathlib import Path

from ftpservice.accounts.sql.database_schema import Schema

__all__ = ["CHANNEL", "CLUSTER_SCHEMA"]

CHANNEL = "ftpservice_cluster"
"""Where PostgreSQL notifies the nodes."""
CLUSTER_SCHEMA = Schema(
    "0004",
    "ftpservice_cluster_version",
    Path(__file__).parent / "migrations",
    "--cluster ",
)
