"""Malicious and broken FTP servers: the error of each call; no resources are left."""

import pytest
from twisted.internet.defer import CancelledError

from ftpservice_client import (
    AccessDenied,
    AuthenticationFailed,
    CannotConnect,
    ExplicitTLS,
    InvalidArgument,
    NetworkError,
    NotFound,
    ProtocolViolation,
    ServerBusy,
    ServerRefused,
    StorageFull,
    Timeout,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.ftp.data import FIRST_EPSV_SECONDS
from tests.support.scripted_server import ScriptedServer, outcome

RETR = {"RETR": "150 here\r\n226 done"}


def fails(server, deferred, kind, seconds=0.0):
    error = outcome(deferred, server.network, seconds)
    assert isinstance(error, kind), error
    return error


def assert_nothing_left(server, client):
    outcome(client.quit(), server.network, 20.0)
    client.abort()
    server.network.pass_time(20.0)
    assert server.network.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("421 too many", ServerBusy),
        ("SSH-2.0-x", ProtocolViolation),
        ("999 what", ProtocolViolation),
        (b"220-" + b"x" * 9000, ProtocolViolation),
        (b"220-x\r\n" * 200_000, ProtocolViolation),
        ("", Timeout),
        ("120 soon\r\n220 now\r\n230 unasked", ProtocolViolation),
        (lambda connection, _: connection.transport.loseConnection(), NetworkError),
        (lambda connection, _: connection.transport.abortConnection(), NetworkError),
    ],
    ids=["busy", "ssh", "999", "long line", "endless", "silent", "unasked", "fin", "reset"],
)
def test_invalid_greetings(greeting, kind):
    server = ScriptedServer({"": greeting})
    fails(server, server.start(), kind, 31.0)
    server.network.pass_time(10.0)
    assert server.network.getDelayedCalls() == []


@pytest.mark.parametrize("code", [421, 500, 530, 550])
def test_a_refusing_greeting_is_an_error(code):
    error = ScriptedServer({"": f"{code} too many of you"})
    said = outcome(error.start(), error.network)
    assert str(said) == "the server refuses the connection: too many of you"


def test_a_plaintext_password_is_warned_about_once():
    warnings = []
    server = ScriptedServer({"NOOP": "200 ok"})
    client = server.client(retries=2, explicit_tls=ExplicitTLS.PREFER, warn=warnings.append)
    for _ in range(3):
        server.connections[-1].transport.abortConnection()
        server.network.pass_time(5.0)
        assert server.result(client.send("NOOP"), 5.0).code == 200
    assert len(server.connections) == 4
    assert warnings == ["The password of ann is sent to 127.0.0.1 in plaintext, without TLS."]


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ({"PASS": "530 no"}, AuthenticationFailed),
        ({"USER": "530 no"}, AuthenticationFailed),
        ({"PASS": "332 account"}, AuthenticationFailed),
        ({"TYPE": "504 no"}, Unsupported),
        ({"USER": "421 bye"}, AuthenticationFailed),
        ({"PWD": ""}, Timeout),
        ({"PWD": "421 bye"}, ServerBusy),
        ({"FEAT": ""}, Timeout),
        ({"FEAT": b"211-x\r\n" + b" y\r\n" * 400_000}, ProtocolViolation),
        ({"USER": "100 a\r\n" * 200}, ProtocolViolation),
    ],
)
def test_failed_logins(replies, kind):
    server = ScriptedServer(replies)
    if "421" in str(replies):
        kind = ServerBusy
    fails(server, server.start(), kind, 31.0)
    server.network.pass_time(10.0)
    assert server.network.getDelayedCalls() == []


def test_a_refused_connection():
    server = ScriptedServer({})
    server.network.close(21)
    assert "no connection to ftp://127.0.0.1/" in str(fails(server, server.start(), CannotConnect))


def test_connecting_can_be_cancelled_at_any_time():
    for count in range(8):
        verbs = ["", "USER", "PASS", "TYPE", "FEAT", "PWD"]
        server = ScriptedServer({verb: "" for verb in verbs[count : count + 1]})
        connecting = server.start()
        if count < 7:
            server.network.settle()
        connecting.cancel()
        found = outcome(connecting, server.network)
        if count < 6 or count == 7:
            assert isinstance(found, CancelledError)
        else:
            found.abort()
        server.network.pass_time(1.0)
        assert server.network.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("550 No such file or directory.", NotFound),
        ("550 Failed to open file.", NotFound),
        ("550 Permission denied", AccessDenied),
        ("553 not that name", AccessDenied),
        ("552 quota exceeded", StorageFull),
        ("452 disk full", StorageFull),
        ("550 hm", ServerRefused),
        ("450 busy", ServerRefused),
        ("502 no", Unsupported),
        ("421 gone", ServerBusy),
    ],
)
def test_refusals_have_error_classes(text, kind):
    server = ScriptedServer({"RETR": text, "DELE": text})
    client = server.client()
    fails(server, client.download("x"), kind, 11.0)
    if kind is not ServerBusy:
        error = fails(server, client.delete("x"), kind)
        assert text[4:] in str(error)
    assert_nothing_left(server, client)


