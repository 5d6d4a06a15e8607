"""Listings and facts from servers that know little: LIST in both forms, SIZE, no EPSV, no EPRT."""

import pytest

from ftpservice.wire.entry import Kind
from ftpservice_client import NetworkError, NotFound, ServerRefused, Unsupported
from tests.support.scripted_server import ScriptedServer, outcome

OLD = {"FEAT": "502 no", "LIST": "150 here\r\n226 done"}
UNIX = b"""total 8\r
drwxr-xr-x   2 ann      users        4096 Nov 21 10:15 deep\r
-rw-r--r--   1 ann      users          12 Jan  3  2020 a b\r
lrwxrwxrwx   1 ann      users           4 Jan  3  2020 link -> deep\r
-rw-r--r--   1 ann      users           1 Jan  3  2020 ../up\r
nonsense\r
"""
WINDOWS = b"""11-21-25  10:15AM       <DIR>          deep\r
01-03-20  11:59PM                   12 a b\r
"""


def old(data, **more):
    return ScriptedServer(OLD | more, data)


@pytest.mark.parametrize("data", [UNIX, WINDOWS], ids=["unix", "windows"])
def test_lists_in_both_forms(data):
    server = old(data)
    client = server.client()
    listing = server.result(client.list())
    found = {entry.name: (entry.kind, entry.size) for entry in listing.entries}
    assert found["deep"] == (Kind.DIRECTORY, 0)
    assert found["a b"] == (Kind.FILE, 12)
    assert listing.total == 12
    assert server.result(client.stat("a b")).modified > 1e9
    assert server.result(client.stat("sub/a b")).size == 12
    assert server.result(client.stat("/")).kind is Kind.DIRECTORY
    assert isinstance(outcome(client.stat("none"), server.network), NotFound)
    client.abort()


def test_a_file_is_listed_by_the_name_that_was_asked_for():
    for path in ("in/file", "-file"):
        sent = path if path[0] != "-" else f"./{path}"
        server = old(f"-rw-r--r-- 1 a b 5 Jan  3  2020 {sent}\r\n".encode())
        client = server.client()
        (entry,) = server.result(client.list(path)).entries
        assert entry.name == path.rpartition("/")[2]
        assert server.commands[-1] == f"LIST {sent}"
        client.abort()


def test_an_empty_directory_is_told_from_none():
    server = old(b"")
    client = server.client()
    assert isinstance(outcome(client.list("none"), server.network), NotFound)
    assert server.result(client.list("/")).entries == ()
    assert server.result(client.list("..")).entries == ()
    client.abort()


def test_facts_that_are_none():
    server = ScriptedServer({"MLST": "250-x\r\n nonsense\r\n250 end"})
    client = server.client()
    assert "no facts" in str(outcome(client.stat("x"), server.network))
    server.replies["MLST"] = "250-x\r\n type=file;size=3; /deep/other\r\n250 end"
    entry = server.result(client.stat("in/x"))
    assert (entry.name, entry.size) == ("x", 3)
    server.replies["MLST"] = "450 busy"
    server.replies["MLSD"] = "450 busy"
    assert isinstance(outcome(client.stat("x"), server.network), ServerRefused)
    assert isinstance(outcome(client.list("x"), server.network), ServerRefused)
    client.abort()


def test_features_and_commands_of_ones_own():
    server = ScriptedServer({"NOOP": "200 fine", "SITE": "500 no"})
    client = server.client()
    assert set(server.result(client.features())) == {"MLST", "SIZE"}
    assert server.result(client.send("NOOP")).lines == ("fine",)
    assert server.result(client.send("SITE X")).code == 500
    client.abort()
    assert isinstance(outcome(client.send("NOOP"), server.network), NetworkError)


@pytest.mark.parametrize("extended", [True, False])
def test_active_connections_by_either_command(extended):
    server = ScriptedServer({"RETR": "150 here\r\n226 done"})
    calls = []

    def connects(connection, line):
        verb, _, argument = line.partition(" ")
        if verb == "EPRT" and not extended:
            connection.say("500 what?", line)
            return
        numbers = argument.split("|" if extended else ",")
        port = int(numbers[3]) if extended else int(numbers[4]) * 256 + int(numbers[5])
        calls.append(port)
        connection.say("200 ok", line)

    def sends(connection, line):
        from twisted.internet.protocol import ClientFactory

        from tests.support.scripted_server import ScriptedDataConnection

        factory = ClientFactory()
        factory.protocol = lambda: ScriptedDataConnection(server)
        server.network.connectTCP("127.0.0.1", calls[-1], factory)
        connection.say("150 here", line)
        server.network.callLater(0.1, connection.say, "226 done", line)

    server.replies |= {"EPRT": connects, "PORT": connects, "RETR": sends}
    server.data = b"data"
    client = server.client(active=True)
    assert server.result(client.download("x"), 1.0).data == b"data"
    assert server.result(client.download("x"), 1.0).data == b"data"
    server.replies |= {"EPRT": "550 no", "PORT": "550 no"}
    assert isinstance(outcome(client.download("x"), server.network), ServerRefused)
    server.network.callLater(1.0, client.abort)
    server.network.pass_time(10.0)
    assert server.network.getDelayedCalls() == []


def test_a_server_that_never_calls_back():
    server = ScriptedServer({"EPRT": "200 ok", "RETR": "150 here"})
    client = server.client(active=True, timeout=5.0)
    assert "no connection in 5 seconds" in str(outcome(client.download("x"), server.network, 6.0))
    client.abort()


def test_neither_epsv_nor_pasv():
    server = ScriptedServer({"EPSV": "502 no", "PASV": "502 no"})
    client = server.client()
    assert isinstance(outcome(client.download("x"), server.network), Unsupported)
    client.abort()
