"""Nodes with workers whose processes and database end at random, under load: all counts hold.

``FTPSERVICE_SEED`` repeats a run, as far as the machine does.
"""

from __future__ import annotations

import ftplib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support.postgresql import postgresql_directory
from tests.support.stressed_clients import CUT, SessionWatch, StressedClient
from tests.support.stressed_nodes import ACCOUNTS, Account, StressedNodes
from tests.support.stressed_quotas import QuotaWatch, on_disk, said
from tests.support.whole_cluster import IS_WHOLE

NODES, WORKERS = (3, 2) if IS_WHOLE else (2, 2)
SECONDS = float(os.environ.get("FTPSERVICE_STRESS_SECONDS", "120" if IS_WHOLE else "6"))
CLIENTS = 4
"""Of each account."""
QUIET_SECONDS = 60.0
FAULTS: dict[str, tuple[Callable[[StressedNodes], None], ...]] = {
    "processes": (
        *(StressedNodes.kill_worker, StressedNodes.kill_worker, StressedNodes.kill_node),
        StressedNodes.kill_main,
    ),
    "frozen": (StressedNodes.freeze_worker,),
    "database": (StressedNodes.stop_database, StressedNodes.crash_database),
}
FAULTS["everything"] = tuple(fault for kind in FAULTS.values() for fault in kind)
KINDS = tuple(FAULTS) if IS_WHOLE else ("everything",)


@pytest.fixture(autouse=True)
def possible() -> None:
    if postgresql_directory() is None:
        pytest.skip("postgresql is not installed")


class Stress:
    """One run."""

    def __init__(self, nodes: StressedNodes, seed: int) -> None:
        self.nodes = nodes
        self.sessions = SessionWatch(nodes)
        numbered = enumerate(one for one in ACCOUNTS for _ in range(CLIENTS))
        self.clients = [
            StressedClient(number, account, nodes, self.sessions, seed)
            for number, account in numbered
        ]
        self.errors: list[BaseException] = []

    def replaced(self, account: Account) -> tuple[int, int]:
        """Return the bytes of the files that are being replaced, and the replacements so far."""
        clients = [one for one in self.clients if one.account is account]
        growing = sum(sum(tuple(one.growing.values())) for one in clients)
        return growing, sum(one.replacements for one in clients)

    def run(self, faults: tuple[Callable[[StressedNodes], None], ...], seconds: float) -> None:
        """Have all clients work while faults happen."""
        ends = threading.Event()

        def work(client: StressedClient) -> None:
            try:
                client.run(ends.is_set)
            except BaseException as error:  # the test fails with it
                self.errors.append(error)
                raise

        threads = [threading.Thread(target=work, args=(one,)) for one in self.clients]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                time.sleep(self.nodes.chance.uniform(0.1, 0.8))
                self.nodes.chance.choice(faults)(self.nodes)
        finally:
            ends.set()
            for thread in threads:
                thread.join()

    def wrong_sums(self) -> list[str]:
        """Return where nodes count other sums than there are on the disk."""
        wrong = []
        for account in ACCOUNTS:
            there = on_disk(self.nodes.files / account.name)
            for name in self.nodes.names:
                counted: object
                try:
                    counted = said(self.nodes, name, account)
                except (*CUT, ftplib.Error) as error:
                    counted = repr(error)
                if counted != there:
                    wrong.append(f"{account.name} at {name}: {counted}, not {there}")
        return wrong

    def drop_partials(self) -> None:
        """Have every account remove its partial uploads."""
        for account in ACCOUNTS:
            with closing(self.login(account, self.nodes.names[0])) as client:
                client.sendcmd("SITE PARTIALS DELETE ALL")
                client.quit()

    def login(self, account: Account, name: str) -> ftplib.FTP:
        with ExitStack() as undo:
            client = undo.enter_context(closing(ftplib.FTP()))
            client.connect("127.0.0.1", self.nodes.ports[name], 20.0)
            client.login(account.name, "demo")
            undo.pop_all()
        return client

    def most_sessions(self, account: Account) -> int:
        """Return how many sessions of an account there can be at a time over all nodes."""
        with ExitStack() as stack:
            count = 0
            for number in range(account.sessions + 2 * len(self.nodes.names)):
                name = self.nodes.names[number % len(self.nodes.names)]
                with suppress(ftplib.error_temp):
                    client = stack.enter_context(closing(self.login(account, name)))
                    stack.callback(client.quit)
                    count += 1
        return count


def settled(problems: Callable[[], object], wanted: object) -> object:
    """Return what a function returns when it is what is wanted, or the last it returned."""
    deadline = time.monotonic() + QUIET_SECONDS
    while (found := problems()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_counts_hold_while_processes_and_the_database_end(kind: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("FTPSERVICE_SEED", random.randrange(1 << 30)))
    print("FTPSERVICE_SEED", seed, kind)
    with StressedNodes(tmp_path, NODES, WORKERS, random.Random(seed)) as nodes:
        stress = Stress(nodes, seed)
        with QuotaWatch(nodes, stress.replaced) as quotas:
            stress.run(FAULTS[kind], SECONDS)
            assert settled(nodes.is_whole, True), nodes.history
            sums = settled(stress.wrong_sums, [])
        confirmed = sum(one.confirmed for one in stress.clients)
        refusals = sum((Counter(one.refusals) for one in stress.clients), Counter())
        print("\n".join(nodes.history), confirmed, quotas.most, quotas.looks, sep="\n")
        print(*(f"{count} {text}" for text, count in refusals.most_common()), sep="\n")
        assert not stress.errors
        assert confirmed > 10
        assert sums == []
        assert [wrong for one in stress.clients for wrong in one.check()] == []
        assert quotas.exceeded == []
        assert stress.sessions.exceeded == []
        stress.drop_partials()
        assert list(nodes.files.rglob(".ftpservice.*")) == []
        assert settled(stress.wrong_sums, []) == []
        assert settled(nodes.used_places, {}) == {}
        assert [stress.most_sessions(one) for one in ACCOUNTS] == [one.sessions for one in ACCOUNTS]
        for name in nodes.names:
            assert "Traceback" not in nodes.log(name)
