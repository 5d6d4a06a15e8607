"""Commands to a running service: sessions, bans over a restart, drain; with real connections."""

import json
import os
import socket
import stat
import sys
import threading
from contextlib import contextmanager

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
SETTINGS = """listen = ["haproxy:tcp:0:interface=127.0.0.1"]
simple = ["haproxy:tcp:0:interface=127.0.0.1"]
auth = ["memory:ann:secret"]
allow-plaintext = true
ban-after = 3
deny-networks = "denied"
"""
STRANGER = "198.51.100.7"


class Client:
    """A client behind a load balancer, which sends its address in a PROXY header."""

    def __init__(self, port, address):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.sendall(f"PROXY TCP4 {address} 127.0.0.1 1000 21\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()

    def line(self):
        return self.file.readline().decode().strip()

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        return self.line()

    def login(self, password="secret"):
        self.ask("USER ann")
        return self.ask(f"PASS {password}")

    def close(self):
        self.file.close()
        self.socket.close()


def test_a_service_that_ends_without_an_answer_is_told_so(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def end():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)

        ending = threading.Thread(target=end)
        ending.start()
        done = CliRunner().invoke(ftpservice, ["who", "--socket", str(path)])
        ending.join(PATIENCE)
    assert done.exit_code == 3
    assert f"{path}: the service has ended without an answer" in done.stderr


class Service:
    """A running service and its commands."""

    def __init__(self, program, place):
        self.program = program
        self.place = place
        self.port = program.port()
        self.clients = []

    def client(self, address=STRANGER):
        self.clients.append(Client(self.port, address))
        return self.clients[-1]

    def run(self, *words):
        done = CliRunner().invoke(ftpservice, [*words, "--socket", str(self.socket)])
        return done.exit_code, done.stdout + done.stderr

    def json(self, *words):
        status, output = self.run(*words, "--json")
        assert status == 0, output
        return json.loads(output)

    @property
    def socket(self):
        return self.place / "var" / "control.sock"


@contextmanager
def running(place):
    (place / "ftp.toml").write_text(SETTINGS)
    (place / "denied").touch()
    with Program([*SERVE, "--config", "ftp.toml"], place) as program:
        service = Service(program, place)
        try:
            yield service
        finally:
            for client in service.clients:
                client.close()


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """One service for all tests that change nothing of it."""
    with running(tmp_path_factory.mktemp("service")) as made:
        yield made


def test_failed_logins_ban_an_address_until_it_is_unbanned(service):
    client = service.client()
    for _ in range(3):
        assert client.login("wrong").startswith("530")
    refused = service.client().greeting
    assert refused.startswith("421 Your address is banned until ")
    assert service.client("198.51.100.8").login().startswith("230")
    (ban,) = service.json("bans")
    assert (ban["network"], ban["reason"]) == (f"{STRANGER}/32", "too many failed logins")
    assert service.run("unban", STRANGER)[0] == 0
    assert service.client().greeting.startswith("220")
    assert service.run("unban", STRANGER) == (1, f"ftpservice: {STRANGER}/32 is not banned\n")


def test_a_ban_ends_sessions_and_survives_a_restart(tmp_path):
    with running(tmp_path) as service:
        client, other = service.client(), service.client("203.0.113.1")
        assert client.login().startswith("230")
        made = service.json("ban", "198.51.100.0/24", "--for", "2h", "--reason", "spam")
        assert made["ended"] == [1]
        assert client.line().startswith("421 An administrator has banned your address")
        assert other.login().startswith("230")
        assert "is banned until" in service.run("ban", "192.0.2.1")[1]
        assert service.program.stopped() == 0
        assert not service.socket.exists()
    with running(tmp_path) as service:
        assert service.client().greeting.startswith("421 Your address is banned until ")
        assert len(service.json("bans")) == 2


def test_a_time_of_a_ban_that_is_none_is_a_wrong_command_line(unchanged):
    status, text = unchanged.run("ban", "192.0.2.1", "--for", "2x")
    assert status == 2
    assert "--for: not a duration: '2x'" in text
    status, text = unchanged.run("ban", "192.0.2.1", "--for", "5")
    assert (status, "'5' has no unit" in text) == (2, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("192.0.2.1/8",), "is an address in the network 192.0.0.0/8"),
        (("192.0.2",), "is no address or network"),
        (("192.0.2.1", "--reason", "two\nlines"), "at most 200 characters in one line"),
        (("192.0.2.1", "--reason", "x" * 201), "at most 200 characters in one line"),
    ],
)
def test_a_ban_that_cannot_be_meant_is_refused(unchanged, words, text):
    status, said = unchanged.run("ban", *words)
    assert status == 1
    assert text in said
    assert unchanged.json("bans") == []


