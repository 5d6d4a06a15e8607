"""A node that stands still (SIGSTOP): who asks another one is told, and it is back afterwards."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.support.cluster_services import Nodes
from tests.support.frozen_process import freeze
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import BUSY_SECONDS, PATIENCE, Program
from tests.support.worker_service import login, wait_for

ANSWER_SECONDS = 4.0


@pytest.fixture(scope="module")
def nodes(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("stopped"), postgresql) as running:
        yield running


@contextmanager
def standing_still(program: Program) -> Iterator[None]:
    freeze(program.process.pid)
    try:
        yield
    finally:
        os.kill(program.process.pid, signal.SIGCONT)


def states(nodes: Nodes) -> dict[str, bool]:
    """Return the nodes, and whether they are alive."""
    found: list[dict[str, Any]] = json.loads(nodes.run("n1", "nodes", "--json"))
    return {one["name"]: one["is_alive"] for one in found}


def metrics(page: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics", timeout=PATIENCE) as answer:
        found: bytes = answer.read()
    return found


def test_others_are_told_of_a_node_that_stands_still(nodes: Nodes) -> None:
    first = nodes.start("n1", "--http=tcp:0:interface=127.0.0.1", "--metrics=on")
    second = nodes.start("n2")
    second.line("cluster (of|has) 2 nodes")
    page = first.line(r" http://127\.0\.0\.1:(\d+)/")[1]
    with closing(login(first.port())) as here, closing(login(second.port())) as there:
        with standing_still(second):
            began = time.monotonic()
            told = nodes.run("n1", "who")
            assert time.monotonic() - began < ANSWER_SECONDS + BUSY_SECONDS
            assert "n2 does not answer" in told
            assert "n1:" in told
            assert "n2:" not in told
            assert "demo" in nodes.run("n1", "report")
            wait_for(lambda: states(nodes) == {"n1": True, "n2": False})
            assert "n2 does not answer" not in nodes.run("n1", "who")
            wait_for(lambda: b"ftpservice_cluster_nodes 1.0" in metrics(page))
            assert here.voidcmd("NOOP").startswith("200")
        wait_for(lambda: states(nodes) == {"n1": True, "n2": True})
        second.line("counted as gone in its cluster")
        assert there.voidcmd("NOOP").startswith("200")
        wait_for(lambda: "n2:" in nodes.run("n1", "who"))
        here.quit()
        there.quit()
    assert first.stopped() == second.stopped() == 0
    assert "Traceback" not in first.output + second.output
