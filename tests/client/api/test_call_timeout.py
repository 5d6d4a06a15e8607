"""Calls that have a limit: `Timeout` when it is over, and a connection that is in order."""

from pathlib import Path

import pytest

from ftpservice_client import Client, Settings, Timeout, connect
from ftpservice_client.testing.service import Fault, MemoryService
from tests.support.scripted_server import ScriptedServer

URL = "ftp://ann:secret@server/"
PATIENT = Settings(netrc=None, timeout=100.0, stall_timeout=100.0)
BIG = bytes(range(256)) * 4000


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    yield made
    made.pass_time(100.0)
    assert made.network.getDelayedCalls() == []


def connected(service: MemoryService) -> Client:
    return service.result(service.connect(URL, PATIENT))


CALLS = {
    "list": lambda client: client.list(timeout=2.0),
    "stat": lambda client: client.stat("file", timeout=2.0),
    "hash": lambda client: client.hash("file", timeout=2.0),
    "delete": lambda client: client.delete("file", timeout=2.0),
    "rename": lambda client: client.rename("file", "other", timeout=2.0),
    "make_directory": lambda client: client.make_directory("new", timeout=2.0),
    "remove_directory": lambda client: client.remove_directory("new", timeout=2.0),
    "change_directory": lambda client: client.change_directory("/", timeout=2.0),
    "send": lambda client: client.send("NOOP", timeout=2.0),
    "upload": lambda client: client.upload(BIG, "file", timeout=2.0),
    "download": lambda client: client.download("file", timeout=2.0),
    "mirror": lambda client: client.mirror(Path("here"), "", timeout=2.0),
}


class Silent(dict):
    """What is said after the login: nothing."""

    def get(self, verb, default=None):
        return ""


@pytest.mark.parametrize("name", CALLS)
def test_a_server_that_falls_silent_is_waited_for_so_long(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    server = ScriptedServer({"EPSV": "", "FEAT": "211-can\r\n HASH SHA-256*\r\n211 end"})
    client = server.client(timeout=100.0, stall_timeout=100.0)
    server.replies = Silent(server.replies)
    failures = []
    CALLS[name](client).addErrback(failures.append)
    server.network.pass_time(1.9)
    assert not failures
    server.network.pass_time(0.2)
    assert failures[0].check(Timeout)
    assert failures[0].getErrorMessage() == "not done in 2 seconds"
    client.abort()


def test_a_slow_transfer_ends_and_the_next_call_finds_order(service):
    client = connected(service)
    service.write("/file", BIG)
    service.faults.data(Fault(rate=1000.0))
    service.failure(client.download("file", timeout=5.0), Timeout, 6.0)
    assert service.result(client.download("file", timeout=5.0), 5.0).data == BIG
    assert client.lost is None
    service.result(client.quit(), 10.0)


def test_a_slow_upload_leaves_no_file(service):
    client = connected(service)
    service.faults.data(Fault(rate=1000.0))
    service.failure(client.upload(BIG, "file", timeout=5.0), Timeout, 6.0)
    assert service.result(client.list(), 10.0).entries == ()
    service.result(client.quit(), 10.0)


def test_what_waits_for_its_turn_has_its_limit_too(service):
    client = connected(service)
    service.write("/file", BIG)
    service.faults.data(Fault(rate=len(BIG) / 10))
    download = client.download("file")
    service.failure(client.list(timeout=3.0), Timeout, 4.0)
    assert service.result(download, 20.0).data == BIG
    service.result(client.quit(), 10.0)


def test_a_call_that_is_done_in_time_leaves_no_timer(service):
    client = connected(service)
    assert service.result(client.list(timeout=50.0)).entries == ()
    service.result(client.quit(), 10.0)
    assert all(call.getTime() < 50.0 for call in service.network.getDelayedCalls())


def test_connecting_has_a_limit(service):
    service.faults.control(Fault(stall_after=0))
    began = service.network.seconds()
    call = connect(
        "ftp://ann:secret@127.0.0.1/", reactor=service.network, settings=PATIENT, timeout=4.0
    )
    service.failure(call, Timeout, 5.0)
    assert service.network.seconds() - began <= 5.0
