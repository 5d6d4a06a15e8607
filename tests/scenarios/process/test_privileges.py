"""The service gives up root before its first client, and refuses to serve as root."""

from __future__ import annotations

import ftplib
import io
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftpservice.accounts.foreign_hashes.system_crypt import SAMPLE_SETTINGS, crypt
from tests.support.service_process import PATIENCE, Program, checkout_environment
from tests.support.unprivileged import NOBODY, needs_root

BIN = Path(sys.executable).parent
INSTALLED = [BIN / "ftpservice", "serve"]
PROGRAM = [sys.executable, "-m", "tests.support.unprivileged_service"]
SERVE = [*PROGRAM, "serve"]
TWISTD = [*PROGRAM, "twistd"]
OPTIONS = ("--listen=tcp:0:interface=127.0.0.1", "--auth=memory:ann:secret")
FREE_UID = 987654
SHA_CRYPT = crypt(b"secret", SAMPLE_SETTINGS["sha512-crypt"])


@pytest.fixture
def place(open_place: Path) -> Path:
    """A directory that every user can write to."""
    open_place.chmod(0o777)
    return open_place


def refused(place: Path, *command: str | Path) -> str:
    """Run a start that fails; return its one line."""
    ended = subprocess.run(
        command,
        cwd=place,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1, ended
    lines = [line for line in ended.stderr.splitlines() if line.startswith("ftpservice:")]
    assert len(lines) == 1, ended
    return lines[0]


def ids(running: Program) -> dict[str, set[int]]:
    """Return the user, group and supplementary group ids of all threads of a process."""
    found: dict[str, set[int]] = {"Uid": set(), "Gid": set(), "Groups": set()}
    for thread in Path(f"/proc/{running.process.pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            name, _, values = line.partition(":")
            if name in found:
                found[name].update(map(int, values.split()))
    return found


def capabilities(running: Program) -> set[int]:
    """Return the capabilities that a process has or can enable."""
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    return {int(line.split()[1], 16) for line in lines if line.startswith(("CapPrm", "CapEff"))}


def stop_daemon(process: int) -> None:
    """End a daemon, and wait for its end."""
    ended = os.pidfd_open(process)
    try:
        signal.pidfd_send_signal(ended, signal.SIGTERM)
        assert select.select([ended], [], [], PATIENCE)[0]
    finally:
        os.close(ended)
    deadline = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{process}"):  # until its parent, process 1, has noticed
        assert time.monotonic() < deadline
        time.sleep(0.01)


def use(running: Program, port: int) -> None:
    """Log in and store a file."""
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login("ann", "secret")
        assert client.storbinary("STOR stored", io.BytesIO(b"content")).startswith("226")
        client.quit()


def privileged_port() -> int:
    """Return a port below 1024 that is free."""
    while True:
        port = random.randrange(600, 1024)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@needs_root
@pytest.mark.parametrize(
    ("user", "group", "program"),
    [
        (("--uid=nobody",), NOBODY, ()),
        ((f"--uid={FREE_UID}", "--gid=77"), 77, ()),
        ((), NOBODY, ("--uid=nobody", f"--gid={NOBODY}")),
    ],
    ids=["name", "numbers", "twistd"],
)
def test_a_privileged_port_is_served_without_privileges(
    place: Path, user: tuple[str, ...], group: int, program: tuple[str, ...]
) -> None:
    """Files of the start belong to the new user, and so do a second start and a reload."""
    uid = FREE_UID if group == 77 else NOBODY
    (place / "ftp.toml").write_text("grace = 1\n")
    twistd = [*TWISTD, "--nodaemon", "--pidfile=", *program, "ftpservice"]
    for _ in range(2 if uid == NOBODY else 1):
        port = privileged_port()
        listen = f"--listen=tcp:{port}:interface=127.0.0.1"
        words = [OPTIONS[1], listen, *user, "--config=ftp.toml", "--log-file=ftp.log"]
        with Program([*twistd, *words], place) as running:
            assert running.port() == port
            use(running, port)
            found = ids(running)
            assert found["Uid"] == {uid}
            assert found["Gid"] == {group}
            assert found["Groups"] <= {group, *os.getgrouplist("nobody", group)} - {0}
            assert capabilities(running) == {0}
            running.process.send_signal(signal.SIGHUP)
            running.line("nothing has changed")
            assert running.stopped() == 0
    owners = {path: path.lstat().st_uid for path in place.rglob("*") if path.name != "ftp.toml"}
    assert {path.name for path in owners} >= {"var", "files", "stored", "ftp.log"}
    assert set(owners.values()) == {uid}, owners


@needs_root
def test_the_control_socket_belongs_to_the_new_user(place: Path) -> None:
    with Program([*SERVE, *OPTIONS, "--uid=nobody"], place) as running:
        running.port()
        status = (place / "var" / "control.sock").stat()
        assert (status.st_uid, status.st_mode & 0o777) == (NOBODY, 0o600)
        who = [BIN / "ftpservice", "who", "--json"]
        done = subprocess.run(who, cwd=place, env=checkout_environment(), timeout=PATIENCE)
        assert done.returncode == 0
        assert running.stopped() == 0
    assert not (place / "var" / "control.sock").exists()


@needs_root
def test_the_pid_file_stays_one_of_root(open_place: Path) -> None:
    """The daemon cannot remove it from a directory of root; the next start replaces it."""
    (open_place / "data").mkdir()
    os.chown(open_place / "data", NOBODY, NOBODY)
    words = [*OPTIONS, "--uid=nobody", "--data-dir=data", "--log-file=data/log"]
    pid_file = open_place / "twistd.pid"
    for _ in range(2):
        done = subprocess.run(
            [*TWISTD, "--pidfile=twistd.pid", "ftpservice", *words],
            cwd=open_place,
            env=checkout_environment(),
            timeout=PATIENCE,
        )
        assert done.returncode == 0
        assert pid_file.stat().st_uid == 0
        stop_daemon(int(pid_file.read_text()))
    assert (open_place / "data" / "log").stat().st_uid == NOBODY


@needs_root
def test_root_is_refused_in_one_line(place: Path) -> None:
    """By both commands, also as a daemon, before anything is created."""
    for command in (
        [*INSTALLED, *OPTIONS],
        [*INSTALLED, *OPTIONS, "--uid=0"],
        [BIN / "twistd", "ftpservice", *OPTIONS],
    ):
        line = refused(place, *command)
        assert "refusing to serve as root" in line
        assert all(way in line for way in ("User=", "--uid USER", "--allow-root"))
        assert os.listdir(place) == []


@needs_root
def test_the_check_of_settings_refuses_root_like_the_start(place: Path) -> None:
    line = refused(place, *INSTALLED, *OPTIONS)
    assert refused(place, *INSTALLED, *OPTIONS, "--check") == line
    assert refused(place, BIN / "ftpservice", "config", "check", *OPTIONS) == line


@needs_root
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--uid=no-such-user"], "--uid no-such-user: there is no such user"),
        (["--uid=nobody", "--gid=no-such-group"], "--gid no-such-group: there is no such group"),
    ],
)
def test_unknown_users_and_groups_are_one_line(place: Path, words: list[str], message: str) -> None:
    for check in ([], ["--check"]):
        assert message in refused(place, *INSTALLED, *OPTIONS, *words, *check)
    assert os.listdir(place) == []


