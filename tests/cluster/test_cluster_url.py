"""The setting ``cluster``, with and without the extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ftpservice.cluster.cluster_url import cluster_database_url

WITHOUT_EXTRA = """
import sys
for name in ("sqlalchemy", "alembic", "psycopg"):
    sys.modules[name] = None
import ftpservice.service.assembly
import ftpservice.workers.process.worker_assembly
"""


def test_a_database_that_is_no_postgresql_is_refused() -> None:
    with pytest.raises(ValueError, match="a cluster needs PostgreSQL"):
        cluster_database_url("sqlite:///x.db")


def test_a_service_without_a_cluster_needs_no_package_of_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTRA], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