@pytest.mark.parametrize("name", ["a\r\nDELE b", "a\nb", "a\0b"])
def test_names_with_line_ends_are_refused_locally(name):
    server = ScriptedServer({})
    client = server.client()
    commands = len(server.commands)
    for call in (
        client.delete(name),
        client.download(name),
        client.upload(b"", name),
        client.list(name),
        client.stat(name),
        client.rename("a", name),
        client.rename(name, "a"),
        client.make_directory(name),
        client.remove_directory(name),
        client.change_directory(name),
        client.hash(name),
        client.send(f"STAT {name}"),
    ):
        fails(server, call, (InvalidArgument, Unsupported))
    assert [line for line in server.commands[commands:] if "EPSV" not in line] == []
    assert_nothing_left(server, client)


def test_the_host_of_a_pasv_reply_is_ignored():
    server = ScriptedServer(RETR, b"data")
    server.replies["EPSV"] = "500 no"

    def misleading(connection, line):
        high, low = divmod(server.open_port(), 256)
        connection.say(f"227 (203,0,113,9,{high},{low})", line)

    server.replies["PASV"] = misleading
    client = server.client()
    assert server.result(client.download("x")).data == b"data"
    assert server.data_connections[0].transport.getPeer().host == "127.0.0.1"
    assert server.result(client.download("x")).data == b"data"
    assert server.commands.count("EPSV") == 1
    assert_nothing_left(server, client)


@pytest.mark.parametrize("reply", ["229 nowhere", "229 (|||0|)", "229 (|||70000|)"])
def test_invalid_ports(reply):
    server = ScriptedServer({"EPSV": reply})
    client = server.client()
    fails(server, client.download("x"), ProtocolViolation)
    fails(server, client.list(), ProtocolViolation)
    assert_nothing_left(server, client)


def test_a_file_larger_than_announced(tmp_path):
    server = ScriptedServer({**RETR, "SIZE": "213 10"}, b"x" * 1000)
    client = server.client()
    fails(server, client.download("x"), VerificationFailed)
    fails(server, client.download("x", tmp_path / "x"), VerificationFailed)
    assert list(tmp_path.iterdir()) == []
    assert_nothing_left(server, client)


def test_a_file_smaller_than_announced(tmp_path):
    server = ScriptedServer({**RETR, "SIZE": "213 1000"}, b"x" * 10)
    client = server.client()
    fails(server, client.download("x", tmp_path / "x"), NetworkError)
    assert list(tmp_path.iterdir()) == []
    assert_nothing_left(server, client)


@pytest.mark.parametrize("size", ["213 -1", "213 1e3", "213 " + "9" * 30, "213", "213 ٣"])
def test_an_invalid_size_is_ignored(size):
    server = ScriptedServer({**RETR, "SIZE": size}, b"data")
    client = server.client()
    assert server.result(client.download("x")).data == b"data"
    assert_nothing_left(server, client)


def test_226_before_the_data():
    server = ScriptedServer(RETR, b"late")
    client = server.client()
    assert server.result(client.download("x")).data == b"late"
    assert_nothing_left(server, client)


def test_226_never_arrives():
    server = ScriptedServer({"RETR": "150 here"}, b"data")
    client = server.client()
    fails(server, client.download("x"), Timeout, 31.0)
    fails(server, client.list(), Timeout)
    assert_nothing_left(server, client)


def test_stalled_data():
    server = ScriptedServer({"RETR": "150 here"}, b"data")
    server.ends_data = False
    client = server.client()
    fails(server, client.download("x"), Timeout, 100.0)
    assert_nothing_left(server, client)


def test_a_server_that_aborts_a_transfer():
    server = ScriptedServer({"RETR": "150 here\r\n426 cut"}, b"data")
    client = server.client()
    fails(server, client.download("x"), NetworkError)
    server.replies["RETR"] = "150 here\r\n551 bad disk"
    fails(server, client.download("x"), ServerRefused)
    server.replies["STOR"] = "150 go\r\n552 full"
    fails(server, client.upload(b"x" * 10_000_000, "x"), StorageFull, 100.0)
    server.replies["RETR"] = "150 here\r\n226 done"
    assert server.result(client.download("x")).data == b"data"
    assert_nothing_left(server, client)


class Silence:
    """A connection attempt without an answer."""

    def disconnect(self):
        pass


def test_a_server_that_aborts_before_the_data_connection():
    server = ScriptedServer({"RETR": "150 here\r\n425 nobody came", "STOR": "425 nobody came"})
    client = server.client()
    server.network.connectTCP = lambda *_, **__: Silence()
    assert "nobody came" in str(
        fails(server, client.download("x"), NetworkError, FIRST_EPSV_SECONDS)
    )
    assert "nobody came" in str(fails(server, client.upload(b"data", "x"), ServerRefused))
    assert_nothing_left(server, client)


