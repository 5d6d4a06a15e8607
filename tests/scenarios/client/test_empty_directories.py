"""Servers that refuse to list an empty directory, and directories that fail alone."""

import pytest

from ftpservice_client import ServerRefused
from tests.support.directory_server import DirectoryServer, unix
from tests.support.scripted_server import outcome

MLSD = "211-can\r\n MLST type*;size*;\r\n211 end"


def names(top):
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def deep(top):
    (top / "deep").mkdir(parents=True)
    (top / "deep" / "x").write_bytes(b"12345")
    (top / "y").write_bytes(b"12345")
    return top


def unix_disk(reply):
    server = DirectoryServer({"/": [unix("deep", "d"), unix("a")], "/deep": []})
    server.refused["/deep"] = reply
    return server


def facts_disk(reply):
    top = ["type=dir; deep", "type=file;size=5; a"]
    server = DirectoryServer(
        {"/": top, "/deep": []}, FEAT=MLSD, MLST="250-is\r\n type=dir; /deep\r\n250 end"
    )
    server.refused["/deep"] = reply
    return server


EMPTY = [
    "450 No files found",
    "550 No files found.",
    "550 deep: No such file or directory",
    "226 ok",
]
FAULTS = ["550 Permission denied", "450 I/O error", "550 Failed to open directory.", "451 no"]


@pytest.mark.parametrize("kind", [unix_disk, facts_disk])
@pytest.mark.parametrize("reply", EMPTY)
def test_replies_for_an_empty_directory(tmp_path, kind, reply):
    server = kind(reply)
    client = server.client()
    assert server.result(client.list("deep"), 30.0).entries == ()
    done = server.result(client.mirror(deep(tmp_path), "", delete=True), 100.0)
    assert done.failed == ()
    assert names(tmp_path) == {"a"}
    assert "CWD deep" in server.commands
    client.abort()


@pytest.mark.parametrize("kind", [unix_disk, facts_disk])
@pytest.mark.parametrize("reply", [*FAULTS, "550 hm"])
def test_an_unlisted_directory_fails_alone(tmp_path, kind, reply):
    server = kind(reply)
    client = server.client()
    local = deep(tmp_path)
    done = server.result(client.mirror(local, "", delete=True), 100.0)
    assert [(step.action, step.name) for step, _ in done.failed] == [("list", "deep")]
    assert names(local) == {"a", "deep/x"}
    done = server.result(client.mirror(local, "", up=True, delete=True), 100.0)
    assert [(step.action, step.name) for step, _ in done.failed] == [("list", "deep")]
    assert "STOR deep/x" in server.commands
    assert server.commands_of("DELE", "RMD") == []
    client.abort()


@pytest.mark.parametrize("reply", FAULTS)
def test_a_refused_listing_is_an_error(reply):
    server = unix_disk(reply)
    client = server.client()
    assert isinstance(outcome(client.list("deep"), server.network, 10.0), ServerRefused)
    assert server.directory == "/"
    client.abort()


def test_an_empty_listing_without_data_connection():
    server = unix_disk("226 ok")
    server.replies["EPSV"] = "229 ok (|||7|)"
    server.replies["PASV"] = "502 no"
    server.replies["LIST"] = "226 nothing"
    client = server.client()
    assert server.result(client.list("deep"), 30.0).entries == ()
    client.abort()


def test_an_unreadable_local_directory_fails_alone(tmp_path, monkeypatch):
    local = deep(tmp_path)
    server = DirectoryServer({"/": [unix("deep", "d"), unix("a")], "/deep": [unix("z")]})
    real = __import__("os").scandir

    def scandir(place):
        if str(place).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr("ftpservice_client.mirror.local_tree.os.scandir", scandir)
    client = server.client()
    done = server.result(client.mirror(local, "", up=True, delete=True), 100.0)
    assert [(step.action, step.name) for step, _ in done.failed] == [("list", "deep")]
    assert server.commands_of("DELE", "RMD") == ["DELE a"]
    client.abort()
