"""Upgrades of services that were started in other ways: as root, by systemd, as a daemon."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ftplib import FTP, error_temp
from pathlib import Path

import pytest

from tests.scenarios.process.test_privileges import PROGRAM, privileged_port, stop_daemon
from tests.scenarios.process.test_upgrade import (
    assert_nothing_changed,
    assert_upgraded,
    upgrade,
)
from tests.support.service_process import PATIENCE, Program, checkout_environment
from tests.support.unprivileged import NOBODY, needs_root, opened_for_all
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    LOOPBACK,
    SERVE,
    TWISTD,
    ask,
    children,
    login,
    process_of,
    wait_for,
    write_accounts,
)

pytestmark = pytest.mark.usefixtures("accounts")
WORKERS = "--workers=2"
PATIENT = ("--grace=20", "--data-timeout=300", "--stall-timeout=300")


@pytest.fixture
def place(open_place: Path) -> Iterator[Path]:
    """A directory that every user can write to, with accounts that every user can read."""
    open_place.chmod(0o777)
    write_accounts(open_place)
    (open_place / "accounts").chmod(0o644)
    yield open_place


def users_of(process: int) -> set[int]:
    """Return the user ids that a process has or can take."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {int(word) for line in lines if line.startswith("Uid:") for word in line.split()[1:]}


@needs_root
def test_privileges_are_dropped_and_ports_below_1024_stay(place: Path, tmp_path: Path) -> None:
    """The program that takes over was never root, nor are its workers."""
    port, passive = privileged_port(), privileged_port()
    words = [
        f"--listen=tcp:{port}:interface=127.0.0.1",
        f"--passive-port={passive}",
        "--http=tcp:0:interface=127.0.0.1",
        *PATIENT,
    ]
    served = ["twistd", "--nodaemon", "--pidfile=", "ftpservice", "--uid=nobody", WORKERS]
    command = opened_for_all([*PROGRAM, *served, ACCOUNTS, *words], tmp_path / "opened")
    with Program(command, place) as running:
        assert running.port() == port
        with closing(login(port)) as client:
            client.voidcmd("TYPE I")
            assert client.sendcmd("EPSV").split("|")[3] == str(passive)
            assert client.sendcmd("STOR late").startswith("150")
            for _ in range(2):
                assert_upgraded(place, running)
            with socket.create_connection(("127.0.0.1", passive)) as data:
                data.sendall(CONTENT)
            assert client.voidresp().startswith("226")
        with closing(login(port)) as client:
            client.storbinary("STOR new", io.BytesIO(CONTENT))
        for process in (running.process.pid, *children(running.process.pid)):
            assert users_of(process) == {NOBODY}
        assert running.stopped(signal.SIGTERM) == 0
        assert "Traceback" not in running.output
    for name in ("late", "new"):
        assert (place / "var" / "files" / name).stat().st_uid == NOBODY


@pytest.fixture
def activated(tmp_path: Path, accounts: None) -> Iterator[tuple[Program, list[socket.socket]]]:
    """A service with two sockets from systemd, the first of which the settings name."""
    start = (
        "import os, sys; one, two = map(int, sys.argv[1:3]); os.dup2(one, 3); os.dup2(two, 4);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='x:y');"
        "os.execv(sys.argv[3], sys.argv[3:])"
    )
    (tmp_path / "settings").write_text('listen = ["systemd:domain=INET:index=0"]\n')
    words = [*SERVE, ACCOUNTS, *PATIENT, "--config=settings"]
    with ExitStack() as stack:
        bound = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        numbers = [one.fileno() for one in bound]
        for number in numbers:
            os.set_inheritable(number, True)
        command = [sys.executable, "-c", start, *map(str, numbers), *words]
        running = stack.enter_context(Program(command, tmp_path, inherited=numbers))
        yield running, bound


