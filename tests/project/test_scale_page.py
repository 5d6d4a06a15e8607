"""What the pages say of the work of a cluster is what the code does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from benchmarks.scale.cluster_model import ClusterModel
from ftpservice.accounts.sql.sql_lookup import CONNECTIONS
from ftpservice.cluster import cluster_rates, failed_logins
from ftpservice.cluster.cluster_node import BEATS, NEWS_SECONDS
from ftpservice.cluster.cluster_statements import (
    GONE_SECONDS,
    MAX_SPARE_PLACES,
    Claim,
    Grant,
    NodeFacts,
)
from ftpservice.cluster.feeds.sent_feeds import SEND_SECONDS
from ftpservice.cluster.leased_session_limits import LeasedSessionLimits
from ftpservice.cluster.place_leases import ShareRule
from ftpservice.cluster.quotas import tree_rooms
from ftpservice.cluster.quotas.quota_statements import MAX_SPARE_BYTES, MAX_SPARE_FILES
from ftpservice.service.settings.settings import ServiceSettings
from tests.support.docs_pages import DOCS, read

DEFAULTS = ServiceSettings(root="local:.")
TIMEOUT, PLACES = f"{DEFAULTS.cluster_timeout:.0f}", MAX_SPARE_PLACES
SPARE = (MAX_SPARE_BYTES >> 20, MAX_SPARE_FILES)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SESSION_SECONDS = 10.0


def many(number: float) -> str:
    return NUMBERS[round(number)]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("scale.md", f"heartbeat, {many(BEATS)} in {TIMEOUT} seconds from each node"),
        ("scale.md", f"nodes / {DEFAULTS.cluster_timeout / BEATS:.0f} s "),
        ("scale.md", f"{4 * PLACES} times the number of nodes at least: then a node gets {PLACES}"),
        ("scale.md", f"free {TIMEOUT} seconds after its last sign"),
        ("scale.md", f"{SPARE[0]} MiB or {SPARE[1]} files of a tree at a time"),
        ("scale.md", f"trees (up to {tree_rooms.MAX_CLAIMS} in one)"),
        ("scale.md", f"failed logins up to {many(1 / failed_logins.TELL_SECONDS)} times a second"),
        ("scale.md", f"up to {many(1 / SEND_SECONDS)} times a second"),
        ("scale.md", f"up to {many(CONNECTIONS + 1)} for each process"),
        ("fleet.md", f"gets up to {PLACES} places more than it asks for"),
        ("fleet.md", f"up to {SPARE[0]} MiB and {SPARE[1]} files more"),
        ("fleet.md", f"not use for {many(tree_rooms.UNUSED_SECONDS)} seconds goes back"),
        ("fleet.md", f"Set `max-sessions` to {4 * PLACES} times the number of nodes or more"),
        ("fleet.md", f"{many(BEATS)} times within `cluster-timeout`"),
        ("deploy/README.md", f"`max-sessions` above {4 * PLACES} times the number of nodes"),
        ("deploy/README.md", f"free after {TIMEOUT} seconds (`cluster-timeout`)"),
    ],
)
def test_numbers_are_those_of_the_code(page: str, words: str) -> None:
    assert words in re.sub(r"\s+", " ", read(DOCS / page))


def test_what_is_said_to_be_once_a_second_is() -> None:
    assert cluster_rates.TELL_SECONDS == tree_rooms.SETTLE_SECONDS == 1.0
    assert NEWS_SECONDS == 1 / 100  # a hundred to two hundred times a second
    assert GONE_SECONDS == 3600.0  # "one that died: for an hour"


class Counted:
    """A node of a cluster, and what it asks while sessions come and go."""

    def __init__(self, nodes: int) -> None:
        self.clock, self._model = Clock(), ClusterModel()
        self.claims: Counter[str] = Counter()
        self.calls = 0
        for number in range(nodes):
            self._model.beat(0.0, NodeFacts(f"n{number}", f"n{number}", "1"), 1e9)
        self._rule = ShareRule(nodes, 0)
        self._limits = LeasedSessionLimits(self._ask, self.clock)
        self._beat()

    def _beat(self) -> None:
        self._limits.leases.renewed(1e9, self._rule, was_alive=True)
        self.clock.callLater(DEFAULTS.cluster_timeout / BEATS, self._beat)

    def _ask(self, claims: Sequence[Claim]) -> Deferred[list[Grant]]:
        self.calls += 1
        self.claims.update(one.kind for one in claims)
        return succeed(self._model.claim(self.clock.seconds(), "n0", self.calls, claims))

    async def _session(self, user: str, address: str) -> None:
        keys = (
            ("all", "", DEFAULTS.max_sessions),
            ("address", address, DEFAULTS.max_sessions_per_address),
            ("user", user, DEFAULTS.max_sessions_per_user),
        )
        for key in keys:
            assert await self._limits.obtain(*key)
        self.clock.callLater(
            SESSION_SECONDS, lambda: [self._limits.release(*one[:2]) for one in keys]
        )

    def run(self, count: int, users: int, addresses: int) -> tuple[float, float]:
        """Let sessions begin twice a second; return claims and calls for each of them."""

        def begin(first: int) -> None:
            for number in range(first, first + count):
                beginning: Any = self._session(f"u{number % users}", f"a{number % addresses}")
                Deferred.fromCoroutine(beginning)
                self.clock.pump([0.05] * 10)

        begin(0)
        claims, calls = self.claims.total(), self.calls
        begin(count)
        return (self.claims.total() - claims) / count, (self.calls - calls) / count


@pytest.mark.parametrize(
    ("nodes", "users", "addresses", "claims", "calls"),
    [(3, 1000, 1000, 4, 3), (100, 1000, 1000, 4, 3), (3, 1000, 1, 2, 2)],
)
def test_a_login_takes_as_many_claims_as_the_page_says(
    nodes: int, users: int, addresses: int, claims: int, calls: int
) -> None:
    found = Counted(nodes).run(100, users, addresses)
    assert claims - 0.1 <= found[0] <= claims + 0.3
    assert found[1] <= calls + 0.3


def test_an_account_that_logs_in_again_and_again_takes_hardly_any() -> None:
    assert Counted(3).run(100, 1, 1)[0] < 0.1
