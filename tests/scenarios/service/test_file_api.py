"""The files of an account over HTTP, on a whole service with files on disk."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.command_service import CommandService
from tests.support.page_client import PageClient
from tests.support.service_process import PATIENCE, Program

MIB = 1 << 20
LARGE = os.urandom(MIB) * 24
NAMES = [
    b"<img src=x onerror=alert(1)>.txt",
    b"100%41 a+b&c=d?e#f;g",
    b"\xff\x80\xfe",
    "\u202egnp.exe".encode(),
    b"-rf *",
    b"\x1b[31mred",
    b"quote\"'`\\",
    b"x" * 255,
]


class Files:
    def __init__(self, service: CommandService, served: Program) -> None:
        self.service, self.served = service, served
        self.place = service.files
        self.client = PageClient(served)

    def who(self) -> list[dict[str, Any]]:
        """Return what ``ftpservice who`` shows."""
        words = ["who", "--socket", str(self.service.place / "var/control.sock"), "--json"]
        found: list[dict[str, Any]] = json.loads(CliRunner().invoke(ftpservice, words).stdout)
        return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    service = CommandService(tmp_path_factory.mktemp("files"))
    service.add("--rights", "full,admin", "--quota", "200M")
    place = service.files / "names"
    place.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (place / os.fsdecode(name)).write_bytes(b"%d" % number)
    (place / "line\nend").write_bytes(b"")
    (service.files / "large.bin").write_bytes(LARGE)
    (service.files / "outside").symlink_to("/etc/passwd")
    (service.place / "secret").write_text("secret")
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with service.serve(*words) as served:
        yield Files(service, served)
        assert served.stopped() == 0


def sessions(client: PageClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(client.ask("GET", "/api/v1/sessions")[1])
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_status(client: PageClient, path: str, status: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while client.ask("GET", path)[0].status != status:
        assert time.monotonic() < deadline


def test_hostile_names_on_the_disk_are_listed_read_renamed_and_deleted(files: Files) -> None:
    client = files.client
    found = json.loads(client.get("list", path="/names"))
    names = {entry["name"]: entry for entry in found["entries"]}
    assert sorted(names) == sorted(os.fsdecode(name) for name in NAMES)
    assert (found["left_out"], found["is_complete"]) == (1, True)
    assert found["quota"]["bytes_limit"] == 200 * MIB
    assert found["quota"]["bytes_used"] >= len(LARGE)
    for number, name in enumerate(map(os.fsdecode, NAMES)):
        assert client.get("content", path=f"/names/{name}") == b"%d" % number
        assert client.post("rename", path=f"/names/{name}", to="/names/new") == 200
        assert client.post("rename", path="/names/new", to=f"/names/{name}") == 200
    assert client.post("delete", path=f"/names/{os.fsdecode(NAMES[2])}") == 200
    assert not (files.place / "names" / os.fsdecode(NAMES[2])).exists()


def test_no_path_leads_out_of_the_files_of_the_account(files: Files) -> None:
    client = files.client
    for path in ("/../../secret", "/names/../../../secret", "/outside", "/%2e%2e/secret"):
        answer, body = client.ask("GET", client.files("content", path=path))
        assert answer.status in (403, 404), body
        assert b"root:" not in body
    assert client.post("directory", path="/../../../moved") == 200
    assert (files.place / "moved").is_dir()
    assert client.post("rename", path="/moved", to="/../../../names/moved") == 200
    assert client.post("delete", path="/names/moved") == 200


def test_ranges_of_a_large_file_are_those_of_the_disk(files: Files) -> None:
    client = files.client
    address = client.files("content", path="/large.bin")
    answer, body = client.ask("GET", address)
    assert body == LARGE
    tag = answer.headers["ETag"]
    assert tag.startswith('"')
    for text, part in (("0-0", LARGE[:1]), ("-5", LARGE[-5:]), (f"{20 * MIB}-", LARGE[20 * MIB :])):
        answer, body = client.ask("GET", address, Range=f"bytes={text}", **{"If-Range": tag})
        assert (answer.status, body == part) == (206, True)
    os.utime(files.place / "large.bin")
    answer, body = client.ask("GET", address, Range="bytes=0-0", **{"If-Range": tag})
    assert (answer.status, len(body)) == (200, len(LARGE))


def test_a_folder_is_an_archive_that_unzip_accepts(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(files.client.get("zip", path="/"))
    done = subprocess.run(["unzip", "-t", tmp_path / "a.zip"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert b"No errors detected" in done.stdout
    text = subprocess.run(
        ["unzip", "-p", tmp_path / "a.zip", "Not in*"], capture_output=True, check=True
    ).stdout
    lacking = [b"/names: a name in it has a line end", b"/outside: it is a link"]
    assert sorted(text.splitlines()) == lacking


def test_all_transfers_of_a_login_are_seen_with_their_progress(files: Files) -> None:
    client, reader = files.client, PageClient(files.served)
    address = client.files("content", path="/large.bin")
    first = reader.open("GET", address)
    second = reader.open("GET", address, Range=f"bytes={len(LARGE) // 2}-")
    assert (first[1].status, second[1].status) == (200, 206)
    (row,) = [one for one in sessions(client) if one["transfers"]]
    whole, half = row["transfers"]
    assert (whole["size"], half["size"]) == (len(LARGE), len(LARGE) // 2)
    assert all(0 < one["moved"] < one["size"] for one in (whole, half))
    assert row["transfer"] == half
    assert json.loads(client.ask("GET", "/api/v1/service")[1])["transfers"] == 2
    who = files.who()
    (shown,) = [one for one in who if one["session"] == row["session"]]
    assert [one["id"] for one in shown["transfers"]] == [whole["id"], half["id"]]
    assert all(one["rate"] > 0 for one in shown["transfers"])
    for one in second:
        one.close()
    until(lambda: len(next(one for one in sessions(client) if one["transfers"])["transfers"]) == 1)
    (row,) = [one for one in sessions(client) if one["transfers"]]
    assert [one["id"] for one in row["transfers"]] == [whole["id"]]
    for one in first:
        one.close()
    until(lambda: not any(one["transfers"] for one in sessions(client)))
    reader.ask("DELETE", "/login")


def test_a_download_that_waits_is_seen_and_ends_with_its_login(files: Files) -> None:
    client, reader = files.client, PageClient(files.served)
    connection, answer = reader.open("GET", client.files("content", path="/large.bin"))
    assert answer.status == 200
    (row,) = [one for one in sessions(client) if one["transfer"] is not None]
    assert (row["protocol"], row["user"], row["transfer"]["path"]) == ("http", "ann", "/large.bin")
    assert row["transfer"]["size"] == len(LARGE)
    assert 0 < row["transfer"]["moved"] < len(LARGE)
    assert client.ask("DELETE", f"/api/v1/sessions/{row['session']}")[0].status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    until_status(reader, "/login", 401)
    assert client.ask("GET", "/login")[0].status == 200
    assert end_of_download(client) == ("aborted", "/large.bin")


def end_of_download(client: PageClient) -> tuple[str, str]:
    """Return outcome and path of the last download, when the journal has its end."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        events = json.loads(client.ask("GET", "/api/v1/events?limit=20")[1])["events"]
        for one in events:
            if one["kind"] == "transfer" and one["outcome"] != "complete":
                return one["outcome"], one["path"]
        time.sleep(0.05)
    raise AssertionError("no end")


