"""Checks of the database of a cluster, and of its nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.admin.checks.finding import Finding, error, good, warning
from ftpservice.wire.units import count_text, seconds_text

__all__ = ["check_cluster"]

SUBJECT = "cluster"
CLOCK_SECONDS = 5.0
"""A smaller difference of clocks disturbs nothing."""


def check_cluster(url: Any, name: str) -> Iterator[Finding]:
    """Check the cluster of a node called ``name``."""
    from ftpservice.cluster.cluster_connection import ClusterConnection
    from ftpservice.cluster.cluster_statements import database_seconds, known_nodes

    with closing(ClusterConnection(url)) as connection:
        try:
            nodes = [one for one in connection.call(known_nodes) if one["is_alive"]]
            ahead = time.time() - connection.call(database_seconds)
        except StoreUnavailable as caught:
            advice = (
                "check the setting cluster; until it can be used, each node hands out its share, "
                "and one that has never been in the cluster does not start"
            )
            yield error(SUBJECT, str(caught), advice)
            return
        yield good(SUBJECT, f"{connection.place} answers: {count_text(len(nodes), 'node')}")
    if abs(ahead) > CLOCK_SECONDS:
        way = "ahead of" if ahead > 0 else "behind"
        by = seconds_text(round(abs(ahead)))
        text = f"the clock of this machine is {by} {way} that of the database"
        yield warning(SUBJECT, text, "let a time service set the clocks of all machines")
    names = [one["name"] for one in nodes]
    if names.count(name) > 1:
        yield warning(SUBJECT, f"several nodes are called {name}", "set cluster-node on each")
    versions = sorted({one["version"] for one in nodes})
    if len(versions) > 1:
        text = f"the nodes have different versions: {', '.join(versions)}"
        yield warning(SUBJECT, text, "install the same version on all")
