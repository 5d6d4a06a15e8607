"""Changes of accounts by the command, while their sessions run: in force within seconds."""

import ftplib
import socket
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.service_process import PATIENCE, Program

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
LISTEN = "--listen=tcp:0:interface=127.0.0.1"
SIMPLE = "--simple=tcp:0:interface=127.0.0.1"


class Service:
    def __init__(self, place, program):
        self.place = place
        self.program = program

    def command(self, *words, password=None):
        store = ["--store", f"passwd:{self.place / 'passwd.db'}"]
        done = CliRunner().invoke(ftpservice, ["user", *words, *store], input=password)
        assert done.exit_code == 0, done.output

    @contextmanager
    def login(self, name):
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", self.program.port(), PATIENCE)
            client.login(name, "secret")
            yield client

    def simple(self):
        port = int(self.program.line(r"simple://\S+?:(\d+)/")[1])
        return socket.create_connection(("127.0.0.1", port), PATIENCE)


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path, None)
    for name in ("ann", "ben"):
        words = ("add", name, "--root", f"/{name}", "--password-stdin", "--force")
        service.command(*words, password="secret\n")
    with Program([*SERVE, LISTEN, SIMPLE], tmp_path) as program:
        service.program = program
        yield service


def ended(client):
    """Return the last reply of a session that the service ends."""
    client.sock.settimeout(10.0)
    line = client.file.readline()
    assert client.file.readline() == ""
    return line.strip()


@pytest.mark.parametrize("words", [("lock", "ann"), ("remove", "ann")])
def test_a_locked_account_loses_its_sessions(service, words):
    with service.login("ann") as ann, service.login("ben") as ben:
        service.command(*words)
        assert ended(ann) == "421 The account is no longer in force."
        assert ben.voidcmd("NOOP").startswith("200")
        with pytest.raises(ftplib.error_perm, match="530"), service.login("ann"):
            pass


@pytest.mark.parametrize("words", [("lock", "ann"), ("passwd", "ann", "--password-stdin")])
def test_the_next_login_needs_what_the_account_is_now(service, words):
    """Also on a connection that has logged in before, and in the simple protocol."""
    with service.login("ann") as ann, service.simple() as simple:
        with service.login("ann"):  # by what is remembered of the first
            pass
        service.command(*words, password="Kx7-other-4qz\n" if "passwd" in words else None)
        replies = []
        with suppress(ftplib.Error, EOFError, ConnectionError):  # 421 if the watch was earlier
            for line in ("USER ann", "PASS secret", "PWD"):
                replies.append(ann.sendcmd(line))
        ann.close()
        assert [reply[:3] for reply in replies] in ([], ["331"])
        simple.sendall(b"USER ann\nPASS secret\nQUIT\n")
        assert "\nERR AUTH" in simple.makefile().read()
        with pytest.raises(ftplib.error_perm, match="530"), service.login("ann"):
            pass


def test_an_upload_of_a_locked_account_is_kept_for_its_resumption(service):
    with suppress(ftplib.error_temp), service.login("ann") as ann:
        data = ann.transfercmd("STOR letter")
        data.sendall(b"half")
        service.command("lock", "ann")
        data.settimeout(10.0)
        with data, suppress(ConnectionError):
            assert data.recv(1) == b""
    assert not (service.place / "var/files/ann/letter").exists()
    service.command("unlock", "ann")
    with service.login("ann") as ann:
        assert "4 bytes" in ann.voidcmd("SITE PARTIALS")


def test_other_rights_end_a_session_after_its_transfer(service):
    with service.login("ann") as ann:
        with ann.transfercmd("STOR letter") as data:
            data.sendall(b"first, ")
            service.command("set", "ann", "--rights", "read")
            service.program.line("the account has changed")
            data.sendall(b"second")
        assert ann.file.readline().startswith("226")
        assert ended(ann) == "421 The account has changed; log in again."
    assert (service.place / "var/files/ann/letter").read_bytes() == b"first, second"
    with service.login("ann") as ann, pytest.raises(ftplib.error_perm, match="550"):
        ann.delete("letter")


