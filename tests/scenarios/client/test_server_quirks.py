"""Unusual behaviour of servers and networks between the client's calls."""

import os

import pytest

from ftpservice_client import (
    NetworkError,
    NotFound,
    ProtocolViolation,
    Settings,
    connect_pool,
    parse_url,
)
from ftpservice_client.sessions.netrc import with_netrc
from ftpservice_client.testing.service import MemoryService
from tests.support.scripted_server import ScriptedServer, outcome
from tests.support.scripted_simple_server import ScriptedSimpleServer

RETR = "150 here\r\n226 done"


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    yield made
    made.pass_time(40.0)
    assert made.network.getDelayedCalls() == []


def test_a_reconnect_restores_the_directory():
    server = ScriptedServer({"CWD": "250 ok", "DELE": "250 gone"})
    client = server.client(retries=1)
    server.replies["PWD"] = '257 "/in"'
    assert server.result(client.change_directory("in")) == "/in"
    server.connections[0].transport.loseConnection()
    server.network.settle()
    server.replies |= {"PWD": '257 "/"', "CWD": "550 No such directory."}
    for _ in range(2):
        assert isinstance(outcome(client.delete("x"), server.network, 10.0), NotFound)
    assert "DELE x" not in server.commands
    client.abort()


@pytest.mark.parametrize("is_dialing", [False, True])
def test_abort_ends_a_pending_retry(is_dialing):
    server = ScriptedServer({"RETR": RETR})
    client = server.client(retries=5, backoff=40.0)
    server.connections[0].transport.loseConnection()
    server.network.settle()
    server.replies[""] = "" if is_dialing else "421 busy"
    failed = []
    client.list().addErrback(failed.append)
    server.network.pass_time(1.0)
    assert failed == []
    client.abort()
    server.network.settle()
    assert failed[0].check(NetworkError)
    assert server.network.getDelayedCalls() == []


@pytest.mark.parametrize("server_class", [ScriptedServer, ScriptedSimpleServer])
def test_an_endless_listing(server_class):
    if server_class is ScriptedServer:
        server = ScriptedServer({"LIST": RETR, "FEAT": "500 no"}, b"\r\n" * 300_000)
    else:
        server = ScriptedSimpleServer(LIST=b"OK 999999999999 0\n" + b"\n" * 300_000)
    client = server.client(memory_limit=10_000_000)
    assert isinstance(outcome(client.list(), server.network, 20.0), ProtocolViolation)
    client.abort()


def test_a_pool_replaces_a_dead_connection():
    server = ScriptedServer({"DELE": "250 gone"})
    place = parse_url("ftp://ann:secret@127.0.0.1/")
    settings = Settings(netrc=None)
    pool = server.result(connect_pool(place, 2, reactor=server.network, settings=settings))
    server.connections[0].transport.loseConnection()
    server.network.settle()
    assert server.result(pool.delete("x")) is None
    assert len(server.connections) == 2
    pool.abort()
    server.network.pass_time(10.0)


def test_a_server_that_ignores_rest(tmp_path):
    content = os.urandom(3_000_000)
    server = ScriptedServer(
        {"SIZE": f"213 {len(content)}", "REST": "350 ok", "RETR": RETR}, content
    )
    client = server.client()
    download = client.download("x", tmp_path / "x", segments=3)
    found = outcome(download, server.network, 20.0)
    assert (tmp_path / "x").read_bytes() == content, found
    client.abort()


def test_segments_with_one_connection_allowed(tmp_path):
    content = os.urandom(3_000_000)
    server = ScriptedServer(
        {"SIZE": f"213 {len(content)}", "REST": "350 ok", "RETR": RETR}, content
    )
    client = server.client()
    server.replies[""] = "421 one is enough"
    found = outcome(client.download("x", tmp_path / "x", segments=3), server.network, 20.0)
    assert (tmp_path / "x").read_bytes() == content, found
    client.abort()


def test_an_interrupted_download_without_rest_starts_again():
    content = b"x" * 5000
    server = ScriptedServer(
        {"SIZE": f"213 {len(content)}", "RETR": RETR, "REST": "502 no"}, content[:3000]
    )
    client = server.client(retries=2, backoff=0.1)
    download = client.download("x")
    download.addErrback(lambda failure: failure)
    server.network.settle()
    server.data = content
    assert outcome(download, server.network, 20.0).data == content
    client.abort()


def test_a_raw_cwd(service):
    client = service.result(service.connect("ftp://ann:secret@server/", Settings(netrc=None)))
    service.result(client.make_directory("in"))
    service.result(client.upload(b"1", "in/file"))
    assert service.result(client.send("CWD in")).code == 250
    assert client.directory == "/in"
    assert service.result(client.download("file")).data == b"1"
    service.result(client.quit(), 10.0)


def test_netrc_with_several_names_for_a_host(tmp_path):
    path = tmp_path / "netrc"
    path.write_text(
        "machine h login ann password 1\nmachine h login bob password 2\n"
        "default login eve password 3\n"
    )
    for url, known in [
        ("ftp://h/", ("ann", "1")),
        ("ftp://bob@h/", ("bob", "2")),
        ("ftp://carl@h/", ("carl", None)),
        ("ftp://other/", ("eve", "3")),
    ]:
        found = with_netrc(parse_url(url), path)
        assert (found.user, found.password) == known