def test_sessions_are_listed_and_kicked(service):
    first, second = service.client(), service.client("203.0.113.1")
    assert first.login().startswith("230")
    assert first.ask("NOOP").startswith("200")
    found = {session["session"]: session for session in service.json("who")}
    assert (found[1]["user"], found[1]["address"]) == ("ann", STRANGER)
    assert (found[2]["user"], found[2]["protocol"]) == ("", "ftp")
    assert "ann" in service.run("who")[1]
    assert service.json("kick", "1") == {"ended": [1]}
    assert first.line().startswith("421 An administrator has ended the session")
    assert service.run("kick", "99")[0] == 1
    assert "this service is in no cluster" in service.run("kick", "ftp2:2")[1]
    assert service.run("kick", "ftp2:2", "--node", "ftp1")[0] == 2
    assert service.run("kick", "ftp2:ann")[0] == 2
    assert service.json("kick", "--from", "203.0.113.0/24") == {"ended": [2]}
    assert second.line().startswith("421")
    third = service.client()
    third.login()
    assert 3 in service.json("kick", "--user", "ann")["ended"]
    assert service.run("kick", "--user", "ann", "--from", "::1")[0] == 2


def test_a_drained_service_finishes_its_transfers(service):
    client = service.client("127.0.0.1")
    client.login()
    port = int(client.ask("EPSV").split("|")[3])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as data:
        data.sendall(b"first half, ")
        assert client.ask("STOR letter").startswith("150")
        assert service.json("drain") == {"accepts": False, "sessions": 1}
        assert service.client().greeting.startswith("421 The service is about to stop")
        data.sendall(b"second half")
    assert client.line().startswith("226")
    assert client.line().startswith("421")
    assert service.json("drain", "--wait") == {"accepts": False, "sessions": 0}
    assert service.run("drain", "--undo", "--wait")[0] == 2
    assert service.json("drain", "--undo")["accepts"]
    assert service.client().greeting.startswith("220")
    assert (service.place / "var/files/letter").read_bytes() == b"first half, second half"


def test_the_list_of_denied_networks_is_read_again(service):
    assert service.client().greeting.startswith("220")
    (service.place / "denied").write_text("198.51.100.0/24\n")
    service.program.line("0 allowed, 1 denied")
    assert service.client().greeting == "421 Connections from your address are not allowed."
    (service.place / "denied").write_text("nonsense\n")
    service.program.line("denied, line 1: 'nonsense'.*the previous networks stay in force")
    assert service.client().greeting.startswith("421")


def test_the_report_of_the_service(service):
    service.client().login()
    assert "Logins     1 succeeded, 0 failed" in service.run("report")[1]
    assert service.json("report", "--since", "2d")[0].startswith("Report of ")
    status, refused = service.run("report", "--since", "tomorrow")
    assert (status, "is not a time" in refused) == (2, True)
    place = str(service.place / "var")
    done = CliRunner().invoke(ftpservice, ["report", "--data-dir", place, "--user", "ann"])
    assert (done.exit_code, "Sessions now:\nSESSION  USER" in done.stdout) == (0, True)
    done = CliRunner().invoke(ftpservice, ["report", "--data-dir", place, "--json"])
    assert [one["user"] for one in json.loads(done.stdout)["sessions"]] == ["ann"]


