"""Limits, rates and uploads hold over the workers of a service."""

from __future__ import annotations

import ftplib
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    ACCOUNTS,
    FAST_HASH,
    LOOPBACK,
    SERVE,
    login,
    process_of,
    spread_sessions,
    wait_for,
    write_accounts,
)

RATE = 400_000


def service(directory: Path, *options: str, lines: tuple[str, ...] = ()) -> Program:
    """Return a service with two workers."""
    write_accounts(directory)
    (directory / "root").mkdir()
    with (directory / "accounts").open("a") as accounts:
        accounts.writelines(f"{line}\n" for line in lines)
    return Program([*SERVE, LOOPBACK, ACCOUNTS, "--root=root", *options], directory)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack


def try_login(port: int, host: str) -> ftplib.FTP | None:
    """Return a session from a local address; None if it was refused."""
    client = ftplib.FTP()
    try:
        client.connect("127.0.0.1", port, timeout=PATIENCE, source_address=(host, 0))
        client.login("demo", "demo")
    except (ftplib.Error, EOFError, OSError):
        client.close()
        return None
    return client


def test_racing_logins_get_exactly_the_limit(tmp_path: Path, stack: ExitStack) -> None:
    """Of a user's sessions from many addresses, in whatever worker."""
    running = stack.enter_context(service(tmp_path, "--max-sessions-per-user=5"))
    pool = stack.enter_context(ThreadPoolExecutor(12))
    for number in range(6):
        hosts = [f"127.0.{number}.{one + 1}" for one in range(12)]
        got = [one for one in pool.map(lambda h: try_login(running.port(), h), hosts) if one]
        assert len(got) == 5
        assert len({process_of(client, running) for client in got}) <= 2
        for client in got:
            client.quit()


def test_the_places_of_a_killed_worker_are_free(tmp_path: Path, stack: ExitStack) -> None:
    running = stack.enter_context(service(tmp_path, "--max-sessions-per-user=2"))
    one = stack.enter_context(closing(login(running.port())))
    other = stack.enter_context(closing(login(running.port())))
    assert try_login(running.port(), "127.0.0.1") is None
    killed, second = process_of(one, running), process_of(other, running)
    os.kill(killed, signal.SIGKILL)
    gone = 2 if killed == second else 1
    found: list[ftplib.FTP] = []
    until = time.monotonic() + PATIENCE
    while len(found) < gone and time.monotonic() < until:
        client = try_login(running.port(), "127.0.0.1")
        if client is not None:
            found.append(stack.enter_context(closing(client)))
    assert len(found) == gone
    assert try_login(running.port(), "127.0.0.1") is None


def guess(port: int) -> str:
    """Try a wrong password; return the code of the reply, empty if there was none in time."""
    with suppress(EOFError, OSError), closing(ftplib.FTP()) as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE, source_address=("127.9.9.9", 0))
        client.sendcmd("USER demo")
        client.sock.settimeout(3)  # type: ignore[union-attr]  # some wait for their turn
        try:
            client.sendcmd("PASS wrong")
        except ftplib.Error as error:
            return str(error)[:3]
    return ""


def test_failed_logins_count_in_all_workers(tmp_path: Path, stack: ExitStack) -> None:
    """An address gets its allowance once; then few attempts wait, and the others are refused."""
    running = stack.enter_context(service(tmp_path))
    with ThreadPoolExecutor(24) as pool:
        allowed = list(pool.map(guess, [running.port()] * 20))
        more = list(pool.map(guess, [running.port()] * 24))
    assert allowed.count("421") == 0
    assert more.count("421") >= 10
    assert more.count("530") <= 5


def test_a_rate_of_a_user_holds_over_the_workers(tmp_path: Path, stack: ExitStack) -> None:
    line = f"slow:{FAST_HASH}:/:full:rate-down={RATE}"
    running = stack.enter_context(service(tmp_path, lines=(line,)))
    (tmp_path / "root" / "file").write_bytes(bytes(2 * RATE))
    sessions: dict[int, ftplib.FTP] = {}
    while len(sessions) < 2:
        client = ftplib.FTP()
        client.connect("127.0.0.1", running.port(), timeout=PATIENCE)
        client.login("slow", "demo")
        stack.enter_context(closing(client))
        sessions.setdefault(process_of(client, running), client)
    ends: list[float] = []

    def download(client: ftplib.FTP) -> None:
        client.retrbinary("RETR file", lambda _data: None)
        ends.append(time.monotonic())

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(download, sessions.values()))
    assert max(ends) - began >= 2 * 2 * RATE / RATE - 0.6
    assert min(ends) - began >= 0.6 * (max(ends) - began), "both had a part"


class Upload:
    """An upload that has begun, and is not finished."""

    def __init__(self, client: ftplib.FTP, directory: Path, data: bytes) -> None:
        self.client = client
        self.data = data
        self.directory = directory / "root"
        client.voidcmd("TYPE I")
        self.connection = client.transfercmd("STOR file")
        self.connection.sendall(data)
        wait_for(self._has_arrived)

    def _has_arrived(self) -> bool:
        sizes = [path.stat().st_size for path in self.directory.rglob("*") if path.is_file()]
        return len(self.data) in sizes

    def cut(self) -> None:
        """End both connections, as a client that is killed."""
        self.connection.close()
        self.client.close()


@pytest.mark.parametrize("is_there", [True, False], ids=["over a file", "a new file"])
def test_an_upload_is_resumed_in_another_worker(
    tmp_path: Path, stack: ExitStack, is_there: bool
) -> None:
    running = stack.enter_context(service(tmp_path))
    data = os.urandom(900_000)
    if is_there:
        (tmp_path / "root" / "file").write_bytes(b"old" * 100_000)
    one, other = spread_sessions(running, stack).values()
    upload = Upload(one, tmp_path, data[:500_000])
    with pytest.raises(ftplib.error_temp, match="upload"):
        other.storbinary("STOR file", BytesIO())
    upload.cut()
    other.voidcmd("TYPE I")
    arrived = other.size("file")
    assert arrived in (499_999, 500_000)
    other.storbinary("STOR file", BytesIO(data[arrived:]), rest=arrived)
    assert (tmp_path / "root" / "file").read_bytes() == data


def test_the_name_of_an_upload_is_free_when_its_worker_was_killed(
    tmp_path: Path, stack: ExitStack
) -> None:
    running = stack.enter_context(service(tmp_path))
    (number, one), (_other_number, other) = spread_sessions(running, stack).items()
    upload = Upload(one, tmp_path, os.urandom(300_000))
    os.kill(number, signal.SIGKILL)
    other.storbinary("STOR file", BytesIO(b"new"))
    upload.cut()
    assert (tmp_path / "root" / "file").read_bytes() == b"new"


def test_connections_without_a_login_do_not_occupy_all_places(
    tmp_path: Path, stack: ExitStack
) -> None:
    """Wherever they are: with one place the new session is in the other worker."""
    running = stack.enter_context(service(tmp_path, "--max-sessions=1"))
    for _ in range(4):
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", running.port())))
        idle.settimeout(PATIENCE)
        assert idle.recv(1000).startswith(b"220")
    client = stack.enter_context(closing(login(running.port())))
    assert try_login(running.port(), "127.0.0.1") is None
    client.quit()
