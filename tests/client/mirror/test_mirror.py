"""How many connections and commands a mirror takes, and what an interruption leaves."""

from __future__ import annotations

import os

import pytest

from ftpservice.session.settings import SessionSettings
from ftpservice_client import Settings
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.testing.service import Fault, MemoryService

WHEN = 1_780_000_000
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in NAMES:
        (tree / name).write_bytes(name.encode() * 2000)
        os.utime(tree / name, (WHEN, WHEN))
    return tree


@pytest.fixture
def commands(monkeypatch):
    """The lines that clients have sent."""
    lines = []
    send = ControlConnection.send_commands

    def record(connection, *commands):
        lines.extend(commands)
        return send(connection, *commands)

    monkeypatch.setattr(ControlConnection, "send_commands", record)
    return lines


def connected(service):
    settings = Settings(netrc=None, retries=2, backoff=0.1)
    return service.result(service.connect("ftp://ann:secret@server/", settings))


def ended(service, client):
    service.result(client.quit(), 10.0)
    service.pass_time(40.0)
    assert service.network.getDelayedCalls() == []


def test_small_files_take_one_command_each_besides_their_transfer(tree, tmp_path, commands):
    service = MemoryService({"ann": "secret"})
    client = connected(service)
    assert service.result(client.mirror(tree, "up", up=True), 10.0).failed == ()
    assert [line for line in commands if line.startswith(("SIZE", "MDTM"))] == []
    assert len([line for line in commands if line.startswith("MFMT")]) == len(NAMES)
    commands.clear()
    assert service.result(client.mirror(tmp_path / "down", "up"), 10.0).failed == ()
    assert [line for line in commands if line.startswith("MDTM")] == []
    for name in NAMES:
        assert (tmp_path / "down" / name).read_bytes() == (tree / name).read_bytes()
        assert os.stat(tmp_path / "down" / name).st_mtime == WHEN
    ended(service, client)


@pytest.mark.parametrize("parallel", [2, 8])
def test_a_server_that_allows_one_session_more_is_used_with_one(tree, tmp_path, commands, parallel):
    service = MemoryService({"ann": "secret"}, settings=SessionSettings(max_sessions_per_user=2))
    client = connected(service)
    done = service.result(client.mirror(tree, "up", up=True, parallel=parallel), 10.0)
    assert (done.failed, done.size) == ((), 8000)
    done = service.result(client.mirror(tmp_path / "down", "up", parallel=parallel), 10.0)
    assert (done.failed, done.size) == ((), 8000)
    assert commands.count("USER ann") > 3  # some were refused
    ended(service, client)


def test_an_interrupted_small_upload_starts_again(tree, commands):
    service = MemoryService({"ann": "secret"})
    client = connected(service)
    service.faults.data(Fault(), Fault(reset_after=500), Fault(reset_after=900))
    done = service.result(client.mirror(tree, "up", up=True), 10.0)
    assert (done.failed, done.size) == ((), 8000)
    assert [line for line in commands if line.startswith("REST")] == []
    for name in NAMES:
        assert service.read(f"/up/{name}") == (tree / name).read_bytes()
    ended(service, client)


def test_an_upload_whose_reply_was_lost_is_not_repeated_if_the_digest_is_equal(tree, commands):
    service = MemoryService({"ann": "secret"}, rights="read-append")  # which cannot overwrite
    client = connected(service)
    service.faults.control(Fault(lost_reply="226 .*2000 bytes stored"))
    work = client.mirror(tree, "up", up=True, parallel=1)
    done = service.result(work, 200.0)
    assert (done.failed, done.size) == ((), 8000)
    assert len([line for line in commands if line.startswith("STOR")]) == len(NAMES)
    assert [line for line in commands if line.startswith("HASH")] != []
    ended(service, client)


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("size", range(500, 1700, 75))
def test_a_lost_control_connection_leaves_every_file_with_its_time(tree, commands, size, parallel):
    service = MemoryService({"ann": "secret"})
    client = connected(service)
    service.faults.control(Fault(reset_after=size))
    work = client.mirror(tree, "up", up=True, parallel=parallel)
    assert service.result(work, 200.0).failed == ()
    assert parallel > 1 or commands.count("USER ann") > 2  # the connection was lost
    for name in NAMES:
        assert service.read(f"/up/{name}") == (tree / name).read_bytes()
        assert service.result(client.stat(f"up/{name}")).modified == WHEN
    ended(service, client)


def test_a_cancelled_wait_for_a_session_leaves_the_pool_in_order(tree):
    service = MemoryService({"ann": "secret"}, settings=SessionSettings(max_sessions_per_user=1))
    service.write("/file", bytes(100_000))
    client = service.result(service.connect_pool("ftp://ann:secret@server/", 2))
    service.faults.data(Fault(rate=10_000.0))
    download = client.download("file")
    service.pass_time(1.0)
    waiting = client.list()  # the server allows no second session
    waiting.addErrback(lambda _: None)
    service.settle()
    waiting.cancel()
    quitting = client.quit()
    service.pass_time(1.0)
    assert not quitting.called  # the download comes first
    assert len(service.result(download, 60.0).data) == 100_000
    service.result(quitting, 10.0)
    service.pass_time(40.0)
    assert service.network.getDelayedCalls() == []
