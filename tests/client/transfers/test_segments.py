"""Large files over several connections."""

import os

import pytest
from twisted.internet.defer import CancelledError

from ftpservice_client import NetworkError, NotFound, Settings, VerificationFailed
from ftpservice_client.testing.service import Fault, MemoryService
from tests.support.scripted_server import ScriptedServer, outcome

BIG = os.urandom(5_000_001)


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    made.write("/big", BIG)
    made.write("/small", b"small")
    yield made
    made.pass_time(40.0)
    assert made.network.getDelayedCalls() == []


@pytest.fixture(params=["ftp", "simple"])
def client(service, request):
    settings = Settings(netrc=None, retries=1)
    made = service.result(service.connect(f"{request.param}://ann:secret@server/", settings))
    yield made
    service.result(made.quit(), 10.0)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_a_large_file_in_stretches(service, client, tmp_path, count):
    seen = []
    download = client.download(
        "big",
        tmp_path / "big",
        segments=count,
        verify=True,
        progress=lambda moved, total: seen.append(moved),
    )
    transfer = service.result(download, 1.0)
    assert (tmp_path / "big").read_bytes() == BIG
    assert (transfer.size, seen[-1]) == (len(BIG), len(BIG))
    assert seen == sorted(seen)
    assert transfer.digest is not None
    assert [path.name for path in tmp_path.iterdir()] == ["big"]


def test_a_cut_stretch_goes_on(service, client, tmp_path):
    service.faults.data(Fault(reset_after=200_000), Fault(), Fault(end_after=1_000_000))
    service.faults.control(Fault(reset_after=200_000), Fault(), Fault(end_after=1_000_000))
    service.result(client.download("big", tmp_path / "big", segments=3), 30.0)
    assert (tmp_path / "big").read_bytes() == BIG


def test_small_files_and_memory_take_one_connection(service, client, tmp_path):
    service.result(client.download("small", tmp_path / "small", segments=3))
    assert (tmp_path / "small").read_bytes() == b"small"
    assert service.result(client.download("big", segments=3)).data == BIG
    service.failure(client.download("none", tmp_path / "none", segments=3), NotFound)
    with pytest.raises(ValueError, match="cannot be combined"):
        client.download("big", tmp_path / "big", segments=3, resume=True)


def test_cancelling_leaves_nothing_behind(service, client, tmp_path):
    service.faults.data(*[Fault(rate=100_000.0)] * 3)
    service.faults.control(*[Fault(rate=100_000.0)] * 3)
    download = client.download("big", tmp_path / "big", segments=3)
    service.pass_time(1.0)
    download.cancel()
    service.failure(download, CancelledError)
    assert list(tmp_path.iterdir()) == []


def test_a_stretch_that_is_cut_too_often(service, client, tmp_path):
    service.faults.data(*[Fault(reset_after=200_000)] * 10)
    service.faults.control(*[Fault(reset_after=200_000)] * 10)
    service.failure(client.download("big", tmp_path / "big", segments=3), NetworkError, 100.0)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_begins_no_transfer_in_the_middle(tmp_path):
    content = b"x" * 3_000_000
    server = ScriptedServer(
        {"SIZE": f"213 {len(content)}", "RETR": "150 here\r\n226 done"}, content
    )
    client = server.client()
    found = outcome(client.download("x", tmp_path / "x", segments=2), server.network, 20.0)
    assert found.size == len(content)
    assert (tmp_path / "x").read_bytes() == content
    client.abort()


def test_a_server_that_says_one_size_and_then_another(tmp_path):
    content = b"x" * 5_000_000
    sizes = iter([3_000_000, 4_000_000, 3_500_000])
    server = ScriptedServer({"RETR": "150 here\r\n226 done", "REST": "350 ok"}, content)
    server.replies["SIZE"] = lambda connection, line: connection.say(f"213 {next(sizes)}", line)
    client = server.client()
    found = outcome(client.download("x", tmp_path / "x", segments=2), server.network, 20.0)
    assert isinstance(found, VerificationFailed)
    assert list(tmp_path.iterdir()) == []
    client.abort()
