"""One passive port for the sessions of several worker processes."""

from __future__ import annotations

import ftplib
import io
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.support.client_programs import program, run
from tests.support.service_process import Program
from tests.support.worker_service import (
    kill_worker,
    login,
    serving,
    spread_sessions,
    write_accounts,
)

FILES = 20


def content_of(name: str) -> bytes:
    """Return what the file of this name contains: nothing that another file has."""
    return f"{name}\n".encode() * 3000


@pytest.fixture(scope="module")
def port() -> int:
    """The passive port of the service."""
    return free_port()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Program]:
    """The service that several tests use."""
    directory = tmp_path_factory.mktemp("service")
    write_accounts(directory)
    with serving(directory, f"--passive-port={port}") as served:
        yield served


def announced(client: ftplib.FTP) -> int:
    """Ask for the passive port."""
    return int(client.sendcmd("EPSV").split("|")[3])


def test_sessions_of_all_workers_use_the_port(running: Program, port: int) -> None:
    with ExitStack() as stack:
        sessions = spread_sessions(running, stack)
        for _ in range(3):
            for number, client in sessions.items():
                client.storbinary(f"STOR {number}", io.BytesIO(content_of(str(number))))
                read = io.BytesIO()
                client.retrbinary(f"RETR {number}", read.write)
                assert read.getvalue() == content_of(str(number))
                assert client.nlst()
        assert announced(client) == port


def test_sessions_of_two_workers_take_turns(running: Program, port: int) -> None:
    with ExitStack() as stack:
        one, other = spread_sessions(running, stack).values()
        assert announced(one) == port
        asked = threading.Thread(target=announced, args=(other,))
        asked.start()
        asked.join(0.3)
        assert asked.is_alive()
        with socket.create_connection(("127.0.0.1", port)) as data:
            assert one.sendcmd("STOR mine").startswith("150")
            data.sendall(b"mine")
        assert one.getresp().startswith("226")
        asked.join(10)
        assert not asked.is_alive()
        with socket.create_connection(("127.0.0.1", port)) as data:
            assert other.sendcmd("STOR theirs").startswith("150")
            data.sendall(b"theirs")
        assert other.getresp().startswith("226")
        assert (one.size("mine"), one.size("theirs")) == (4, 6)


def test_a_killed_worker_gives_its_turn_back(running: Program, port: int) -> None:
    with ExitStack() as stack:
        sessions = spread_sessions(running, stack)
        (killed, one), (_, other) = sessions.items()
        assert announced(one) == port
        kill_worker(running, killed)
        other.storbinary("STOR a", io.BytesIO(b"content"))
        again = stack.enter_context(login(running.port()))
        again.storbinary("STOR b", io.BytesIO(b"content"))
        assert {"a", "b"} <= set(again.nlst())


def test_a_transfer_that_waits_at_a_stop_gets_its_connection(tmp_path: Path) -> None:
    write_accounts(tmp_path)
    port = free_port()
    with serving(tmp_path, "--grace=20", f"--passive-port={port}") as running:
        client = login(running.port())
        with closing(client):
            assert announced(client) == port
            assert client.sendcmd("STOR a").startswith("150")
            running.process.send_signal(signal.SIGTERM)
            running.line("waiting up to 20 s for 1 transfer")
            with socket.create_connection(("127.0.0.1", port)) as data:
                data.sendall(b"content")
            assert client.getresp().startswith("226")


@pytest.mark.parametrize("tls", ["no", "yes"])
def test_lftp_mirrors_in_parallel(running: Program, tmp_path: Path, tls: str) -> None:
    here = tmp_path / "here"
    (here / "up").mkdir(parents=True)
    names = [f"file{number}" for number in range(FILES)]
    for name in names:
        (here / "up" / name).write_bytes(content_of(name))
    script = [
        "set cmd:fail-exit yes",
        f"set ftp:ssl-allow {tls}",
        f"set ftp:ssl-force {tls}",
        "set ssl:verify-certificate no",
        f"open -u demo,demo -p {running.port()} 127.0.0.1",
        f"mirror -R --parallel=5 up there-{tls}",
        f"mirror --parallel=5 there-{tls} down",
        "",
    ]
    run([program("lftp"), "-f", "/dev/stdin"], tmp_path, cwd=here, stdin="\n".join(script))
    for name in names:
        assert (here / "down" / name).read_bytes() == content_of(name)
