"""Limits, rates and uploads hold over the workers of a service."""

from __future__ import annotations

import ftplib
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    FAST_HASH,
    ask,
    kill_worker,
    login,
    process_of,
    serving,
    spread_sessions,
    wait_for,
    write_accounts,
)

RATE = 400_000


def prepare(directory: Path) -> None:
    """Write the accounts, and make the directory that is served."""
    write_accounts(directory)
    (directory / "root").mkdir()
    with (directory / "accounts").open("a") as accounts:
        accounts.write(f"slow:{FAST_HASH}:/:full:rate-down={RATE}\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A service without limits of its own, for several tests."""
    directory = tmp_path_factory.mktemp("service")
    prepare(directory)
    with serving(directory, "--root=root") as program:
        yield program


@contextmanager
def limited(directory: Path, option: str) -> Iterator[Program]:
    """Run a service with a limit."""
    prepare(directory)
    with serving(directory, "--root=root", "--data-dir=var", option) as program:
        yield program


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


def test_racing_logins_get_exactly_the_limit_also_when_a_worker_was_killed(
    tmp_path: Path, stack: ExitStack
) -> None:
    """Of a user's sessions from many addresses, in whatever worker."""
    running = stack.enter_context(limited(tmp_path, "--max-sessions-per-user=5"))
    pool = stack.enter_context(ThreadPoolExecutor(12))

    def logins(number: int) -> list[ftplib.FTP]:
        hosts = [f"127.0.{number}.{one + 1}" for one in range(12)]
        found = [one for one in pool.map(lambda h: try_login(running.port(), h), hosts) if one]
        for client in found:
            stack.enter_context(closing(client))
        return found

    for number in range(4):
        got = logins(number)
        assert len(got) == 5
        for client in got:
            client.quit()
    got = logins(5)
    killed = process_of(got[0], running)
    gone = sum(process_of(client, running) == killed for client in got)
    kill_worker(running, killed)
    assert len(logins(6)) == gone


@pytest.mark.parametrize(
    ("option", "hosts", "most"),
    [
        ("--max-sessions=5", [f"127.1.1.{one}" for one in range(1, 25)], 5),
        ("--max-sessions-per-address=3", ["127.1.2.1", "127.1.2.2"] * 12, 6),
    ],
)
def test_racing_sessions_never_exceed_a_limit_and_give_their_places_back(
    tmp_path: Path, stack: ExitStack, option: str, hosts: list[str], most: int
) -> None:
    """In all, and from each address; as many as the limit says can begin after each race."""
    running = stack.enter_context(limited(tmp_path, option))
    pool = stack.enter_context(ThreadPoolExecutor(len(hosts)))
    for _ in range(4):
        raced = list(pool.map(lambda host: try_login(running.port(), host), hosts))
        then = [try_login(running.port(), host) for host in hosts]
        got = [client for client in (*raced, *then) if client is not None]
        for client in got:
            stack.enter_context(closing(client))
        assert len(got) == most
        for client in got:
            client.close()
        wait_for(lambda: ask(tmp_path, "who") == [])


def guess(port: int) -> str:
    """Try a wrong password; return the code of the reply, empty if there was none in time."""
    with suppress(EOFError, OSError), closing(ftplib.FTP()) as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE, source_address=("127.9.9.9", 0))
        client.sendcmd("USER other")
        client.sock.settimeout(3)  # type: ignore[union-attr]  # some wait for their turn
        try:
            client.sendcmd("PASS wrong")
        except ftplib.Error as error:
            return str(error)[:3]
    return ""


def test_failed_logins_count_in_all_workers(running: Program) -> None:
    """An address gets its allowance once; then few attempts wait, and the others are refused."""
    with ThreadPoolExecutor(24) as pool:
        allowed = list(pool.map(guess, [running.port()] * 20))
        more = list(pool.map(guess, [running.port()] * 24))
    assert allowed.count("421") == 0
    assert more.count("421") >= 10
    assert more.count("530") <= 5


def test_a_rate_of_a_user_holds_over_the_workers(running: Program, stack: ExitStack) -> None:
    (running.directory / "root" / "zeros").write_bytes(bytes(2 * RATE))
    sessions: dict[int, ftplib.FTP] = {}
    while len(sessions) < 2:
        client = ftplib.FTP()
        client.connect("127.0.0.1", running.port(), timeout=PATIENCE)
        client.login("slow", "demo")
        stack.enter_context(closing(client))
        sessions.setdefault(process_of(client, running), client)
    ends: list[float] = []

    def download(client: ftplib.FTP) -> None:
        client.retrbinary("RETR zeros", lambda _data: None)
        ends.append(time.monotonic())

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(download, sessions.values()))
    assert max(ends) - began >= 2 * 2 * RATE / RATE - 0.6
    assert min(ends) - began >= 0.6 * (max(ends) - began), "both had a part"


class Upload:
    """An upload that has begun, and is not finished."""

    def __init__(self, client: ftplib.FTP, file: Path, data: bytes) -> None:
        self.client = client
        self._size = len(data)
        self._directory = file.parent
        client.voidcmd("TYPE I")
        self._connection = client.transfercmd(f"STOR {file.name}")
        self._connection.sendall(data)
        wait_for(self._has_arrived)

    def _has_arrived(self) -> bool:
        return any(path.stat().st_size == self._size for path in self._directory.iterdir())

    def cut(self) -> None:
        """End both connections, as a client that is killed."""
        self._connection.close()
        self.client.close()


@pytest.mark.parametrize("is_there", [True, False], ids=["over a file", "a new file"])
def test_an_upload_is_resumed_in_another_worker(
    running: Program, stack: ExitStack, is_there: bool
) -> None:
    file = running.directory / "root" / f"resumed-{is_there}"
    data = os.urandom(900_000)
    if is_there:
        file.write_bytes(b"old" * 100_000)
    one, other = spread_sessions(running, stack).values()
    upload = Upload(one, file, data[:500_000])
    with pytest.raises(ftplib.error_temp, match="upload"):
        other.storbinary(f"STOR {file.name}", BytesIO())
    upload.cut()
    other.voidcmd("TYPE I")
    arrived = other.size(file.name)
    assert arrived in (499_999, 500_000)
    other.storbinary(f"STOR {file.name}", BytesIO(data[arrived:]), rest=arrived)
    assert file.read_bytes() == data


def test_the_name_of_an_upload_is_free_when_its_worker_was_killed(
    running: Program, stack: ExitStack
) -> None:
    file = running.directory / "root" / "killed"
    (number, one), (_other_number, other) = spread_sessions(running, stack).items()
    upload = Upload(one, file, os.urandom(300_000))
    kill_worker(running, number)
    other.storbinary("STOR killed", BytesIO(b"new"))
    upload.cut()
    assert file.read_bytes() == b"new"


def test_connections_without_a_login_do_not_occupy_all_places(
    tmp_path: Path, stack: ExitStack
) -> None:
    """Wherever they are: with one place the new session is in the other worker."""
    running = stack.enter_context(limited(tmp_path, "--max-sessions=1"))
    for _ in range(4):
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", running.port())))
        idle.settimeout(PATIENCE)
        assert idle.recv(1000).startswith(b"220")
    client = stack.enter_context(closing(login(running.port())))
    assert try_login(running.port(), "127.0.0.1") is None
    client.quit()