def test_the_umask_of_an_account_holds_for_new_files_of_both_protocols(service):
    service.command("set", "ann", "--umask", "027", "--ascii", "off")
    files = service.place / "var/files/ann"
    with service.login("ann") as ann:
        ann.mkd("made")
        with ann.transfercmd("STOR made/letter") as data:
            data.sendall(b"one\r\ntwo\r\n")
        assert ann.voidresp().startswith("226")
        service.command("set", "ann", "--umask", "none", "--ascii", "none")
        assert ended(ann) == "421 The account has changed; log in again."
    with service.login("ann") as ann:
        with ann.transfercmd("STOR made/open") as data:
            data.sendall(b"one\r\ntwo\r\n")
        assert ann.voidresp().startswith("226")
        service.command("set", "ann", "--umask", "077")
        assert ended(ann) == "421 The account has changed; log in again."
    with service.simple() as simple:
        simple.sendall(b"USER ann\nPASS secret\nUPLD 3+ made/simple\nabcQUIT\n")
        assert "OK 3" in simple.makefile().read()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (files / "made").iterdir()}
    assert modes == {"letter": 0o640, "open": 0o644, "simple": 0o600}
    assert (files / "made").stat().st_mode & 0o777 == 0o750
    assert (files / "made/letter").read_bytes() == b"one\r\ntwo\r\n"
    assert (files / "made/open").read_bytes() == b"one\ntwo\n"


def test_hours_that_end_end_the_sessions_of_both_protocols(service):
    later = datetime.now(UTC) + timedelta(days=3)
    with service.login("ann") as ann, service.login("ben") as ben, service.simple() as simple:
        simple.sendall(b"USER ann\nPASS secret\nUPLD 9 letter\nshort")
        simple.settimeout(10.0)
        while b"GO" not in simple.recv(4096):
            pass
        began = time.monotonic()
        service.command("set", "ann", "--hours", f"{later:%a} 00:00-01:00 UTC")
        assert ended(ann) == "421 The account is no longer in force."
        with suppress(ConnectionError):
            while simple.recv(4096):
                pass
        assert time.monotonic() - began < 5.0
        assert ben.voidcmd("NOOP").startswith("200")
        with (
            pytest.raises(ftplib.error_perm, match="530 The account may not log in at this time"),
            service.login("ann"),
        ):
            pass
        with service.simple() as again:
            again.sendall(b"USER ann\nPASS secret\nUSER ann\nPASS wrong\nQUIT\n")
            answers = again.makefile().read()
        assert "ERR AUTH the account may not log in at this time" in answers
        assert "ERR AUTH login failed" in answers
    service.command("set", "ann", "--hours", "00:00-24:00 Europe/Berlin")
    with service.login("ann") as ann:
        assert "5 bytes" in ann.voidcmd("SITE PARTIALS")


def test_a_lock_does_not_wait_for_a_transfer_that_a_change_left(service):
    with suppress(ftplib.error_temp), service.login("ann") as ann:
        data = ann.transfercmd("STOR letter")
        data.sendall(b"half")
        service.command("set", "ann", "--rights", "read")
        service.program.line("the account has changed")
        service.command("lock", "ann")
        data.settimeout(10.0)
        with data, suppress(ConnectionError):
            assert data.recv(1) == b""
    assert not (service.place / "var/files/ann/letter").exists()


def test_another_password_and_other_accounts_leave_a_session_alone(service):
    with service.login("ann") as ann:
        service.command("passwd", "ann", "--password-stdin", "--force", password="other\n")
        service.command("lock", "ben")
        with pytest.raises(ftplib.error_perm, match="530"), service.login("ben"):
            pass
        with service.simple() as simple:
            simple.sendall(b"USER ann\nPASS other\n")
            simple.settimeout(PATIENCE)
            received = b""
            while b"OK logged in" not in received:
                received += simple.recv(4096) or pytest.fail(f"ended after {received!r}")
            service.command("lock", "ann")
            while data := simple.recv(4096):
                received += data
            assert b"The account is no longer in force." in received
        assert ended(ann).startswith("421")
