"""A worker that stands still (SIGSTOP) for a while: the others serve, and it goes on afterwards."""

from __future__ import annotations

import ftplib
import io
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.scenarios.process.test_upgrade import assert_upgraded
from tests.support.frozen_process import freeze
from tests.support.service_process import Program
from tests.support.worker_service import (
    CONTENT,
    ask,
    children,
    is_alive,
    login,
    serving,
    spread_sessions,
    wait_for,
    write_accounts,
)

NEW_SESSIONS = 12


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Program]:
    write_accounts(tmp_path)
    with serving(tmp_path, "--grace=20", "--max-sessions-per-user=20") as program:
        yield program


@contextmanager
def stopped(process: int) -> Iterator[None]:
    freeze(process)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


class Upload:
    """An upload that has begun."""

    def __init__(self, client: ftplib.FTP, name: str, stack: ExitStack) -> None:
        client.voidcmd("TYPE I")
        self.client = client
        self.data = stack.enter_context(client.transfercmd(f"STOR {name}"))
        self.data.sendall(CONTENT)

    def finish(self) -> None:
        self.data.sendall(CONTENT)
        self.data.close()
        assert self.client.voidresp().startswith("226")


def upload_alone(running: Program, name: str) -> None:
    """Store a file in a session of its own."""
    with closing(login(running.port())) as client:
        client.storbinary(f"STOR {name}", io.BytesIO(CONTENT))


def moved(directory: Path) -> list[int]:
    return [one["moved"] for row in ask(directory, "who") for one in row["transfers"]]


def test_others_serve_meanwhile_and_it_goes_on_with_what_it_was_told(
    running: Program, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        (one, client), (_other, _) = spread_sessions(running, stack).items()
        upload = Upload(client, "slow", stack)
        wait_for(lambda: moved(tmp_path) == [len(CONTENT)])
        shown = len(ask(tmp_path, "who"))
        with stopped(one):
            for number in range(NEW_SESSIONS):
                upload_alone(running, f"f{number}")
            with pytest.raises(ftplib.error_temp, match="upload"):
                upload_alone(running, "slow")
            wait_for(lambda: len(ask(tmp_path, "who")) == shown, "ended sessions are shown")
            ask(tmp_path, "drain")
        upload.finish()
        with pytest.raises((ftplib.error_temp, EOFError)):
            client.voidcmd("NOOP")
    wait_for(lambda: ask(tmp_path, "who") == [])
    files = tmp_path / "var" / "files"
    assert (files / "slow").read_bytes() == 2 * CONTENT
    assert all((files / f"f{number}").read_bytes() == CONTENT for number in range(NEW_SESSIONS))


def test_an_upgrade_goes_on_without_it(running: Program, tmp_path: Path) -> None:
    """It is ended; transfers of the others finish, and its uploads can be resumed."""
    before = set(children(running.process.pid))
    with ExitStack() as stack:
        (one, client), (_other, another) = spread_sessions(running, stack).items()
        Upload(client, "resumed", stack)
        finished = Upload(another, "finished", stack)
        wait_for(lambda: moved(tmp_path) == [len(CONTENT)] * 2)
        freeze(one)
        assert_upgraded(tmp_path, running)
        wait_for(lambda: not is_alive(one))
        wait_for(lambda: len(moved(tmp_path)) == 1, "a transfer of the ended worker is shown")
        finished.finish()
        wait_for(lambda: not before & set(children(running.process.pid)))
        with closing(login(running.port())) as new:
            new.voidcmd("TYPE I")
            arrived = new.size("resumed")
            assert arrived is not None
            assert 0 < arrived <= len(CONTENT)
            rest = (2 * CONTENT)[arrived:]
            new.storbinary("STOR resumed", io.BytesIO(rest), rest=arrived)
    files = tmp_path / "var" / "files"
    assert (files / "finished").read_bytes() == (files / "resumed").read_bytes() == 2 * CONTENT
    wait_for(lambda: ask(tmp_path, "who") == [])
