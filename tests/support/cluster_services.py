"""Services that are nodes of one cluster with one journal, each in a directory of its own."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ftpservice.accounts.sql.migration import upgrade
from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_place import journal_database_url
from ftpservice.admin.cli import ftpservice
from ftpservice.cluster.cluster_bans import BANS
from ftpservice.cluster.cluster_listener import notify
from tests.support.cluster import cluster_connection, cluster_url
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import Program
from tests.support.worker_service import measured_environment, write_accounts

__all__ = ["GONE_SECONDS", "Nodes"]

COMMAND = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()")
AHEAD = (sys.executable, "-m", "tests.support.shifted_clock")
SERVE = ("serve", "--allow-root", "--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:accounts")
GONE_SECONDS = 5.0


class Nodes:
    """A context manager; `start` makes nodes, ``n1`` and so on."""

    def __init__(self, directory: Path, server: PostgreSQL) -> None:
        self.directory = directory
        self._url = cluster_url(server)
        upgrade(JournalDatabase(journal_database_url(self._url)).database)
        self._stack = ExitStack()

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def start(self, name: str, *words: str, hours_ahead: float = 0.0) -> Program:
        """Start a node, for the first time or again; its clock may be wrong."""
        place = self.directory / name
        if not place.exists():
            place.mkdir()
            write_accounts(place)
            (place / "ftpservice.toml").write_text(
                f'cluster = "{self._url}"\ncluster-node = "{name}"\n'
                f"cluster-timeout = {GONE_SECONDS}\nmax-sessions-per-user = 3\n"
                f'journal = "{self._url}"\n'
            )
        program = (*AHEAD, str(hours_ahead / 24), "none") if hours_ahead else COMMAND
        command = [*program, *SERVE, "--config=ftpservice.toml", *words]
        return self._stack.enter_context(Program(command, place, measured_environment()))

    def change_ban(self, network: str, left: str) -> None:
        """Have a ban end after an interval, as a node does that others did not hear in time."""
        row = "INSERT INTO ftpservice_cluster_ban VALUES (%s, 'scans', clock_timestamp(),"
        row += " clock_timestamp() + %s::interval, 1) ON CONFLICT (network) DO UPDATE"
        row += " SET changed = excluded.changed, until = excluded.until"

        def change(driver: Any) -> None:
            driver.execute(row, (network, left))
            notify(driver, {"kind": BANS, "from": "another", "networks": [network]})

        with closing(cluster_connection(self._url)) as connection:
            connection.call(change)

    def socket(self, name: str) -> Path:
        """Return the control socket of a node."""
        return self.directory / name / "var" / "control.sock"

    def run(self, name: str, *words: str) -> str:
        """Run a command at a node; return its output."""
        found = CliRunner().invoke(ftpservice, [*words, "--socket", str(self.socket(name))])
        assert found.exit_code == 0, found.output
        return found.output

    def plain(self, *words: str) -> str:
        """Run a command that asks no service; return its output."""
        found = CliRunner().invoke(ftpservice, words)
        assert found.exit_code == 0, found.output
        return found.output

    def command(self, name: str, *words: str) -> Program:
        """Start a command at a node that goes on; a context manager."""
        command = [*COMMAND, *words, "--socket", self.socket(name)]
        return Program(command, self.directory, measured_environment())
