"""One passive port over an upgrade: it goes on for the sessions of before and for new ones."""

from __future__ import annotations

import ftplib
import io
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.scenarios.process.test_upgrade import assert_upgraded
from tests.support.client_programs import program, run
from tests.support.service_process import Program
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    LOOPBACK,
    SERVE,
    children,
    login,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("accounts")
FILES = 200
PATIENT = ("--grace=20", "--data-timeout=300", "--stall-timeout=300")


def settings_with(tmp_path: Path, **values: object) -> None:
    """Write the settings file."""
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in values.items()]
    (tmp_path / "settings").write_text("\n".join(lines) + "\n")


@pytest.fixture
def port(tmp_path: Path) -> int:
    number = free_port()
    settings_with(tmp_path, passive_port=number)
    return number


@pytest.fixture
def running(tmp_path: Path, port: int, accounts: None) -> Iterator[Program]:
    words = [*SERVE, LOOPBACK, ACCOUNTS, *PATIENT, "--config=settings"]
    with Program(words, tmp_path) as served:
        served.port()
        yield served


def announced(client: ftplib.FTP) -> int:
    return int(client.sendcmd("EPSV").split("|")[3])


def begun(client: ftplib.FTP, name: str) -> int:
    """Begin an upload without its data connection; return the port for that."""
    client.voidcmd("TYPE I")
    port = announced(client)
    assert client.sendcmd(f"STOR {name}").startswith("150")
    return port


def finish(client: ftplib.FTP, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as data:
        data.sendall(CONTENT)
    assert client.voidresp().startswith("226")


def assert_ended(running: Program) -> None:
    wait_for(lambda: len(children(running.process.pid)) == 2)
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def test_a_transfer_of_before_gets_its_connection_afterwards(
    running: Program, tmp_path: Path, port: int
) -> None:
    with closing(login(running.port())) as client:
        assert begun(client, "late") == port
        for _ in range(2):
            assert_upgraded(tmp_path, running)
        finish(client, port)
        assert (tmp_path / "var" / "files" / "late").read_bytes() == CONTENT
    with closing(login(running.port())) as client:
        client.storbinary("STOR new", io.BytesIO(CONTENT))
        assert sorted(client.nlst()) == ["late", "new"]
    assert_ended(running)


def test_sessions_of_before_and_new_ones_take_turns(
    running: Program, tmp_path: Path, port: int
) -> None:
    """The turn that a session of before has waited for since then comes as well."""
    with closing(login(running.port())) as first, closing(login(running.port())) as second:
        assert begun(first, "first") == port
        answers: list[str] = []
        asked = threading.Thread(target=lambda: answers.append(second.sendcmd("EPSV")))
        asked.start()
        wait_for(asked.is_alive)
        assert_upgraded(tmp_path, running)
        with closing(login(running.port())) as third:
            numbers: list[int] = []
            asks = threading.Thread(target=lambda: numbers.append(begun(third, "third")))
            asks.start()
            asked.join(0.3)
            assert asked.is_alive()
            assert asks.is_alive()
            finish(first, port)
            asked.join(20)
            asks.join(20)
            assert [one[:3] for one in answers] == ["229"]
            assert numbers == [port]
            finish(third, port)
    assert sorted(one.name for one in (tmp_path / "var" / "files").iterdir()) == ["first", "third"]
    assert_ended(running)


@pytest.mark.parametrize("change", ["other", "none"])
def test_a_port_that_the_settings_name_no_more_stays_until_its_transfers_end(
    running: Program, tmp_path: Path, port: int, change: str
) -> None:
    with closing(login(running.port())) as client, closing(login(running.port())) as other:
        assert begun(client, "late") == port
        new = {"passive_port": free_port()} if change == "other" else {}
        settings_with(tmp_path, **new)
        assert_upgraded(tmp_path, running)
        with pytest.raises(ftplib.error_temp, match="421"):
            other.voidcmd("NOOP")
        with closing(login(running.port())) as client_of_new:
            if new:
                assert announced(client_of_new) == new["passive_port"]
            client_of_new.storbinary("STOR new", io.BytesIO(CONTENT))
        finish(client, port)
    wait_for(lambda: is_closed(port), "the port of before is still open")
    assert_ended(running)


def is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_is_added_by_an_upgrade(tmp_path: Path, port: int) -> None:
    settings_with(tmp_path)
    words = [*SERVE, LOOPBACK, ACCOUNTS, "--config=settings"]
    with Program(words, tmp_path) as running:
        running.port()
        settings_with(tmp_path, passive_port=port)
        assert_upgraded(tmp_path, running)
        with closing(login(running.port())) as client:
            assert announced(client) == port
        assert_ended(running)


@pytest.mark.parametrize("tls", ["no", "yes"])
def test_lftp_mirrors_in_parallel_over_upgrades(running: Program, tmp_path: Path, tls: str) -> None:
    here = tmp_path / "here"
    (here / "up").mkdir(parents=True)
    for number in range(FILES):
        (here / "up" / f"{number}").write_bytes(f"{number}\n".encode() * 3000)
    script = [
        "set cmd:fail-exit yes",
        f"set ftp:ssl-allow {tls}",
        f"set ftp:ssl-force {tls}",
        "set ssl:verify-certificate no",
        "set net:reconnect-interval-base 1",
        f"open -u demo,demo -p {running.port()} 127.0.0.1",
        "mirror -R --parallel=5 up there",
        "",
    ]
    mirrors = threading.Thread(
        target=run,
        args=([program("lftp"), "-f", "/dev/stdin"], tmp_path),
        kwargs={"cwd": here, "stdin": "\n".join(script)},
    )
    there = tmp_path / "var" / "files" / "there"
    mirrors.start()
    wait_for(lambda: there.exists() and any(there.iterdir()))
    assert_upgraded(tmp_path, running)
    mirrors.join()
    for one in (here / "up").iterdir():
        assert (there / one.name).read_bytes() == one.read_bytes()
    assert_ended(running)
