"""Many small files in a row: saved round trips (prefetched EPSV, early data), and failures."""

import pytest
from twisted.internet.defer import CancelledError

from ftpservice import linux
from ftpservice_client import (
    AccessDenied,
    NetworkError,
    ProtocolViolation,
    Settings,
    StorageFull,
    VerificationFailed,
)
from ftpservice_client.ftp.data import PORT_VALID_SECONDS
from ftpservice_client.ftp.features import OWN_SERVER_FEATURES
from ftpservice_client.local.files import OpenFile
from ftpservice_client.testing.service import MemoryService
from tests.support.scripted_server import DEFAULT_REPLIES, ScriptedServer, outcome

OWN = (
    "211-can\r\n"
    + "".join(f" {word}\r\n" for word in sorted(OWN_SERVER_FEATURES))
    + " SIZE\r\n211 end"
)
FOUR = b"four"
WHOLE = {"FEAT": OWN, "SIZE": "213 4", "RETR": "150 it (4 bytes)\r\n226 done"}


def verbs(server):
    return [line.partition(" ")[0] for line in server.commands]


def fetched(server, client, count):
    del server.commands[:]
    for _ in range(count):
        assert server.result(client.download("x")).data == FOUR
    return verbs(server)


def test_epsv_is_prefetched():
    server = ScriptedServer(WHOLE, FOUR)
    client = server.client()
    assert fetched(server, client, 4) == [
        *("SIZE", "EPSV", "RETR"),
        *("EPSV", "RETR", "EPSV"),
        *("RETR", "EPSV", "RETR", "EPSV"),
    ]
    server.network.pass_time(PORT_VALID_SECONDS)
    assert fetched(server, client, 2) == ["EPSV", "RETR", "EPSV", "RETR", "EPSV"]
    client.abort()


def test_other_servers_get_no_commands_during_a_transfer():
    server = ScriptedServer(WHOLE | {"FEAT": "211-can\r\n SIZE\r\n211 end"}, FOUR)
    client = server.client()
    assert fetched(server, client, 3) == ["SIZE", "EPSV", "RETR", "EPSV", "RETR", "EPSV", "RETR"]
    client.abort()


def test_a_closed_prefetched_port_is_requested_again():
    server = ScriptedServer(WHOLE, FOUR)
    client = server.client()
    fetched(server, client, 3)
    server.network.close(max(server.network._listening))
    assert fetched(server, client, 1) == ["EPSV", "RETR", "EPSV"]
    client.abort()


def test_an_unexpected_reply_ends_the_connection():
    server = ScriptedServer(WHOLE, FOUR)
    client = server.client()
    fetched(server, client, 1)
    server.replies["RETR"] = "150 it (4 bytes)\r\n229 ok (|||1|)"
    assert isinstance(outcome(client.download("x"), server.network, 1.0), ProtocolViolation)
    client.abort()


def test_a_prefetched_port_survives_a_cancellation():
    service = MemoryService({"ann": "secret"})
    service.write("/x", FOUR)
    client = service.result(service.connect("ftp://ann:secret@server/", Settings(netrc=None)))
    for _ in range(3):
        service.result(client.download("x"))
        cancelled = client.download("x")
        cancelled.cancel()
        service.failure(cancelled, CancelledError)
    assert service.result(client.download("x"), 20.0).data == FOUR
    service.result(client.quit(), 10.0)
    service.pass_time(40.0)
    assert service.network.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("opening", "content", "kind"),
    [("150 it (9 bytes)", FOUR, NetworkError), ("150 it", b"", NetworkError)],
)
def test_the_size_in_150_is_checked(opening, content, kind):
    server = ScriptedServer(WHOLE, FOUR)
    client = server.client()
    fetched(server, client, 2)
    server.replies["RETR"], server.data = f"{opening}\r\n226 done", content
    assert isinstance(outcome(client.download("x"), server.network, 20.0), kind)
    client.abort()


def test_a_file_larger_than_in_150_is_downloaded_again():
    server = ScriptedServer(WHOLE, FOUR)
    client = server.client()
    fetched(server, client, 2)
    server.replies["RETR"] = "150 it (2 bytes)\r\n226 done"
    assert fetched(server, client, 1).count("RETR") == 2
    assert fetched(server, client, 1).count("SIZE") == 1
    client.abort()


def test_size_is_sent_for_a_name_that_looks_like_a_size():
    server = ScriptedServer(WHOLE, FOUR)
    client = server.client()
    fetched(server, client, 1)
    assert server.result(client.download("x (7 bytes)")).data == FOUR
    assert "SIZE x (7 bytes)" in server.commands
    client.abort()


@pytest.mark.parametrize(
    ("stored", "size", "kind"),
    [("226 4 bytes stored", "213 9", None), ("226 3 bytes stored", "213 3", VerificationFailed)],
)
def test_size_after_an_upload_unless_the_reply_has_it(stored, size, kind):
    server = ScriptedServer({"STOR": f"150 go\r\n{stored}", "SIZE": size}, None)
    client = server.client()
    found = outcome(client.upload(FOUR, "x"), server.network, 20.0)
    assert isinstance(found, kind) if kind else (found.size, "SIZE" in verbs(server)) == (4, False)
    client.abort()


@pytest.mark.parametrize("has_port", [True, False])
@pytest.mark.parametrize(
    ("reply", "kind"), [("553 denied", AccessDenied), ("552 full", StorageFull)]
)
def test_early_data_may_be_refused(reply, kind, has_port):
    server = ScriptedServer({"FEAT": OWN, "STOR": reply})
    if not has_port:
        server.replies["EPSV"] = "229 ok (|||7|)"
    client = server.client()
    assert isinstance(outcome(client.upload(FOUR, "x"), server.network, 20.0), kind)
    client.abort()
    server.network.pass_time(10.0)
    assert server.network.getDelayedCalls() == []


@pytest.mark.parametrize("features", [OWN, DEFAULT_REPLIES["FEAT"]])
def test_only_an_ftpservice_gets_data_before_its_first_reply(features):
    server = ScriptedServer({"FEAT": features, "STOR": ""}, None)
    client = server.client()
    uploading = client.upload(FOUR, "x")
    server.network.pass_time(1.0)
    (data,) = server.data_connections
    assert server.commands[-1] == "STOR x"
    assert data.received == (FOUR if features is OWN else b"")
    server.connections[0].say("150 go\r\n226 4 bytes stored", "")
    assert server.result(uploading, 20.0).size == 4
    assert data.received == FOUR
    client.abort()


def test_no_port_and_no_answer():
    server = ScriptedServer({"FEAT": OWN, "STOR": "", "EPSV": "229 ok (|||7|)"})
    client = server.client()
    assert isinstance(outcome(client.upload(FOUR, "x"), server.network, 31.0), NetworkError)
    client.abort()


def test_files_without_page_cache_information(monkeypatch, tmp_path):
    monkeypatch.setattr(linux, "MACHINE", "")
    path = tmp_path / "x"
    path.write_bytes(FOUR)
    assert OpenFile.open_if_cached(path) is None
    with path.open("rb") as file:
        assert not linux.is_cached(file.fileno(), 0, 4)
        assert linux.is_cached(file.fileno(), 0, 0)
