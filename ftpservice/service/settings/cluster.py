"""The settings of a cluster: its database, and how this node is called there."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from ftpservice.cluster.cluster_url import check_cluster_url
from ftpservice.service.settings.setting import SECONDS, TEXT, setting

__all__ = ["ClusterSettings", "parse_node_name"]

MIN_SECONDS = 1.0
ALL_NODES = "all"
"""What commands call all nodes."""


def parse_cluster(text: str) -> str:
    """Return the URL of a database; raises `ValueError` without naming a password."""
    check_cluster_url(text)
    return text


def parse_timeout(seconds: float) -> float:
    """Return the time after which a node counts as gone; raises `ValueError`."""
    if seconds < MIN_SECONDS:
        raise ValueError(f"at least {MIN_SECONDS:g} second")
    return seconds


def parse_node_name(text: str) -> str:
    """Return the name of a node; raises `ValueError`."""
    if text == ALL_NODES:
        raise ValueError(f"{text!r} means every node in commands; choose another name")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text):
        raise ValueError(f"{text!r} is not a name of letters, digits, dots, hyphens, underscores")
    return text


@dataclass(frozen=True)
class ClusterSettings:
    """What the nodes of a cluster share, and what this one is called."""

    cluster: str | None = setting(
        TEXT,
        None,
        "Database of a cluster, postgresql://user@host/database: all services that name it count "
        "sessions, failed logins, bans, rates and quotas together (extra cluster).",
        parse_cluster,
        example='"postgresql://ftpservice@db.example.com/ftpservice"',
    )
    cluster_node: str | None = setting(
        TEXT,
        None,
        "Name of this node in the cluster (default: the name of the machine).",
        parse_node_name,
    )
    cluster_timeout: float = setting(
        SECONDS,
        12,
        "Time without a sign after which a node of the cluster counts as gone, and its sessions "
        "as ended; the same on all nodes.",
        parse_timeout,
    )
    cluster_wait: float = setting(
        SECONDS,
        60,
        "The longest time that a node waits for the database at its first start; it does not start "
        "without. A node that has been in the cluster starts at once, and serves with its share.",
    )

    @property
    def node_name(self) -> str:
        """The name of this node in its cluster."""
        return self.cluster_node or socket.gethostname()
