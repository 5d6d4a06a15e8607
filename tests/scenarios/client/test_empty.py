"""Empty directories that servers refuse to list, and directories that fail alone."""

import pytest

from ftpservice_client import ServerRefused
from tests.support.full_disk import Disk, unix
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
    disk = Disk({"/": [unix("deep", "d"), unix("a")], "/deep": []})
    disk.refused["/deep"] = reply
    return disk


def facts_disk(reply):
    top = ["type=dir; deep", "type=file;size=5; a"]
    disk = Disk({"/": top, "/deep": []}, FEAT=MLSD, MLST="250-is\r\n type=dir; /deep\r\n250 end")
    disk.refused["/deep"] = reply
    return disk


EMPTY = [
    "450 No files found",
    "550 No files found.",
    "550 deep: No such file or directory",
    "226 ok",
]
FAULTS = ["550 Permission denied", "450 I/O error", "550 Failed to open directory.", "451 no"]


@pytest.mark.parametrize("kind", [unix_disk, facts_disk])
@pytest.mark.parametrize("reply", EMPTY)
def test_a_directory_without_files_is_empty_however_that_is_told(tmp_path, kind, reply):
    disk = kind(reply)
    client = disk.client()
    assert disk.result(client.list("deep"), 30.0).entries == ()
    done = disk.result(client.mirror(deep(tmp_path), "", delete=True), 100.0)
    assert done.failed == ()
    assert names(tmp_path) == {"a"}
    assert "CWD deep" in disk.heard
    client.abort()


@pytest.mark.parametrize("kind", [unix_disk, facts_disk])
@pytest.mark.parametrize("reply", [*FAULTS, "550 hm"])
def test_a_directory_that_is_not_listed_fails_alone(tmp_path, kind, reply):
    disk = kind(reply)
    client = disk.client()
    local = deep(tmp_path)
    done = disk.result(client.mirror(local, "", delete=True), 100.0)
    assert [(step.action, step.name) for step, _ in done.failed] == [("list", "deep")]
    assert names(local) == {"a", "deep/x"}
    done = disk.result(client.mirror(local, "", up=True, delete=True), 100.0)
    assert [(step.action, step.name) for step, _ in done.failed] == [("list", "deep")]
    assert "STOR deep/x" in disk.heard
    assert disk.asked("DELE", "RMD") == []
    client.abort()


@pytest.mark.parametrize("reply", FAULTS)
def test_what_is_refused_is_told(reply):
    disk = unix_disk(reply)
    client = disk.client()
    assert isinstance(outcome(client.list("deep"), disk.network, 10.0), ServerRefused)
    assert disk.place == "/"
    client.abort()


def test_no_data_comes_and_no_connection_is_made():
    disk = unix_disk("226 ok")
    disk.says["EPSV"] = "229 ok (|||7|)"
    disk.says["PASV"] = "502 no"
    disk.says["LIST"] = "226 nothing"
    client = disk.client()
    assert disk.result(client.list("deep"), 30.0).entries == ()
    client.abort()


def test_a_directory_here_that_cannot_be_read_fails_alone(tmp_path, monkeypatch):
    local = deep(tmp_path)
    disk = Disk({"/": [unix("deep", "d"), unix("a")], "/deep": [unix("z")]})
    real = __import__("os").scandir

    def scandir(place):
        if str(place).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr("ftpservice_client.mirror.local_tree.os.scandir", scandir)
    client = disk.client()
    done = disk.result(client.mirror(local, "", up=True, delete=True), 100.0)
    assert [(step.action, step.name) for step, _ in done.failed] == [("list", "deep")]
    assert disk.asked("DELE", "RMD") == ["DELE a"]
    client.abort()