def test_events_are_followed_until_the_service_stops(service):
    words = [*SERVE[:3], "log", "-f", "--failed", "--socket", service.socket]
    with Program(words, service.place) as follower:
        follower.line("events of the service follow")
        service.client().login()
        service.client().login("wrong")
        follower.line(f"warn: .* ann@{STRANGER} .* failed to log in: refused")
        assert "logged in" not in follower.output
        assert service.program.stopped() == 0
        follower.line("the service has stopped")
        assert follower.process.wait(PATIENCE) == 1


def test_the_socket_belongs_to_its_user(unchanged):
    mode = os.lstat(unchanged.socket).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_the_socket_is_found_by_the_settings_file(unchanged, monkeypatch):
    monkeypatch.chdir(unchanged.place)
    done = CliRunner().invoke(ftpservice, ["who", "--config", "ftp.toml"])
    assert (done.exit_code, "SESSION" in done.stdout) == (0, True)
    done = CliRunner().invoke(ftpservice, ["who", "--config", "none.toml"])
    assert done.exit_code == 2


def test_the_socket_is_found_in_the_data_directory(unchanged, monkeypatch):
    monkeypatch.chdir(unchanged.place)
    done = CliRunner().invoke(ftpservice, ["who", "--data-dir", "var"])
    assert (done.exit_code, "SESSION" in done.stdout) == (0, True)
    done = CliRunner().invoke(ftpservice, ["who", "--data-dir", "none"])
    assert done.exit_code == 3
    assert f"{unchanged.place}/none/control.sock" in done.stderr
    done = CliRunner().invoke(ftpservice, ["who", "--data-dir", "var", "--config", "ftp.toml"])
    assert done.exit_code == 2
    assert "give one of --socket, --data-dir and --config" in done.stderr


@pytest.mark.parametrize(
    "words", [("who",), ("kick", "1"), ("ban", "::1"), ("unban", "::1"), ("bans",), ("drain",)]
)
def test_a_service_that_does_not_run(tmp_path, words):
    done = CliRunner().invoke(ftpservice, [*words, "--socket", str(tmp_path / "none")])
    assert done.exit_code == 3
    assert "is the service running?" in done.stderr


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"nonsense\n", "not a request"),
        (b"[]\n", "not a request"),
        (b'{"command": "format"}\n', "the commands are who, kick"),
        (b'{"command": "kick"}\n', "needs a session, a user or a network"),
        (b'{"command": "ban", "network": "here"}\n', "is no address or network"),
        (b'{"command": "ban", "network": "::1", "duration": "soon"}\n', "not a duration"),
        (b'{"command": "ban", "network": "::1", "duration": "0"}\n', "for more than 0 seconds"),
        (b'{"command": "ban", "network": "::1", "duration": "999999d"}\n', "at most 3650 days"),
    ],
)
def test_bad_requests_are_answered(unchanged, line, error):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(unchanged.socket))
        connection.sendall(line)
        answer = json.loads(connection.makefile("rb").readline())
    assert not answer["ok"]
    assert error in answer["error"]


def test_a_request_without_end_is_cut(unchanged):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(unchanged.socket))
        with pytest.raises(OSError):
            for _ in range(100):
                connection.sendall(b"x" * 65536)
    assert unchanged.run("who")[0] == 0


def test_a_second_service_does_not_take_the_socket(unchanged):
    with Program([*SERVE, "--config", "ftp.toml"], unchanged.place) as second:
        second.line("another service listens there")
        assert second.ended() == 1
    assert unchanged.run("who")[0] == 0


def test_the_socket_of_a_killed_service_is_replaced(tmp_path):
    with running(tmp_path) as service:
        service.program.process.kill()
        service.program.ended()
        assert service.socket.exists()
    with running(tmp_path) as service:
        assert service.run("who")[0] == 0


def test_a_data_directory_with_a_long_path(tmp_path):
    place = tmp_path / ("x" * 120)
    place.mkdir()
    with running(place) as service:
        assert service.run("who")[0] == 0
        assert stat.S_IMODE(os.lstat(service.socket).st_mode) == 0o600
        assert service.program.stopped() == 0
        assert not service.socket.exists()
