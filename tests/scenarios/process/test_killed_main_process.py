"""The main process is killed while a worker has a transfer; the next one knows its end."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    ACCOUNTS,
    LOOPBACK,
    SERVE,
    login,
    processes_in,
    serving,
    wait_for,
    write_accounts,
)

WORDS = ("--root=local:files", "--data-dir=var", "--grace=30")
HALF = b"x" * 100_000


def transfers(directory: Path) -> list[tuple[object, ...]]:
    """Return the transfers of the journal."""
    path = directory / "var" / "journal.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=10)) as database:
        try:
            rows = database.execute(
                "SELECT path, bytes, outcome FROM ftpservice_journal WHERE kind = 'transfer'"
            )
            return rows.fetchall()
        except sqlite3.OperationalError:  # there is no table yet
            return []


def test_a_transfer_that_outlives_the_main_process_is_in_the_journal(tmp_path: Path) -> None:
    write_accounts(tmp_path)
    (tmp_path / "files").mkdir()
    command = [*SERVE, LOOPBACK, ACCOUNTS, *WORDS]
    with (
        Program(command, tmp_path) as running,
        closing(login(running.port())) as client,
    ):
        client.voidcmd("TYPE I")
        with client.transfercmd("STOR file") as data:
            data.sendall(HALF)
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(PATIENCE)
            data.sendall(HALF)
        assert client.voidresp().startswith("226")
        wait_for(lambda: not processes_in(tmp_path), "a worker is left")
    assert transfers(tmp_path) == []
    with serving(tmp_path, *WORDS):
        wait_for(lambda: transfers(tmp_path), "the journal has no transfer")
    assert transfers(tmp_path) == [("/file", 2 * len(HALF), "complete")]
    assert list((tmp_path / "var" / "journal-spool" / "workers").iterdir()) == []
