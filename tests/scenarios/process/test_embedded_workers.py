"""A program that embeds the service has its workers too, and gets the events of all of them."""

from __future__ import annotations

import io
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from tests.support.service_process import CHECKOUT, Program, checkout_environment
from tests.support.worker_service import (
    CONTENT,
    TWISTD,
    children,
    is_alive,
    kill_worker,
    login,
    spread_sessions,
    wait_for,
    write_accounts,
)

EXAMPLE = CHECKOUT / "docs" / "examples" / "arrivals.tac"
PROGRAM = EXAMPLE.with_name("embed_workers.py")
PROGRAM_WORDS = '"--listen", "tcp:2121", "--auth", "passwd:passwd.db"'
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


def test_a_program_without_twistd_has_its_workers(tmp_path: Path) -> None:
    """It gets their events, and at its end they finish their transfers and end."""
    write_accounts(tmp_path)
    text = PROGRAM.read_text(encoding="utf-8")
    words = '"--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:accounts"'
    assert PROGRAM_WORDS in text
    (tmp_path / "program.py").write_text(text.replace(PROGRAM_WORDS, words), encoding="utf-8")
    with Program([sys.executable, "program.py"], tmp_path) as running:
        running.line("accept connections")
        port = int(running.line(r"HeldPort starting on (\d+)")[1])
        workers = children(running.process.pid)
        with closing(login(port)) as client, closing(login(port)) as other:
            for number, one in enumerate((client, other)):
                one.storbinary(f"STOR f{number}", io.BytesIO(CONTENT))
                running.line(rf"demo /f{number} Outcome.COMPLETE")
            with client.transfercmd("STOR late") as data:
                data.sendall(CONTENT)
                running.process.send_signal(signal.SIGTERM)
                running.line("waiting up to 30 s for 1 transfer")
                data.sendall(CONTENT)
            assert client.voidresp().startswith("226")
        assert running.ended() in (0, -signal.SIGTERM)  # the reactor sends it to itself
    assert "demo /late Outcome.COMPLETE" in running.output
    assert not any(map(is_alive, workers))
    assert "Traceback" not in running.output


def test_a_program_whose_workers_cannot_start_ends(tmp_path: Path) -> None:
    write_accounts(tmp_path)
    text = PROGRAM.read_text(encoding="utf-8")
    words = '"--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:accounts"'
    (tmp_path / "program.py").write_text(text.replace(PROGRAM_WORDS, words), encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'ftpservice.workers.process' in sys.orig_argv: os._exit(3)\n"
    )
    environment = checkout_environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    with Program([sys.executable, "program.py"], tmp_path, environment) as running:
        assert running.ended() == 1
    assert "a worker ended before it was ready (status 3)" in running.output
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
