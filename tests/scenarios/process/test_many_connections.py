"""Thousands of connections from one address: refused at once, or held at little cost."""

from __future__ import annotations

import ftplib
import time
from pathlib import Path

import pytest

from tests.scenarios.process.test_exhausted_resources import LOCAL, serving
from tests.support.connection_crowd import Crowd, raised_descriptor_limit
from tests.support.limited_process import (
    cpu_seconds,
    descriptor_count,
    limit_descriptors,
    resident_bytes,
    thread_count,
)
from tests.support.service_process import PATIENCE

CONNECTIONS = 2000
OTHER = "127.0.0.2"
MIB = 2**20
MAX_SESSION_BYTES = 30_000
"""Of an idle session, and less than a third of it was measured."""


@pytest.mark.parametrize("descriptors", [0, 1024], ids=["many", "1024"])
def test_connections_over_the_limit_of_an_address_leave_the_others_alone(
    tmp_path: Path, descriptors: int
) -> None:
    """Also with few descriptors: refused connections occupy only some of them."""
    with raised_descriptor_limit(), serving(tmp_path, "--tls=off") as served:
        served.client().close()
        threads = thread_count(served.process)
        if descriptors:
            limit_descriptors(served.process, descriptors)
        memory, cpu = resident_bytes(served.process), cpu_seconds(served.process)
        with Crowd((LOCAL, served.port)) as crowd:
            crowd.connect(CONNECTIONS)
            assert crowd.first[b"220"] + crowd.first[b"421"] == CONNECTIONS
            assert crowd.first[b"421"] > CONNECTIONS * 3 // 4
            assert thread_count(served.process) <= threads + 1  # the watch of accounts has one
            assert descriptor_count(served.process) < 700
            assert resident_bytes(served.process) - memory < 20 * MIB
            assert cpu_seconds(served.process) - cpu < 5
            began = time.monotonic()
            with ftplib.FTP() as other:
                other.connect(LOCAL, served.port, PATIENCE, source_address=(OTHER, 0))
                other.login("late", "demo")
                assert time.monotonic() - began < 5  # a quarter of a second was measured
                assert other.pwd() == "/"


def test_thousands_of_idle_sessions_take_little_memory(tmp_path: Path) -> None:
    limits = [f"--max-sessions{of}={CONNECTIONS + 10}" for of in ("", "-per-address")]
    with raised_descriptor_limit(), serving(tmp_path, "--tls=off", *limits) as served:
        session = served.client()
        memory = resident_bytes(served.process)
        with Crowd((LOCAL, served.port)) as crowd:
            crowd.connect(CONNECTIONS)
            assert crowd.first == {b"220": CONNECTIONS}
            assert resident_bytes(served.process) - memory < CONNECTIONS * MAX_SESSION_BYTES
            assert session.pwd() == "/"