def test_sockets_of_systemd_stay(
    activated: tuple[Program, list[socket.socket]], tmp_path: Path
) -> None:
    running, bound = activated
    port = running.port()
    assert port == bound[0].getsockname()[1]
    with closing(login(port)) as client:
        client.voidcmd("TYPE I")
        with client.transfercmd("STOR late") as data:
            for _ in range(2):
                assert_upgraded(tmp_path, running)
            data.sendall(CONTENT)
        assert client.voidresp().startswith("226")
    with closing(login(port)) as client:
        client.storbinary("STOR new", io.BytesIO(CONTENT))
    wait_for(lambda: len(children(running.process.pid)) == 2)
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def test_a_further_socket_of_systemd_needs_a_restart(
    activated: tuple[Program, list[socket.socket]], tmp_path: Path
) -> None:
    running, _bound = activated
    with closing(login(running.port())) as client:
        settings = tmp_path / "settings"
        settings.write_text(settings.read_text().replace("]", ', "systemd:domain=INET:index=1"]'))
        assert_nothing_changed(upgrade(tmp_path), "systemd passed no such socket")
        client.storbinary("STOR still-there", io.BytesIO(CONTENT))
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def behind_balancer(port: int, client: str) -> FTP:
    """Return a session through a balancer, which names the address of the client."""
    session = FTP()
    session.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    session.file = session.sock.makefile("r", encoding="utf-8")
    session.host = "127.0.0.1"
    try:
        session.sock.sendall(f"PROXY TCP4 {client} 192.0.2.1 40000 21\r\n".encode())
        session.welcome = session.getresp()
        session.login("demo", "demo")
    except BaseException:
        session.close()
        raise
    return session


def test_addresses_behind_a_balancer_are_known_in_all_workers(tmp_path: Path) -> None:
    """Limits of addresses hold over workers, and over an upgrade."""
    listen = "--listen=haproxy:tcp:0:interface=127.0.0.1"
    limits = ("--max-sessions-per-address=2", "--allow-plaintext")
    names = [f"192.0.2.{number}" for number in range(10, 16)]
    with (
        Program([*SERVE, ACCOUNTS, listen, *limits, *PATIENT], tmp_path) as running,
        ExitStack() as stack,
    ):
        port = running.port()
        clients = [stack.enter_context(closing(behind_balancer(port, one))) for one in names]
        assert len({process_of(one, running) for one in clients}) == 2
        wait_for(lambda: len(ask(tmp_path, "who")) == len(clients))
        assert sorted(one["address"] for one in ask(tmp_path, "who")) == names
        stack.enter_context(closing(behind_balancer(port, names[0])))
        with pytest.raises(error_temp, match="421"):
            behind_balancer(port, names[0])
        assert_upgraded(tmp_path, running)
        wait_for(lambda: ask(tmp_path, "who") == [])
        stack.enter_context(closing(behind_balancer(port, names[0])))
        wait_for(lambda: [one["address"] for one in ask(tmp_path, "who")] == names[:1])
        assert running.stopped(signal.SIGTERM) == 0
        assert "Traceback" not in running.output


def test_a_daemon_keeps_its_process_number_and_file(tmp_path: Path) -> None:
    words = ["ftpservice", "--allow-root", WORKERS, ACCOUNTS, LOOPBACK]
    started = subprocess.run(
        [TWISTD, "--pidfile=twistd.pid", *words],
        cwd=tmp_path,
        env=checkout_environment(),
        timeout=PATIENCE,
    )
    assert started.returncode == 0
    pid_file = tmp_path / "twistd.pid"
    process = int(pid_file.read_text())
    try:
        wait_for(lambda: is_serving(tmp_path))
        before = set(children(process))
        output = upgrade_output(tmp_path)
        assert output.startswith("upgraded to ")
        assert int(pid_file.read_text()) == process
        wait_for(lambda: len(children(process)) == 2)
        assert not before & set(children(process))
    finally:
        stop_daemon(process)
    assert not pid_file.exists()
    assert "Traceback" not in (tmp_path / "twistd.log").read_text()


def is_serving(directory: Path) -> bool:
    try:
        return bool(ask(directory, "upgrade", ask=True)["is_serving"])
    except OSError:
        return False


def upgrade_output(directory: Path) -> str:
    done = subprocess.run(
        [Path(TWISTD).parent / "ftpservice", "upgrade", "--socket", "var/control.sock"],
        cwd=directory,
        env=checkout_environment(),
        timeout=4 * PATIENCE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
