"""The log of a process: logrotate, slow readers, closed pipes."""

from __future__ import annotations

import ftplib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment

BIN = Path(sys.executable).parent
TWISTD = str(BIN / "twistd")
LOOPBACK = "--listen=tcp:0:interface=127.0.0.1"
OPTIONS = (LOOPBACK, "--auth=memory:ann:secret", "--root=memory:")
EXAMPLE = CHECKOUT / "docs" / "examples" / "logrotate.conf"
NOBODY = 65534
LOGROTATE = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that another process causes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def client(port: int) -> Iterator[ftplib.FTP]:
    with ftplib.FTP() as one:
        one.connect("127.0.0.1", port, timeout=PATIENCE)
        one.login("ann", "secret")
        yield one


@contextmanager
def daemon(directory: Path, *program: str, log: str = "ftp.log") -> Iterator[int]:
    """Run ``twistd`` as a daemon in ``directory``; yields its port."""
    # Another user may not be able to read Python (see there).
    starter = [sys.executable, "-m", "tests.support.unprivileged_service", "twistd"]
    command = [*starter, "--pidfile=twistd.pid", f"--logfile={log}", *program]
    done = subprocess.run(
        [*command, "ftpservice", "--allow-root", *OPTIONS],
        cwd=directory,
        env=checkout_environment(),
        timeout=PATIENCE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done
    path, number = directory / log, int((directory / "twistd.pid").read_text())
    try:
        until(lambda: "ftp://127.0.0.1:" in path.read_text())
        yield int(path.read_text().rpartition("ftp://127.0.0.1:")[2].partition("/")[0])
    finally:
        os.kill(number, signal.SIGTERM)
        until(lambda: not _runs(number))


def _runs(number: int) -> bool:
    """Return whether a process exists and has not ended (a zombie waits for its parent)."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def rotated(directory: Path, owner: str) -> None:
    """Run the logrotate example of the documentation with the paths of the test."""
    text = EXAMPLE.read_text()
    text = text.replace("/var/log/ftpservice/ftpservice.log", f"{directory}/ftp.log")
    text = text.replace("/run/ftpservice/twistd.pid", f"{directory}/twistd.pid")
    text = text.replace("create 0640 ftpservice ftpservice", f"create 0640 {owner}")
    text = text.replace("{\n", "{\n    su root root\n", 1)
    configuration = directory / "logrotate.conf"
    configuration.write_text(text)
    configuration.chmod(0o644)
    assert LOGROTATE is not None, "tests/scenarios/install-clients installs logrotate"
    done = subprocess.run(
        [LOGROTATE, "--force", "--state", str(directory / "state"), str(configuration)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, ""), done


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users may enter (those below ``tmp_path`` are private)."""
    with tempfile.TemporaryDirectory(prefix="ftpservice-log-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.mark.parametrize("dropping", [False, True])
def test_logrotate(place: Path, dropping: bool) -> None:
    program, owner = (), "root root"
    if dropping:
        program, owner = (f"--uid={NOBODY}", f"--gid={NOBODY}"), f"nobody {NOBODY}"
    with daemon(place, *program) as port:
        assert (place / "ftp.log").stat().st_uid == (NOBODY if dropping else 0)
        with client(port) as one:
            one.mkd("before")
            until(lambda: "directory /before" in (place / "ftp.log").read_text())
            rotated(place, owner)
            one.mkd("after")
            until(lambda: "directory /after" in (place / "ftp.log").read_text())
        old = (place / "ftp.log.1").read_text()
        assert "directory /before" in old
        assert "directory /after" not in old
    assert "Server Shut Down." in (place / "ftp.log").read_text()


def test_a_log_that_cannot_be_reopened_stays_in_the_old_file_and_says_so(place: Path) -> None:
    with daemon(place, f"--uid={NOBODY}", f"--gid={NOBODY}") as port:
        old = (place / "ftp.log").rename(place / "old.log")
        number = int((place / "twistd.pid").read_text())
        os.kill(number, signal.SIGUSR1)
        until(lambda: ": permission denied; the old file stays in use" in old.read_text())
        with client(port) as one:
            one.mkd("after")
            until(lambda: "directory /after" in old.read_text())


def test_a_log_file_does_not_rotate_by_itself(tmp_path: Path) -> None:
    (tmp_path / "ftp.log").write_bytes(b"x" * 5_000_000 + b"\n")
    with daemon(tmp_path) as port, client(port) as one:
        one.mkd("made")
        until(lambda: "directory /made" in (tmp_path / "ftp.log").read_text())
    assert (tmp_path / "ftp.log").stat().st_size > 5_000_000
    assert not (tmp_path / "ftp.log.1").exists()


COMMANDS = pytest.mark.parametrize(
    "command",
    [
        [BIN / "ftpservice", "serve", "--allow-root"],
        [TWISTD, "--nodaemon", "--pidfile=", "ftpservice", "--allow-root"],
    ],
    ids=["serve", "twistd"],
)


@COMMANDS
def test_an_unread_output_does_not_block_the_service(tmp_path: Path, command: list[str]) -> None:
    settings = tmp_path / "ftp.toml"
    settings.write_text("")
    with Program([*command, "--config=ftp.toml", *OPTIONS], tmp_path) as running:
        with client(running.port()) as one:
            for number in range(1500):  # more lines than a pipe holds
                one.mkd(f"d{number:0100}")
            settings.write_text("broken")
            running.process.send_signal(signal.SIGHUP)  # it complains, on standard error
            assert one.voidcmd("NOOP").startswith("200")
        running.line("settings not read again")  # from here on the output is read
        assert running.stopped(signal.SIGTERM) == 0
    assert len([line for line in running.lines if "created directory /d" in line]) == 1500
    assert "Server Shut Down." in running.output


@COMMANDS
def test_a_closed_output_does_not_stop_the_service(tmp_path: Path, command: list[str]) -> None:
    with Program([*command, *OPTIONS], tmp_path) as running:
        port = running.port()
        assert running.process.stdout is not None
        running.process.stdout.close()
        with client(port) as one:
            for number in range(100):
                one.mkd(f"d{number}")
            assert one.voidcmd("NOOP").startswith("200")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0


def test_a_full_disk_under_the_log_does_not_stop_the_service(tmp_path: Path) -> None:
    command = [BIN / "ftpservice", "serve", "--allow-root", "--log-file=/dev/full", *OPTIONS]
    with Program(command, tmp_path) as running:
        with client(running.port()) as one:
            one.mkd("made")
            assert one.voidcmd("NOOP").startswith("200")
        assert running.stopped(signal.SIGTERM) == 0


def test_log_file_in_the_foreground(tmp_path: Path) -> None:
    command = [BIN / "ftpservice", "serve", "--allow-root", "--log-file=x.log", *OPTIONS]
    with Program(command, tmp_path) as running:
        with client(running.port()) as one:
            one.mkd("made")
        assert running.stopped(signal.SIGTERM) == 0
    assert "created directory" not in running.output
    text = (tmp_path / "x.log").read_text()
    assert "created directory /made" in text
    assert "Server Shut Down." in text


def test_an_unwritable_log_is_an_error_at_the_start(tmp_path: Path) -> None:
    command = [BIN / "ftpservice", "serve", "--allow-root", "--log-file=none/x.log", *OPTIONS]
    with Program(command, tmp_path) as running:
        assert running.ended() == 1
    assert running.lines == [
        f"ftpservice: cannot write the log {tmp_path}/none/x.log: no such file or directory - "
        "create its directory, change its owner or mode, or choose another --log-file"
    ]