def test_no_data_connection():
    server = ScriptedServer({"EPSV": "229 (|||7|)", "RETR": "425 cannot"})
    client = server.client()
    fails(server, client.download("x"), (CannotConnect, ServerRefused, NetworkError), 31.0)
    assert_nothing_left(server, client)


@pytest.mark.parametrize(
    "flood",
    [b"226 done\r\n" * 5, b"150-" + b"y" * 10_000, b"1xx\r\n", b"150 a\r\n" * 1000],
    ids=["unasked", "long", "no reply", "preliminary"],
)
def test_unsolicited_replies(flood):
    server = ScriptedServer({"NOOP": flood})
    client = server.client()
    outcome(client.send("NOOP"), server.network)
    fails(server, client.list(), ProtocolViolation)
    assert_nothing_left(server, client)


def test_a_session_lost_between_two_calls():
    server = ScriptedServer({**RETR}, b"data")
    client = server.client()
    server.connections[0].say("421 idle", "")
    server.network.settle()
    assert "idle" in str(fails(server, client.download("x"), ServerBusy))
    assert_nothing_left(server, client)


def test_with_retries_a_lost_session_is_replaced():
    server = ScriptedServer({**RETR, "CWD": "250 ok", "DELE": "250 ok"}, b"data")
    client = server.client(retries=1)
    server.replies["PWD"] = '257 "/in"'
    assert server.result(client.change_directory("in")) == "/in"
    server.connections[0].say("421 idle", "")
    server.network.settle()
    server.replies["PWD"] = '257 "/in"'
    assert server.result(client.delete("x"), 5.0) is None
    assert len(server.connections) == 2
    assert_nothing_left(server, client)


NAMES = ["../up", "/etc/passwd", "a/b", "..", ".", "nul\0"]


def test_unsafe_names_are_not_listed():
    lines = "".join(f"type=file;size=1; {name}\r\n" for name in [*NAMES, "fine"])
    server = ScriptedServer({"MLSD": "150 here\r\n226 done"}, lines.encode())
    client = server.client()
    listing = server.result(client.list())
    assert [entry.name for entry in listing.entries] == ["fine"]
    assert set(listing.unsafe) == set(NAMES)
    assert_nothing_left(server, client)


def test_listings_are_limited():
    server = ScriptedServer({"MLSD": "150 here"}, b"type=file; x\r\n" * 100_000)
    server.ends_data = False
    client = server.client(memory_limit=1000)
    fails(server, client.list(), ProtocolViolation, 11.0)
    assert_nothing_left(server, client)


def test_the_reply_of_a_cancelled_command_is_dropped():
    server = ScriptedServer({"NOOP": "", "DELE": "250 deleted"})
    client = server.client()
    waiting = client.send("NOOP")
    server.network.settle()
    waiting.cancel()
    assert isinstance(outcome(waiting, server.network), CancelledError)
    deleting = client.delete("x")
    server.network.settle()
    assert server.commands[-1] == "NOOP"
    server.connections[0].say("200 at last", "")
    assert outcome(deleting, server.network) is None
    assert server.commands[-1] == "DELE x"
    assert_nothing_left(server, client)


def test_a_cancelled_command_without_reply_ends_the_session():
    server = ScriptedServer({"NOOP": ""})
    client = server.client()
    waiting = client.send("NOOP")
    server.network.settle()
    waiting.cancel()
    outcome(waiting, server.network)
    fails(server, client.delete("x"), Timeout, 11.0)
    assert_nothing_left(server, client)


@pytest.mark.parametrize("verb", ["EPSV", "SIZE", "REST", "RETR"])
def test_a_download_can_be_cancelled_at_every_command(verb):
    server = ScriptedServer({"REST": "350 ok", **RETR}, b"data")
    client = server.client(retries=1)
    server.replies[verb] = ""
    download = client.download("x", offset=1)
    server.network.settle()
    download.cancel()
    assert isinstance(outcome(download, server.network), CancelledError)
    del server.replies[verb]
    server.replies.update(ScriptedServer({"REST": "350 ok", **RETR}).replies)
    assert server.result(client.download("x"), 20.0).data == b"data"
    assert_nothing_left(server, client)


def test_a_queued_call_can_be_cancelled():
    server = ScriptedServer({"NOOP": "", "DELE": "250 ok"})
    client = server.client()
    first, second = client.send("NOOP"), client.delete("x")
    server.network.settle()
    second.cancel()
    assert isinstance(outcome(second, server.network), CancelledError)
    server.connections[0].say("200 ok", "")
    assert server.result(first).code == 200
    assert "DELE x" not in server.commands
    assert_nothing_left(server, client)