@needs_root
def test_the_effective_user_alone_is_not_enough(place: Path) -> None:
    twistd = [BIN / "twistd", "--pidfile=", "--uid=nobody", "--euid", "-n", "ftpservice"]
    assert "could become root again" in refused(place, *twistd, *OPTIONS)


@needs_root
def test_accounts_that_cannot_be_read_again_are_refused(place: Path) -> None:
    """Otherwise a lock in the file would not be noticed."""
    (place / "passwd.db").write_text("")
    (place / "passwd.db").chmod(0o600)
    words = ["--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db", "--uid=nobody"]
    assert "passwd.db cannot be read by nobody (--uid)" in refused(place, *SERVE, *words)


@needs_root
def test_a_data_directory_of_root_is_refused(place: Path) -> None:
    """As it is after a service of root; the line says what to do, and so does the check."""
    (place / "var" / "files").mkdir(parents=True)
    (place / "var").chmod(0o700)
    line = refused(place, *INSTALLED, *OPTIONS, "--uid=nobody")
    assert f"cannot write to {place}/var - make it a writable directory of user {NOBODY}" in line
    assert refused(place, *INSTALLED, *OPTIONS, "--uid=nobody", "--check") == line


@needs_root
def test_hashes_are_replaced_and_bans_are_kept_by_the_new_user(place: Path) -> None:
    (place / "passwd.db").write_text(f"ann:{SHA_CRYPT}:/:full:\n")
    (place / "passwd.db").chmod(0o600)
    os.chown(place / "passwd.db", NOBODY, NOBODY)
    words = [OPTIONS[0], "--auth=passwd:passwd.db", "--uid=nobody"]
    with Program([*SERVE, *words], place) as running:
        use(running, running.port())
        running.line("1 password hashes of other programs replaced by argon2id")
        ban = [BIN / "ftpservice", "ban", "192.0.2.7", "--socket=var/control.sock"]
        done = subprocess.run(
            ban,
            cwd=place,
            env=checkout_environment(),
            timeout=PATIENCE,
        )
        assert done.returncode == 0
        assert running.stopped() == 0
    for name in ("passwd.db", "var/bans.json"):
        status = (place / name).stat()
        assert (status.st_uid, status.st_mode & 0o777) == (NOBODY, 0o600)
    assert "$argon2id$" in (place / "passwd.db").read_text()


@needs_root
def test_the_warning_of_root_is_in_the_output(place: Path) -> None:
    with Program([*INSTALLED, *OPTIONS, "--allow-root"], place) as running:
        running.line("warning: serving as root")
        use(running, running.port())


@needs_root
@pytest.mark.parametrize(("words", "owner"), [((), 0), (("--core-dumps=on",), NOBODY)])
def test_the_memory_of_the_process_is_not_readable(
    place: Path, words: tuple[str, ...], owner: int
) -> None:
    """The kernel gives the files of a process that makes no core dumps to root."""
    with Program([*SERVE, *OPTIONS, "--uid=nobody", *words], place) as running:
        use(running, running.port())
        assert os.stat(f"/proc/{running.process.pid}/mem").st_uid == owner