def test_a_stop_lets_a_download_finish(tmp_path: Path) -> None:
    service = CommandService(tmp_path)
    service.add()
    service.files.mkdir(parents=True)
    (service.files / "large.bin").write_bytes(LARGE)
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with service.serve(*words) as served:
        client = PageClient(served)
        idle, _ = client.open("GET", "/login")
        connection, answer = client.open("GET", client.files("content", path="/large.bin"))
        zipped, archive = client.open("GET", client.files("zip", path="/"))
        first = answer.read(1), archive.read(1)
        served.process.send_signal(signal.SIGTERM)
        served.line("stopping: waiting up to")
        assert first[0] + answer.read() == LARGE
        assert len(first[1] + archive.read()) == int(archive.headers["Content-Length"])
        assert served.ended() == 0
        for one in (idle, connection, zipped):
            one.close()


def test_a_search_and_a_tree_that_is_deleted(files: Files) -> None:
    client = files.client
    for path in ("/tree", "/tree/a", "/tree/a/Deep"):
        assert client.post("directory", path=path) == 200
    (files.place / "tree/a/Deep/note.txt").write_text("x")
    found = [json.loads(line) for line in client.get("search", path="/", name="deep").splitlines()]
    assert [one.get("path") for one in found] == ["/tree/a/Deep", None]
    assert client.post("delete", path="/tree") == 409
    answer, body = client.ask("POST", "/api/v1/files/delete", {"path": "/tree", "recursive": True})
    assert (answer.status, json.loads(body)["deleted"]) == (200, 4)
    assert not (files.place / "tree").exists()


def test_a_change_of_the_account_is_in_force_within_seconds(files: Files) -> None:
    files.service.command("add", "bob", "--root=/bob", "--password-stdin", "--force")
    client = PageClient(files.served, "bob")
    assert (client.login["admin"], client.login["files"]) == (False, True)
    assert client.ask("GET", "/api/v1/sessions")[0].status == 403
    assert client.ask("POST", "/api/v1/bans", {"network": "192.0.2.1"})[0].status == 403
    files.service.command("set", "bob", "--rights", "read")
    until_status(client, "/login", 401)
    client = PageClient(files.served, "bob")
    assert client.post("directory", path="/d") == 403
    files.service.command("lock", "bob")
    until_status(client, client.files("list", path="/"), 401)
