"""Nodes with workers and a PostgreSQL of their own, which are killed at random."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ports import free_port
from tests.support.cluster import cluster_url
from tests.support.frozen_process import freeze
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.run_watcher import end_with_run
from tests.support.service_process import PATIENCE, checkout_environment
from tests.support.worker_service import FAST_HASH, children

__all__ = ["ACCOUNTS", "Account", "Fault", "StressedNodes"]

GONE_SECONDS = 4.0
NAMES = ("one", "two", "three")
COMMAND = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve")
TROUBLE = re.compile(r"cannot be used: |counted as gone in its cluster")
"""What a node says that hands out its share, or whose places were free for a time."""
EXCUSED_SECONDS = GONE_SECONDS + 3.0
"""How long after trouble sessions of before may exceed a limit: none is ended."""


@dataclass(frozen=True)
class Account:
    """An account of the test; its password is demo."""

    name: str
    size: int
    """Its quota of bytes."""
    files: int
    sessions: int

    @property
    def line(self) -> str:
        """Its line in the file of accounts."""
        options = f"quota={self.size},quota-files={self.files},max-sessions={self.sessions}"
        return f"{self.name}:{FAST_HASH}:/{self.name}:full:{options}\n"


ACCOUNTS = (
    Account("ann", 100_000, 40, 3),
    Account("ben", 300_000, 12, 2),
    Account("cat", 1_000_000, 1000, 20),
)


class Fault:
    """A kind of fault, and how often it is chosen."""

    def __init__(self, name: str, weight: int, act: Callable[[StressedNodes], None]) -> None:
        self.name = name
        self.weight = weight
        self.act = act


class StressedNodes:
    """A context manager: ``count`` nodes with ``workers`` each, over the files of a directory."""

    def __init__(self, directory: Path, count: int, workers: int, chance: random.Random) -> None:
        self.directory = directory
        self.files = directory / "files"
        self.names = NAMES[:count]
        self.ports = {name: free_port() for name in self.names}
        self.chance = chance
        self.history: list[str] = []
        self.troubled_at = 0.0
        """When a node was last without its database, or counted as gone, as far as is known."""
        self._workers = workers
        self.began = time.time()
        """When the times of the history begin."""
        self._stack = ExitStack()
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._troubles = 0
        self._ends = threading.Event()
        self._watch = threading.Thread(target=self._watch_logs)

    def __enter__(self) -> StressedNodes:
        self.files.mkdir()
        (self.directory / "accounts").write_text("".join(one.line for one in ACCOUNTS))
        for account in ACCOUNTS:
            (self.files / account.name).mkdir()
        self.server = self._stack.enter_context(PostgreSQL())
        self.url = cluster_url(self.server, has_password=False)
        for name in self.names:
            self.start(name)
        for name in self.names:
            self.wait_for_node(name)
        self._watch.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        self._watch.join()
        for name in self.names:
            self.kill(name)
        self._stack.close()

    def told(self, text: str) -> None:
        """Note what was done."""
        self.history.append(f"{time.time() - self.began:.2f} {text}")

    def log(self, name: str) -> str:
        """Return what a node has said since its last start."""
        return (self.directory / f"log-{name}").read_text(errors="replace")

    def start(self, name: str) -> None:
        """Start a node that does not run."""
        words = [
            *("--listen", f"tcp:{self.ports[name]}:interface=127.0.0.1"),
            *("--data-dir", str(self.directory / f"data-{name}"), "--root", f"local:{self.files}"),
            *("--auth", f"passwd:{self.directory / 'accounts'}", "--allow-plaintext"),
            *("--allow-root", "--tls", "off", "--journal", "off", "--workers", str(self._workers)),
            *("--cluster", self.url, "--cluster-node", name),
            *("--cluster-timeout", str(GONE_SECONDS)),
        ]
        log = self.directory / f"log-{name}"
        if log.exists():
            with (self.directory / f"log-{name}-all").open("ab") as kept:
                kept.write(log.read_bytes())
        with log.open("wb") as output:
            self._nodes[name] = subprocess.Popen(
                [*COMMAND, *words],
                cwd=self.directory,
                env=checkout_environment() | {"PGPASSWORD": PASSWORD},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end_with_run(self._nodes[name])

    def wait_for_node(self, name: str) -> None:
        """Wait until a node serves."""
        deadline = time.monotonic() + 2 * PATIENCE
        while f":{self.ports[name]}/" not in self.log(name):
            assert time.monotonic() < deadline, self.log(name)
            assert self._nodes[name].poll() is None, self.log(name)
            time.sleep(0.02)

    def is_alive(self, name: str) -> bool:
        """Return whether a node was started and not killed."""
        return name in self._nodes

    def kill(self, name: str) -> None:
        """Kill all processes of a node, as a loss of power would."""
        workers = self.workers_of(name)  # in sessions of their own
        node = self._nodes.pop(name, None)
        if node is not None:
            for process in (node.pid, *workers):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            node.wait(PATIENCE)

    def workers_of(self, name: str) -> list[int]:
        """Return the workers of a node."""
        node = self._nodes.get(name)
        return [] if node is None else children(node.pid)

    def kill_node(self) -> None:
        """Kill a node, and start it again."""
        name = self.chance.choice(self.names)
        self.told(f"node {name} is killed")
        self.kill(name)
        self._pause(0.5)
        self.start(name)
        self.wait_for_node(name)
        self.told(f"node {name} serves again")

    def kill_main(self) -> None:
        """Kill the main process of a node, whose workers end by themselves; start it again."""
        name = self.chance.choice(self.names)
        node = self._nodes[name]
        left = self.workers_of(name)
        self.told(f"main process of {name} is killed")
        node.kill()
        node.wait(PATIENCE)
        deadline = time.monotonic() + 2 * PATIENCE
        while any(Path(f"/proc/{one}").exists() for one in left):
            if time.monotonic() > deadline:
                self.told(f"workers of {name} go on")
                break
            time.sleep(0.02)
        self.kill(name)
        self.start(name)
        self.wait_for_node(name)
        self.told(f"node {name} serves again")

    def kill_worker(self) -> None:
        """Kill a worker, which its node replaces."""
        name = self.chance.choice(self.names)
        if found := self.workers_of(name):
            victim = self.chance.choice(found)
            self.told(f"worker {victim} of {name} is killed")
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def freeze_worker(self) -> None:
        """Stop a worker for a moment, perhaps while it has a lock."""
        if found := self.workers_of(self.chance.choice(self.names)):
            victim = self.chance.choice(found)
            with suppress(ProcessLookupError):
                freeze(victim)
                time.sleep(0.15)
                os.kill(victim, signal.SIGCONT)

    def stop_database(self, is_crash: bool = False) -> None:
        """Stop PostgreSQL, and start it again; a crash empties the tables."""
        self.told("the database crashes" if is_crash else "the database is stopped")
        self.troubled_at = float("inf")
        self.server.stop(is_clean=not is_crash)
        self._pause(1.5)
        self.server.start()
        self.troubled_at = time.monotonic()
        self.told("the database is back")

    def crash_database(self) -> None:
        """Have PostgreSQL crash, and start it again."""
        self.stop_database(is_crash=True)

    def _pause(self, most: float) -> None:
        time.sleep(self.chance.uniform(0.1, most))

    def is_excused(self, since: float) -> bool:
        """Whether sessions may exceed a limit, as nodes were without their database lately.

        That is before the session asked for a place, at ``since``: it may have got it then.
        """
        return since < self.troubled_at + EXCUSED_SECONDS

    def _watch_logs(self) -> None:
        while not self._ends.wait(0.05):
            count = 0
            for name in self.names:
                with suppress(FileNotFoundError):
                    count += len(TROUBLE.findall(self.log(name)))
            if count > self._troubles and self.troubled_at != float("inf"):
                self.troubled_at = time.monotonic()
            self._troubles = count

    def is_whole(self) -> bool:
        """Return whether all nodes are in the cluster, by what its database says."""
        with suppress(Exception), self.server.connect(self.url.rpartition("/")[2]) as connection:
            row = connection.execute(
                "SELECT count(*) FROM ftpservice_cluster_node WHERE until > clock_timestamp()"
            ).fetchone()
            return row is not None and row[0] == len(self.names)
        return False

    def used_places(self) -> dict[str, int]:
        """Return the places of accounts that the database has as used."""
        with self.server.connect(self.url.rpartition("/")[2]) as connection:
            rows = connection.execute(
                "SELECT name, sum(used)::bigint FROM ftpservice_cluster_places"
                " WHERE kind = 'user' AND used > 0 GROUP BY name"
            ).fetchall()
        return {str(name): int(str(used)) for name, used in rows}
