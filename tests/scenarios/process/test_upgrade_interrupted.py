"""Upgrades that are cut: killed, stopped, begun twice; and HTTP transfers while one goes on."""

from __future__ import annotations

import http.client
import io
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.process.test_upgrade import assert_upgraded
from tests.scenarios.process.test_workers import is_refused
from tests.support.account_service import COMMAND
from tests.support.page_client import PageClient
from tests.support.service_process import PATIENCE, Program, checkout_environment
from tests.support.tus_client import BrowserClient
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    LOOPBACK,
    SERVE,
    ask,
    children,
    login,
    processes_in,
    wait_for,
    write_accounts,
)

pytestmark = pytest.mark.usefixtures("accounts")
HTTP = "--http=tcp:0:interface=127.0.0.1"
WORDS = (LOOPBACK, ACCOUNTS, HTTP, "--stall-timeout=300")
LARGE = CONTENT * 100
BEGUN = "the program is replaced"


@pytest.fixture
def running(tmp_path: Path, accounts: None) -> Iterator[Program]:
    with Program([*SERVE, *WORDS, "--grace=30"], tmp_path) as served:
        served.port()
        yield served


@pytest.fixture
def upgrading(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """The commands that a test has begun; they are ended with it."""
    begun: list[subprocess.Popen[str]] = []
    yield begun
    for one in begun:
        one.kill()
        one.communicate()


def begin_upgrade(directory: Path, upgrading: list[Any]) -> subprocess.Popen[str]:
    command = subprocess.Popen(
        [*COMMAND, "upgrade", "--socket", "var/control.sock"],
        cwd=directory,
        env=checkout_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    upgrading.append(command)
    return command


class Upload:
    """An upload that has begun."""

    def __init__(self, running: Program, stack: ExitStack) -> None:
        self.client = stack.enter_context(closing(login(running.port())))
        self.client.voidcmd("TYPE I")
        self._data = stack.enter_context(self.client.transfercmd("STOR late"))
        self._data.sendall(CONTENT)

    def finish(self, directory: Path) -> None:
        """Send the rest; it must be confirmed and be there."""
        self._data.sendall(CONTENT)
        self._data.close()
        assert self.client.voidresp().startswith("226")
        assert (directory / "var" / "files" / "late").read_bytes() == 2 * CONTENT


def is_replaced(running: Program) -> bool:
    """Return whether the process has become another program."""
    return b"FTPSERVICE_HANDOVER=" in Path(f"/proc/{running.process.pid}/environ").read_bytes()


def has_new_workers(running: Program) -> bool:
    return is_replaced(running) and len(children(running.process.pid)) > 2


def assert_nothing_runs(directory: Path, upgrading: list[subprocess.Popen[str]]) -> None:
    """Wait for the end of all processes of the service."""
    ours = {one.pid for one in upgrading}
    wait_for(lambda: not set(processes_in(directory)) - ours, "a process is left")


@pytest.mark.parametrize("moment", [is_replaced, has_new_workers])
def test_a_killed_handover_leaves_transfers_alone_and_no_process(
    running: Program, tmp_path: Path, upgrading: list[Any], moment: Any
) -> None:
    """The command says that the service has ended, and the next start works."""
    port = running.port()
    with ExitStack() as stack:
        upload = Upload(running, stack)
        command = begin_upgrade(tmp_path, upgrading)
        wait_for(lambda: moment(running))
        os.kill(running.process.pid, signal.SIGKILL)
        _, errors = command.communicate(timeout=PATIENCE)  # before its parent has noticed the end
        running.process.wait(PATIENCE)
        wait_for(lambda: is_refused(port), "the port is still open")
        upload.finish(tmp_path)
    assert command.returncode == 1
    assert "the service has ended" in errors
    assert_nothing_runs(tmp_path, upgrading)
    assert_serves_again(tmp_path)


def assert_serves_again(directory: Path) -> None:
    with Program([*SERVE, LOOPBACK, ACCOUNTS, HTTP], directory) as again:
        with closing(login(again.port())) as client:
            client.storbinary("STOR again", io.BytesIO(CONTENT))
        assert again.stopped(signal.SIGTERM) == 0
        assert "Traceback" not in again.output


def test_a_service_that_is_killed_during_the_trial_leaves_no_process(
    running: Program, tmp_path: Path, upgrading: list[Any]
) -> None:
    before = set(children(running.process.pid))
    begin_upgrade(tmp_path, upgrading)
    wait_for(lambda: set(children(running.process.pid)) - before)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait(PATIENCE)
    assert_nothing_runs(tmp_path, upgrading)
    assert_serves_again(tmp_path)


def test_a_stop_during_the_trial_ends_it(
    running: Program, tmp_path: Path, upgrading: list[Any]
) -> None:
    before = set(children(running.process.pid))
    begin_upgrade(tmp_path, upgrading)
    wait_for(lambda: set(children(running.process.pid)) - before)
    assert running.stopped(signal.SIGTERM) == 0
    assert_nothing_runs(tmp_path, upgrading)
    assert BEGUN not in running.output


def test_a_stop_after_the_handover_lets_transfers_finish(
    running: Program, tmp_path: Path, upgrading: list[Any]
) -> None:
    with ExitStack() as stack:
        upload = Upload(running, stack)
        begin_upgrade(tmp_path, upgrading)
        wait_for(lambda: is_replaced(running))
        running.process.send_signal(signal.SIGTERM)
        running.line("waiting up to 30 s for 1 transfer")
        upload.finish(tmp_path)
        assert running.ended() == 0
    running.line("uploaded /late: complete")
    assert "Traceback" not in running.output
    assert_nothing_runs(tmp_path, upgrading)


def begin_download(running: Program, tmp_path: Path) -> tuple[PageClient, Any, Any]:
    """Begin a download over HTTP that does not end until it is read."""
    files = tmp_path / "var" / "files"
    (files / "large.bin").write_bytes(LARGE)
    page = PageClient(running, "demo", "demo")
    connection, answer = page.open("GET", page.files("content", path="/large.bin"))
    assert answer.status == 200
    return page, connection, answer


def test_a_stop_during_the_handover_ends_the_service_as_at_any_time(
    running: Program, tmp_path: Path, upgrading: list[Any]
) -> None:
    """Transfers of workers and over HTTP finish, and what happens is recorded."""
    with ExitStack() as stack:
        upload = Upload(running, stack)
        _, connection, answer = begin_download(running, tmp_path)
        stack.callback(connection.close)
        begin_upgrade(tmp_path, upgrading)
        running.line(BEGUN)
        running.process.send_signal(signal.SIGTERM)
        upload.finish(tmp_path)
        assert answer.read() == LARGE
        assert running.ended() == 0
    running.line("uploaded /late: complete")
    assert not is_listed(tmp_path, "control.sock")
    assert "Traceback" not in running.output
    assert_nothing_runs(tmp_path, upgrading)
    assert_serves_again(tmp_path)


def is_listed(directory: Path, name: str) -> bool:
    return name in os.listdir(directory / "var")


def test_two_commands_at_a_time(running: Program, tmp_path: Path, upgrading: list[Any]) -> None:
    """The second one is refused, or makes an upgrade of its own."""
    with ExitStack() as stack:
        upload = Upload(running, stack)
        commands = [begin_upgrade(tmp_path, upgrading) for _ in range(2)]
        texts = [one.communicate(timeout=3 * PATIENCE) for one in commands]
        statuses = sorted(one.returncode for one in commands)
        assert statuses in ([0, 0], [0, 1]), texts
        for one, (_, errors) in zip(commands, texts, strict=True):
            assert not one.returncode or "is upgraded already" in errors
        upload.finish(tmp_path)
    with closing(login(running.port())) as client:
        client.storbinary("STOR new", io.BytesIO(CONTENT))
    wait_for(lambda: len(children(running.process.pid)) == 2)
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def test_a_download_over_http_finishes_before_the_handover(
    running: Program, tmp_path: Path, upgrading: list[Any]
) -> None:
    """FTP is served meanwhile, and requests over HTTP wait for the next program."""
    page, connection, answer = begin_download(running, tmp_path)
    command = begin_upgrade(tmp_path, upgrading)
    running.line(BEGUN)
    with closing(login(running.port())) as client:
        client.storbinary("STOR meanwhile", io.BytesIO(CONTENT))
    waiting = http.client.HTTPConnection("127.0.0.1", page.port, timeout=2 * PATIENCE)
    waiting.request("GET", "/healthz")
    assert command.poll() is None
    assert answer.read() == LARGE
    connection.close()
    output, errors = command.communicate(timeout=3 * PATIENCE)
    assert command.returncode == 0, errors
    assert output.startswith("upgraded to ")
    assert waiting.getresponse().status == 200
    waiting.close()
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def test_transfers_over_http_that_take_longer_than_grace_are_resumed(tmp_path: Path) -> None:
    write_accounts(tmp_path)
    with Program([*SERVE, LOOPBACK, ACCOUNTS, HTTP, "--grace=1"], tmp_path) as running:
        running.port()
        page, connection, answer = begin_download(running, tmp_path)
        browser = BrowserClient(page.port, "demo", "demo")
        place = browser.create("/up.bin", len(LARGE)).headers["Location"]
        half = len(LARGE) // 2
        with browser.begin_patch(place, 0, len(LARGE), LARGE[:half]):
            wait_for(lambda: moved(tmp_path) > 0)
            assert_upgraded(tmp_path, running)
            running.line("2 transfers aborted, not finished within 1 s")
        begun = b""
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            while piece := answer.read1():
                begun += piece
            answer.read()
        connection.close()
        page = PageClient(running, "demo", "demo")
        where = page.files("content", path="/large.bin")
        rest, body = page.ask("GET", where, Range=f"bytes={len(begun)}-")
        assert rest.status == 206
        assert begun + body == LARGE
        browser = BrowserClient(page.port, "demo", "demo")
        offset = browser.head(place).offset
        assert 0 < offset <= half
        assert browser.patch(place, offset, LARGE[offset:]).status == 204
        assert (tmp_path / "var" / "files" / "up.bin").read_bytes() == LARGE
        assert running.stopped(signal.SIGTERM) == 0
        assert "Traceback" not in running.output


def moved(directory: Path) -> int:
    rows = ask(directory, "who")
    return sum(one["moved"] for row in rows for one in row["transfers"] if one["upload"])
