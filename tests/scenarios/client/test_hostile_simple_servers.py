"""Malicious and broken servers of the simple protocol."""

import pytest

from ftpservice_client import (
    AccessDenied,
    AlreadyExists,
    AuthenticationFailed,
    InvalidArgument,
    NetworkError,
    NotFound,
    ProtocolViolation,
    ServerBusy,
    ServerRefused,
    StorageFull,
    Timeout,
    VerificationFailed,
)
from tests.support.scripted_server import outcome
from tests.support.scripted_simple_server import ScriptedSimpleServer


def fails(server, deferred, kind, seconds=0.0):
    error = outcome(deferred, server.network, seconds)
    assert isinstance(error, kind), error
    return error


def assert_nothing_left(server, client):
    outcome(client.quit(), server.network, 40.0)
    client.abort()
    server.network.pass_time(20.0)
    assert server.network.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("ERR BUSY too many", ServerBusy),
        ("220 ftp here", ProtocolViolation),
        ("OK something else", ProtocolViolation),
        ("GO simple/1", ProtocolViolation),
        (b"x" * 10_000, ProtocolViolation),
        ("", Timeout),
        (lambda connection: connection.transport.loseConnection(), NetworkError),
        (lambda connection: connection.transport.abortConnection(), NetworkError),
    ],
    ids=["busy", "ftp", "other", "go", "long", "silent", "fin", "reset"],
)
def test_invalid_greetings(greeting, kind):
    server = ScriptedSimpleServer(**{"": greeting})
    fails(server, server.start(), kind, 31.0)
    server.network.pass_time(20.0)
    assert server.network.getDelayedCalls() == []


def test_failed_logins():
    server = ScriptedSimpleServer(PASS="ERR AUTH login failed")
    assert str(fails(server, server.start(), AuthenticationFailed)) == "login failed"


@pytest.mark.parametrize(("verb", "call"), [("DWLD", "download"), ("DELF", "delete")])
def test_errors_name_the_path(verb, call):
    server = ScriptedSimpleServer(**{verb: "ERR NOTFOUND no such file"})
    client = server.client()
    error = fails(server, getattr(client, call)("in/x"), NotFound)
    assert str(error) == "in/x: no such file"
    client.abort()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERR NOTFOUND no", NotFound),
        ("ERR DENIED no", AccessDenied),
        ("ERR ISDIR no", AlreadyExists),
        ("ERR NOTDIR no", AlreadyExists),
        ("ERR EXISTS no", AlreadyExists),
        ("ERR QUOTA no", StorageFull),
        ("ERR FULL no", StorageFull),
        ("ERR BUSY no", ServerBusy),
        ("ERR TIMEOUT no", ServerBusy),
        ("ERR INTERNAL no", ServerRefused),
        ("ERR NEW no", ServerRefused),
        ("ERR SYNTAX no", ServerRefused),
        ("ERR AUTH no", AuthenticationFailed),
    ],
)
def test_refusals_have_error_classes(text, kind):
    server = ScriptedSimpleServer(DELF=text)
    client = server.client()
    assert "no" in str(fails(server, client.delete("x"), kind))
    assert_nothing_left(server, client)


@pytest.mark.parametrize(
    "replies",
    [
        {"LIST": "OK many"},
        {"LIST": "OK -1 0"},
        {"LIST": "GO"},
        {"LIST": b"OK 99999999999999999999 0\n"},
        {"LIST": "what"},
        {"LIST": b"OK 3 0\n" + b"x" * 10_000},
        {"LIST": b"OK 1000000 0\n" + b"file 1 20260101000000 x\n" * 1000},
    ],
)
def test_invalid_listings(replies):
    server = ScriptedSimpleServer(**replies)
    client = server.client(memory_limit=1000)
    fails(server, client.list(), ProtocolViolation)
    fails(server, client.list(), ProtocolViolation)
    assert_nothing_left(server, client)


def test_unsafe_names_are_not_listed():
    names = ["../up", "/etc/passwd", "a/b", "..", ".", "fine"]
    lines = "".join(f"file 1 20260101000000 {name}\n" for name in names)
    server = ScriptedSimpleServer(
        LIST=f"OK {len(names) + 2} 1\n{lines}nonsense\nfile 1 20269901000000 bad".encode()
    )
    client = server.client()
    server.replies["LIST"] += b"\n"
    listing = outcome(client.list(), server.network)
    assert [entry.name for entry in listing.entries] == ["fine"]
    assert set(listing.unsafe) == {"../up", "/etc/passwd", "a/b", "..", "."}
    assert len(listing.unparsed) == 2
    assert_nothing_left(server, client)


@pytest.mark.parametrize("name", ["", "/", "a\nDELF b", "a\rb", "a\0b", "\udcff", "x" * 9000])
def test_names_with_line_ends_are_refused_locally(name):
    server = ScriptedSimpleServer(DELF="OK x")
    client = server.client()
    commands = len(server.commands)
    fails(server, client.delete(name), InvalidArgument)
    fails(server, client.download(name), InvalidArgument)
    fails(server, client.upload(b"", name), InvalidArgument)
    assert len(server.commands) == commands
    assert_nothing_left(server, client)


