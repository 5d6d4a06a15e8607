"""Groups in a service that runs: logins, running sessions of both protocols, a restart."""

import ftplib
import socket
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.admin.cli import ftpservice
from tests.accounts.doubles import SECRET
from tests.support.service_process import BUSY_SECONDS, PATIENCE, Program

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
LISTENERS = ["--listen=tcp:0:interface=127.0.0.1", "--simple=tcp:0:interface=127.0.0.1"]
CHANGED = "The account has changed; log in again."
LOCKED = "The account is no longer in force."
IN_TIME = 5.0 + BUSY_SECONDS


@contextmanager
def serving(directory, description):
    config = directory / "ftpservice.toml"
    config.write_text(f"auth = [{description!r}]\nban-time = 0\n")
    with Program([*SERVE, "--config", config, *LISTENERS], directory) as program:
        yield program


@contextmanager
def ftp(program, name):
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", program.port(), PATIENCE)
        client.login(name, "secret")
        yield client


@contextmanager
def simple(program, name):
    port = int(program.line(r"simple://\S+?:(\d+)/")[1])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(f"USER {name}\nPASS secret\n".encode())
        with client.makefile("rb") as reader:
            assert [reader.readline()[:3] for _ in range(3)] == [b"OK "] * 3
            yield client, reader


def last_line(connection, reader):
    """Return the last line of a session that the service ends in time."""
    connection.settimeout(IN_TIME)
    lines = [str(line) for line in iter(reader.readline, reader.read(0))]
    return lines[-1]


@pytest.fixture
def command(store_case):
    def run(*words):
        done = CliRunner().invoke(ftpservice, [*words, "--store", store_case.description])
        assert done.exit_code == 0, done.output

    return run


def members(*names):
    return [AccountRecord(name, SECRET, "", frozenset(), groups=("staff",)) for name in names]


def test_a_group_holds_for_logins_and_for_sessions_of_both_protocols(tmp_path, store_case, command):
    command("group", "add", "staff", "--root", "/people/{user}", "--rights", "full")
    store_case.store.add_many(members("ann", "ben"))
    files = tmp_path / "var" / "files" / "people"
    with serving(tmp_path, store_case.description) as program:
        with ftp(program, "ann") as ann, simple(program, "ben") as (ben, answers):
            ann.mkd("in")
            ben.sendall(b"UPLD 5+ letter\nhello")
            assert answers.readline() == b"OK 5 letter\n"
            assert (files / "ann" / "in").is_dir()
            assert (files / "ben" / "letter").read_bytes() == b"hello"
            command("group", "set", "staff", "--rights", "read")
            assert CHANGED in last_line(ann.sock, ann.file)
            assert CHANGED in last_line(ben, answers)
        with ftp(program, "ann") as ann, simple(program, "ben") as (ben, answers):
            assert ann.nlst() == ["in"]
            with pytest.raises(ftplib.error_perm, match="550"):
                ann.rmd("in")
            ben.sendall(b"DELF letter\n")
            assert answers.readline().startswith(b"ERR DENIED")
            command("group", "lock", "staff")
            assert LOCKED in last_line(ann.sock, ann.file)
            assert LOCKED in last_line(ben, answers)
    with serving(tmp_path, store_case.description) as program:
        with pytest.raises(ftplib.error_perm, match="530"), ftp(program, "ann"):
            pass
        command("group", "unlock", "staff")
        with ftp(program, "ann") as ann:
            assert ann.nlst() == ["in"]
            command("group", "remove", "staff", "--force")
            assert LOCKED in last_line(ann.sock, ann.file)
        with pytest.raises(ftplib.error_perm, match="530"), ftp(program, "ben"):
            pass
        program.line("the group 'staff' does not exist")


def test_a_quota_of_a_group_is_one_for_each_account(tmp_path, store_case, command):
    command("group", "add", "staff", "--root", "/{user}", "--rights", "full", "--quota", "10")
    store_case.store.add_many(members("ann", "ben"))
    with serving(tmp_path, store_case.description) as program:
        for name in ("ann", "ben"):
            with simple(program, name) as (client, answers):
                client.sendall(b"UPLD 8+ first\n" + b"x" * 8 + b"UPLD 8+ second\n" + b"x" * 8)
                assert answers.readline() == b"OK 8 first\n"
                assert answers.readline().startswith(b"ERR QUOTA")


@pytest.mark.parametrize("store_case", ["passwd", "sqlite"], indirect=True)
def test_names_that_would_leave_the_root_cannot_log_in(tmp_path, store_case, command):
    command("group", "add", "staff", "--rights", "full")
    store_case.store.add_many(members("..", "a/../b", ".hidden"))
    with serving(tmp_path, store_case.description) as program:
        for name in ("..", "a/../b", ".hidden"):
            with ftp(program, name) as client:  # with the root / of the service
                assert client.pwd() == "/"
        command("group", "add", "other", "--root", "/{user}", "--rights", "full")
        for name in ("..", "a/../b", ".hidden"):
            done = CliRunner().invoke(
                ftpservice,
                ["user", "set", name, "--groups", "other", "--store", store_case.description],
            )
            assert done.exit_code == 1
            assert "cannot be put into" in done.stderr
