"""A node whose clock is an hour ahead, one whose clock is behind, and one with the right time."""

from __future__ import annotations

import ftplib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.support.cluster_services import GONE_SECONDS, Nodes
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import Program
from tests.support.worker_service import login, wait_for

HOURS = {"right": 0.0, "ahead": 1.0, "behind": -1.0}
MOST = 3
STRANGER = "203.0.113.7"


class Served:
    """The nodes."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.running: dict[str, Program] = {}
        for name, hours in HOURS.items():
            self.running[name] = nodes.start(name, hours_ahead=hours)
        for name in HOURS:
            self.running[name].line("cluster (of|has) 3 nodes")

    def asked(self, name: str, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.nodes.run(name, *words, "--json"))
        return found


@pytest.fixture(scope="module")
def served(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Nodes(tmp_path_factory.mktemp("clocks"), postgresql) as nodes:
        yield Served(nodes)


def test_a_limit_is_exact_over_all_nodes(served: Served) -> None:
    with ExitStack() as stack:
        for one in served.running.values():
            client = stack.enter_context(closing(login(one.port())))
            stack.callback(client.quit)
        for name, one in served.running.items():
            with pytest.raises(ftplib.error_temp):
                login(one.port())
            assert len(served.asked(name, "who")) == MOST


def test_no_node_counts_as_gone(served: Served) -> None:
    longer = GONE_SECONDS + 1
    wait_for(lambda: min(one["up"] for one in served.asked("right", "nodes")) > longer)
    for name, one in served.running.items():
        assert [found["health"] for found in served.asked(name, "nodes")] == ["ready"] * len(HOURS)
        assert all(found["is_alive"] for found in served.asked(name, "nodes"))
        assert "counted as gone" not in one.output


@pytest.mark.parametrize("name", list(HOURS))
def test_a_ban_ends_everywhere_at_the_same_time(served: Served, name: str) -> None:
    def left(at: str) -> float | None:
        """Return the seconds for which a node has the ban, by its own clock."""
        for one in served.asked(at, "bans"):
            if one["network"].startswith(STRANGER):
                return float(one["until"]) - time.time() - 3600 * HOURS[at]
        return None

    served.nodes.run(name, "ban", STRANGER, "--for", "30m")
    for other in HOURS:
        wait_for(lambda other=other: left(other) is not None)
        found = left(other)
        assert found is not None
        assert 1700 < found <= 1801
    served.nodes.run(name, "unban", STRANGER)
    for other in HOURS:
        wait_for(lambda other=other: left(other) is None)


def test_a_session_of_another_node_is_listed_and_ended(served: Served) -> None:
    with closing(login(served.running["ahead"].port(), "other")) as client:
        (found,) = served.asked("behind", "who")
        served.nodes.run("behind", "kick", f"ahead:{found['session']}")
        with pytest.raises((ftplib.error_temp, EOFError, ConnectionError)):
            client.voidcmd("NOOP")