def test_a_name_that_looks_like_an_offset():
    server = ScriptedSimpleServer(DELF="OK", DWLD=b"OK 1\nx")
    client = server.client()
    outcome(client.delete("@5 x"), server.network)
    outcome(client.download("@5 x"), server.network)
    outcome(client.download("@5 x", offset=3), server.network)
    assert server.commands[-3:] == [b"DELF ./@5 x", b"DWLD ./@5 x", b"DWLD @3 ./@5 x"]
    assert_nothing_left(server, client)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"OK 1000\nfew", Timeout),
        (b"OK what\n", ProtocolViolation),
        (b"OK\n", ProtocolViolation),
        (b"GO\n", ProtocolViolation),
        (
            lambda connection: connection.say(b"OK 9\nx") or connection.transport.loseConnection(),
            NetworkError,
        ),
        (
            lambda connection: connection.say(b"OK 9\nx") or connection.transport.abortConnection(),
            NetworkError,
        ),
    ],
    ids=["few", "no size", "nothing", "go", "fin", "reset"],
)
def test_invalid_downloads(tmp_path, answer, kind):
    server = ScriptedSimpleServer(DWLD=answer)
    client = server.client()
    fails(server, client.download("x", tmp_path / "x"), kind, 100.0)
    assert list(tmp_path.iterdir()) == []
    assert_nothing_left(server, client)


def test_bytes_after_a_download_are_no_answer():
    server = ScriptedSimpleServer(DWLD=b"OK 3\nabcdef\n", DELF="OK")
    client = server.client()
    assert outcome(client.download("x"), server.network).data == b"abc"
    fails(server, client.delete("x"), ProtocolViolation)
    assert_nothing_left(server, client)


def test_refused_uploads():
    server = ScriptedSimpleServer(UPLD="ERR QUOTA full")
    client = server.client()
    fails(server, client.upload(b"x" * 100, "x"), StorageFull)
    server.connections[0].text = b""
    fails(server, client.upload(b"x" * 100_000, "x"), StorageFull)
    server.replies["UPLD"] = "OK 7 x"
    fails(server, client.upload(b"x" * 100, "x"), VerificationFailed)
    server.connections[0].text = b""
    fails(server, client.upload(b"x" * 100_000, "x"), ProtocolViolation)
    assert_nothing_left(server, client)


def test_an_error_line_between_two_calls():
    server = ScriptedSimpleServer(DELF="OK")
    client = server.client()
    server.connections[0].say("ERR TIMEOUT idle too long")
    server.connections[0].transport.loseConnection()
    server.network.settle()
    assert "idle" in str(fails(server, client.delete("x"), ServerBusy))
    assert_nothing_left(server, client)


@pytest.mark.parametrize("words", [b"what is this\n", b"OK unasked\n", b"half"])
def test_another_line_between_two_calls(words):
    server = ScriptedSimpleServer(DELF="OK")
    client = server.client()
    server.connections[0].say(words)
    server.network.settle()
    fails(server, client.delete("x"), ProtocolViolation)
    assert_nothing_left(server, client)


@pytest.mark.parametrize("words", [b"what is this\n", b"OK unasked\n", b"half", b""])
def test_another_line_before_the_end(words):
    server = ScriptedSimpleServer(DELF="OK")
    client = server.client()
    server.connections[0].say(words)
    server.connections[0].transport.loseConnection()
    server.network.settle()
    fails(server, client.delete("x"), NetworkError)
    assert_nothing_left(server, client)


def test_invalid_digests():
    server = ScriptedSimpleServer(HASH="OK MD5 x y")
    client = server.client()
    fails(server, client.hash("x"), ProtocolViolation)
    server.replies["HASH"] = f"OK SHA-256 {'AB' * 32} x"
    assert outcome(client.hash("x"), server.network) == "ab" * 32
    assert_nothing_left(server, client)


def test_the_working_directory_is_local():
    listing = b"OK 2 1\ndir 0 20260101000000 in\nfile 1 20260101000000 file\n"
    server = ScriptedSimpleServer(LIST=listing, DELF="OK x")
    client = server.client()
    assert outcome(client.change_directory("in"), server.network) == "/in"
    outcome(client.delete("x"), server.network)
    outcome(client.delete("../y"), server.network)
    outcome(client.delete("/../z"), server.network)
    assert server.commands[-3:] == [b"DELF in/x", b"DELF y", b"DELF z"]
    fails(server, client.change_directory("/file"), AlreadyExists)
    fails(server, client.change_directory("/none"), NotFound)
    fails(server, client.change_directory("a\0"), InvalidArgument)
    assert outcome(client.change_directory(".."), server.network) == "/" == client.directory
    assert outcome(client.stat("/"), server.network).name == ""
    assert set(outcome(client.features(), server.network)) >= {"UPLD", "DWLD"}
    assert_nothing_left(server, client)


def test_cancelling_closes_the_connection():
    server = ScriptedSimpleServer(DELF="", LIST="", DWLD="", UPLD="")
    client = server.client(retries=1)
    for count, call in enumerate(
        (
            lambda: client.delete("x"),
            client.list,
            lambda: client.download("x", offset=1),
            lambda: client.upload(b"x", "x"),
            lambda: client.upload(b"x" * 100_000, "x"),
        )
    ):
        server.replies["LIST"] = "" if count == 1 else b"OK 0 0\n"
        waiting = call()
        server.network.settle()
        waiting.cancel()
        outcome(waiting, server.network)
        assert len(server.connections) == count + 1
    assert_nothing_left(server, client)
