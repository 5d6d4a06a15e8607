"""``twistd ftpservice`` as a process: output, listeners, exit status."""

from __future__ import annotations

import ftplib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment

TWISTD = str(Path(sys.executable).parent / "twistd")
FOREGROUND = (TWISTD, "--nodaemon", "ftpservice", "--allow-root")
LOOPBACK = "--listen=tcp:0:interface=127.0.0.1"
SHIPPED = f"--auth=passwd:{CHECKOUT / 'passwd.db'}"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def failed(directory: Path, *words: str) -> str:
    """Run in the foreground; return standard error after the usual checks."""
    ended = subprocess.run(
        [*FOREGROUND, *words],
        cwd=directory,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not (directory / "twistd.pid").exists()
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended
    assert lines[0].startswith("ftpservice: ")
    return lines[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_service_starts_serves_and_stops(tmp_path: Path, number: int) -> None:
    with Program([*FOREGROUND, LOOPBACK, SHIPPED], tmp_path) as running:
        port = running.port()
        running.line(rf"curl --user demo:demo ftp://127\.0\.0\.1:{port}/")
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=20)
            client.login("demo", "demo")
            client.mkd("made")
            assert (tmp_path / "var" / "files" / "made").is_dir()
            assert running.stopped(number) == 0
            with pytest.raises(ftplib.error_temp, match="421"):
                client.getresp()
    assert not (tmp_path / "twistd.pid").exists()
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert "Traceback" not in running.output


def test_every_kind_of_listener(tmp_path: Path) -> None:
    command = [
        *FOREGROUND,
        SHIPPED,
        LOOPBACK,
        "--listen=tcp6:0:interface=\\:\\:1",
        "--listen=unix:ftp.sock",
        "--listen=haproxy:tcp:0:interface=127.0.0.1",
    ]
    with Program(command, tmp_path) as running:
        running.line("  try ")
        places = [line.split()[-1] for line in running.lines if "://" in line]
        assert len(places) == 4, running.output
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(tmp_path / "ftp.sock"))
            assert client.recv(100).startswith(b"220 ")
        with ftplib.FTP() as six:
            six.connect("::1", int(places[1].rstrip("/").rpartition(":")[2]), timeout=20)
            six.login("demo", "demo")
            six.nlst()
        assert running.stopped() == 0


def test_systemd_socket_activation(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as activated:
        port = activated.getsockname()[1]
        start = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='x');"
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        number = activated.fileno()
        os.set_inheritable(number, True)
        words = [*FOREGROUND, SHIPPED, "--listen=systemd:domain=INET:index=0"]
        command = [sys.executable, "-c", start, str(number), *words]
        with Program(command, tmp_path, inherited=(number,)) as running:
            assert running.port() == port
            with ftplib.FTP() as client:
                client.connect("127.0.0.1", port, timeout=20)
                client.login("demo", "demo")
            assert running.stopped() == 0


def test_a_port_in_use_is_one_line(tmp_path: Path, taken: int) -> None:
    place = f"tcp:{taken}:interface=127.0.0.1"
    assert failed(tmp_path, SHIPPED, LOOPBACK, f"--listen={place}") == (
        f"ftpservice: cannot listen on {place}: address already in use - "
        "stop the other program or choose another --listen"
    )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--bogus"], "bogus"),
        ([SHIPPED, "--listen=bogus:1"], "--listen bogus:1"),
        ([SHIPPED, "--listen=tcp"], "--listen tcp "),
        ([SHIPPED, "--root=bogus:x"], "--root: "),
        ([SHIPPED, "--root=/dev/null"], "--root: "),
        ([SHIPPED, "--root=missing"], "--root: "),
        ([SHIPPED, "--data-dir=/dev/null/x"], "--data-dir"),
        (["--auth=passwd:missing.db"], "missing.db"),
        ([], "--auth passwd:FILE"),
        ([SHIPPED, "--listen=tcp:0"], "'demo'"),
        ([SHIPPED, "--listen=tcp6:0"], "'demo'"),
    ],
)
def test_errors_at_the_start_are_one_line(tmp_path: Path, words: list[str], what: str) -> None:
    assert what in failed(tmp_path, *words)


def test_a_malformed_passwd_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "passwd.db").write_text("demo\n")
    assert "passwd.db" in failed(tmp_path, LOOPBACK)


def test_a_daemon_reports_its_failure_and_leaves_no_pid_file(tmp_path: Path, taken: int) -> None:
    ended = subprocess.run(
        [
            TWISTD,
            "ftpservice",
            "--allow-root",
            SHIPPED,
            f"--listen=tcp:{taken}:interface=127.0.0.1",
        ],
        cwd=tmp_path,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    first, second, third = ended.stderr.splitlines()
    assert first == (
        f"ftpservice: cannot listen on tcp:{taken}:interface=127.0.0.1: address already in use - "
        "stop the other program or choose another --listen"
    )
    assert second == "An error has occurred: b'ftpservice.CannotStart: see the line above'"
    assert third.startswith("Please look at log file")
    deadline = time.monotonic() + PATIENCE  # the daemon may still be writing its log
    while "stop the other program" not in (tmp_path / "twistd.log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_daemon_closes_the_terminal(tmp_path: Path) -> None:
    # The pipes of capture_output end only when nobody holds them any more.
    pid_file = tmp_path / "twistd.pid"
    started = subprocess.run(
        [TWISTD, "ftpservice", "--allow-root", SHIPPED, LOOPBACK],
        cwd=tmp_path,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    daemon = int(pid_file.read_text())
    ended = os.pidfd_open(daemon)
    try:
        assert (started.returncode, started.stderr) == (0, "")
    finally:
        os.kill(daemon, signal.SIGTERM)
        assert select.select([ended], [], [], PATIENCE)[0]
        os.close(ended)


EMBEDDING = """
import sys
from twisted.internet import reactor
from ftpservice.service.assembly import assemble
from ftpservice.service.settings.options import ServiceOptions

options = ServiceOptions()
options.parseOptions(sys.argv[1:])
assemble(options, reactor).startService()
"""


def test_a_failed_start_in_another_program_is_one_line(tmp_path: Path, taken: int) -> None:
    place = f"tcp:{taken}:interface=127.0.0.1"
    ended = subprocess.run(
        [sys.executable, "-c", EMBEDDING, SHIPPED, f"--listen={place}"],
        cwd=tmp_path,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stderr) == (
        1,
        f"ftpservice: cannot listen on {place}: address already in use - "
        "stop the other program or choose another --listen\n",
    )


def test_make_serve_names_the_variable_for_the_port(tmp_path: Path, taken: int) -> None:
    environment = checkout_environment()
    environment["FTPSERVICE_ADVICE_LISTEN"] = "port: make serve PORT=2221"
    makefile = (CHECKOUT / "Makefile").read_text()
    assert f"FTPSERVICE_ADVICE_LISTEN='{environment['FTPSERVICE_ADVICE_LISTEN']}'" in makefile
    ended = subprocess.run(
        [*FOREGROUND, SHIPPED, f"--listen=tcp:{taken}:interface=127.0.0.1"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "choose another port: make serve PORT=2221" in ended.stderr


def test_ftpservice_serve(tmp_path: Path) -> None:
    start = "from ftpservice.admin.cli import main; main()"
    command = [sys.executable, "-c", start, "serve", "--allow-root", LOOPBACK, SHIPPED]
    with Program(command, tmp_path) as running:
        assert running.port()
        assert running.stopped() == 0
