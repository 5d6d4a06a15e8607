"""A program that embeds the service has its workers too, and gets the events of all of them."""

from __future__ import annotations

import io
import signal
from contextlib import ExitStack
from pathlib import Path

from tests.support.service_process import CHECKOUT, Program
from tests.support.worker_service import (
    CONTENT,
    TWISTD,
    children,
    is_alive,
    kill_worker,
    spread_sessions,
    wait_for,
    write_accounts,
)

EXAMPLE = CHECKOUT / "docs" / "examples" / "arrivals.tac"
WORDS = '"--listen", "tcp:2121:interface=127.0.0.1", "--auth", "passwd:passwd.db"'
OURS = (
    '"--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:accounts", "--workers=2", "--allow-root"'
)
ARRIVED = '#!/bin/sh\necho "$1 $2" >> arrivals\n'


def test_the_events_of_all_workers_arrive_in_the_program(tmp_path: Path) -> None:
    write_accounts(tmp_path)
    text = EXAMPLE.read_text(encoding="utf-8")
    assert WORDS in text
    (tmp_path / "arrivals.tac").write_text(text.replace(WORDS, OURS), encoding="utf-8")
    (tmp_path / "arrived").write_text(ARRIVED)
    (tmp_path / "arrived").chmod(0o755)
    with Program([TWISTD, "--pidfile=", "-ny", "arrivals.tac"], tmp_path) as running:
        running.line("accept connections")
        running.port()
        assert_events_arrive(running, "before")
        kill_worker(running)
        assert_events_arrive(running, "after")
        workers = children(running.process.pid)
        assert len(workers) == 2
        assert running.stopped(signal.SIGTERM) in (0, -signal.SIGTERM)  # that of twistd
    assert not any(map(is_alive, workers))
    assert "Traceback" not in running.output


def assert_events_arrive(running: Program, name: str) -> None:
    """Upload a file to each worker; each upload has to start the program once."""
    arrivals = running.directory / "arrivals"
    with ExitStack() as stack:
        for number, client in enumerate(spread_sessions(running, stack).values()):
            client.storbinary(f"STOR {name}{number}", io.BytesIO(CONTENT))
    expected = {f"demo /{name}{number}" for number in range(2)}
    wait_for(lambda: arrivals.exists() and expected <= set(arrivals.read_text().splitlines()))
    lines = arrivals.read_text().splitlines()
    assert len(lines) == len(set(lines))
