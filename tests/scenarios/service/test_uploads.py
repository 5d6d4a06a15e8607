"""Resumable uploads (tus) to a whole service, over real sockets that are cut."""

from __future__ import annotations

import ftplib
import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftpservice.stream.rate_limit import BURST_SECONDS
from tests.support.command_service import SECRET, CommandService
from tests.support.loopback import send_rst
from tests.support.service_process import PATIENCE, Program
from tests.support.tus_client import BrowserClient

HOSTILE = "/<img src=x onerror=alert(1)> ü \udcff\u202e%00.bin"


class Served:
    """A service with the accounts ``ann``, ``bob`` and ``low``, which has a small quota."""

    def __init__(self, service: CommandService, program: Program) -> None:
        self.service, self.program = service, program
        self.files = service.place / "var/files"
        self.port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self.ann, self.bob, self.low = (self.log_in(name) for name in ("ann", "bob", "low"))

    def log_in(self, user: str) -> BrowserClient:
        return BrowserClient(self.port, user, SECRET)

    def ftp(self, user: str = "ann") -> ftplib.FTP:
        client = ftplib.FTP(encoding="utf-8")
        client.connect("127.0.0.1", self.program.port(), PATIENCE)
        client.login(user, SECRET)
        return client

    def read(self, name: str, user: str = "ann") -> bytes:
        return (self.files / user / name).read_bytes()

    def place(self, path: str, length: int, **more: bool) -> str:
        reply = self.ann.create(path, length, **more)
        assert (reply.status, reply.offset) == (201, 0), reply.body
        return str(reply.headers["Location"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = CommandService(tmp_path_factory.mktemp("uploads"))
    new = ["--password-stdin", "--force"]
    service.command("add", "ann", "--root", "/ann", *new)
    service.command("add", "bob", "--root", "/bob", "--rights", "read", *new)
    service.command("add", "low", "--root", "/low", "--quota", "100K", *new)
    service.command("add", "slow", "--root", "/slow", "--rate-up", "1M", *new)
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db", "--log=all"]
    with service.serve(*words) as program:
        yield Served(service, program)
        assert program.stopped() == 0


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the service does by itself."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_small_file_takes_one_request(served: Served) -> None:
    reply = served.ann.create("/small.bin", 5, b"hello")
    assert (reply.status, reply.offset) == (201, 5)
    assert reply.headers["Upload-Path"] == "/small.bin"
    assert served.read("small.bin") == b"hello"
    assert served.ann.create("/empty", 0).status == 201
    assert served.read("empty") == b""
    served.program.line(r"ann@.* uploaded /small\.bin: complete, 5 bytes")


def test_an_upload_in_parts_is_published_with_the_last_byte(served: Served) -> None:
    content = os.urandom(3_000_000)
    place = served.place("/parts.bin", len(content))
    for first in range(0, len(content), 1_000_000):
        assert not (served.files / "ann/parts.bin").exists()
        reply = served.ann.patch(place, first, content[first : first + 1_000_000])
        assert (reply.status, reply.offset) == (204, first + 1_000_000)
    assert served.read("parts.bin") == content
    assert served.ann.head(place).offset == len(content)
    assert served.ann.patch(place, len(content), b"").status == 204


@pytest.mark.parametrize("sent", [1, 70_000, 1_500_000])
def test_what_arrived_before_a_cut_is_kept(served: Served, sent: int) -> None:
    content = os.urandom(2_000_000)
    place = served.place(f"/cut{sent}.bin", len(content))
    connection = served.ann.begin_patch(place, 0, len(content), content[:sent])
    connection.shutdown(1)
    until(lambda: served.ann.head(place).offset == sent)
    connection.close()
    assert not (served.files / f"ann/cut{sent}.bin").exists()
    reply = served.ann.patch(place, sent, content[sent:])
    assert (reply.status, reply.offset) == (204, len(content))
    assert served.read(f"cut{sent}.bin") == content


def test_a_reset_keeps_whole_bytes_and_another_login_goes_on(served: Served) -> None:
    content = os.urandom(1_000_000)
    place = served.place("/reset.bin", len(content))
    connection = served.ann.begin_patch(place, 0, len(content), content[:600_000])
    until(lambda: served.ann.head(place).offset > 0)
    send_rst(connection)
    again, offset = served.log_in("ann"), 0
    until(lambda: again.patch(place, len(content) - 1, b"x").status == 409)
    offset = again.head(place).offset
    assert 0 < offset <= 600_000
    assert again.patch(place, offset, content[offset:]).status == 204
    assert served.read("reset.bin") == content


def test_wrong_offsets_and_too_much_are_refused(served: Served) -> None:
    place = served.place("/offsets.bin", 100)
    for offset in (1, 100):
        reply = served.ann.patch(place, offset, b"" if offset == 100 else b"x")
        assert (reply.status, reply.reason, reply.offset) == (409, "offset", 0)
    assert served.ann.patch(place, 0, b"x" * 60).offset == 60
    assert served.ann.patch(place, 0, b"x" * 40).reason == "offset"
    assert served.ann.patch(place, 60, b"x" * 41).reason == "too-much"
    assert served.ann.head(place).offset == 60
    assert served.ann.create("/offsets2.bin", 3, b"xxxx").reason == "too-much"
    assert served.ann.patch(place, 60, b"y" * 40).status == 204


def test_two_browsers_on_one_upload(served: Served) -> None:
    content = os.urandom(400_000)
    place = served.place("/two.bin", len(content))
    first = served.ann.begin_patch(place, 0, len(content), content[:200_000])
    until(lambda: served.ann.head(place).offset > 0)
    other = served.log_in("ann").patch(place, 0, content)
    assert (other.status, other.reason) == (423, "in-use")
    first.sendall(content[200_000:])
    assert first.recv(100).startswith(b"HTTP/1.1 204")
    first.close()
    assert served.read("two.bin") == content


def test_a_file_of_the_name_is_replaced_only_if_that_was_asked(served: Served) -> None:
    served.ann.create("/there.bin", 3, b"old")
    for body in (None, b"new"):
        reply = served.ann.create("/there.bin", 3, body)
        assert (reply.status, reply.reason) == (409, "exists")
    place = served.place("/there.bin", 6, replaces=True)
    assert served.ann.patch(place, 0, b"new").status == 204
    assert served.read("there.bin") == b"old"
    (served.files / "ann/there.bin").write_bytes(b"another file")  # its bytes are not mixed in
    assert served.ann.head(place).offset == 3
    assert served.ann.patch(place, 3, b"new").status == 204
    assert served.read("there.bin") == b"newnew"


def test_a_name_that_ftp_uploads_anew_is_another_upload(served: Served) -> None:
    place = served.place("/anew.bin", 1000)
    assert served.ann.patch(place, 0, b"x" * 500).offset == 500
    with served.ftp() as client:
        client.storbinary("STOR /anew.bin", io.BytesIO(b"by ftp"))
    assert served.ann.head(place).status == 404
    assert served.ann.patch(place, 500, b"x" * 500).reason == "gone"
    assert served.read("anew.bin") == b"by ftp"


def test_an_upload_can_be_given_up(served: Served) -> None:
    place = served.place("/given-up.bin", 1_000_000)
    connection = served.ann.begin_patch(place, 0, 1_000_000, b"x" * 200_000)
    until(lambda: served.ann.head(place).offset > 0)
    assert served.ann.delete(place).status == 204
    connection.close()
    assert served.ann.head(place).status == 404
    assert list((served.files / "ann").glob("*given-up*")) == []
    assert served.ann.create("/given-up.bin", 2, b"ok").status == 201


def test_rights_quota_and_names_hold(served: Served) -> None:
    reply = served.bob.create("/x.bin", 3, b"abc")
    assert (reply.status, reply.reason) == (403, "denied")
    served.program.line(r"bob@.*/x\.bin.*denied")
    for body in (None, b"x" * 200_000):
        reply = served.low.create("/large.bin", 200_000, body)
        assert (reply.status, reply.reason) == (507, "quota")
    reply = served.low.create("/a.bin", 60_000, b"x" * 60_000)
    assert reply.status == 201
    reply = served.low.create("/b.bin", 60_000, b"x" * 60_000)
    assert (reply.status, reply.reason) == (507, "quota")
    assert "discarded" in reply.body.decode() or "Quota" in reply.body.decode()
    place = str(served.low.create("/a.bin", 60_000, replaces=True).headers["Location"])
    reply = served.low.patch(place, 0, b"y" * 50_000)
    assert (reply.status, reply.reason) == (507, "quota")
    assert "beside the file that it replaces" in reply.body.decode()
    assert served.read("a.bin", "low") == b"x" * 60_000
    assert served.ann.create("/none/x.bin", 3, b"abc").reason == "not-found"
    assert served.ann.create("/a\nb", 3, b"abc").reason == "name"
    assert served.ann.create("/", 3, b"abc").reason in ("exists", "name")
    assert served.ann.create(HOSTILE, 3, b"abc").status == 201
    assert (served.files / "ann" / HOSTILE.lstrip("/")).read_bytes() == b"abc"


def test_an_upload_belongs_to_its_account(served: Served) -> None:
    place = served.place("/mine.bin", 100)
    assert served.low.head(place).status == 404
    assert served.low.patch(place, 0, b"x").status == 404
    assert served.low.delete(place).status == 404
    assert served.ann.head(place).status == 200


def test_requests_of_other_sites_and_other_versions_are_refused(served: Served) -> None:
    headers = served.ann.announcement("/site.bin", 3)
    kind = {"Content-Type": "application/offset+octet-stream"}
    for wrong in ({"Origin": "https://evil.example"}, {"X-CSRF-Token": "x"}, {"Cookie": ""}):
        reply = served.ann.ask("POST", "/api/v1/uploads", b"abc", {**headers, **kind, **wrong})
        assert reply.status in (401, 403)
    version = {**headers, **kind, "Tus-Resumable": "0.2.0"}
    reply = served.ann.ask("POST", "/api/v1/uploads", b"abc", version)
    assert (reply.status, reply.headers["Tus-Version"]) == (412, "1.0.0")
    text = {**headers, "Content-Type": "text/plain"}
    assert served.ann.ask("POST", "/api/v1/uploads", b"abc", text).status == 415
    for name, value in (
        ("Upload-Length", "-1"),
        ("Upload-Length", ""),
        ("Upload-Metadata", "path "),
    ):
        wrong = {**headers, **kind, name: value}
        assert served.ann.ask("POST", "/api/v1/uploads", b"", wrong).status == 400
    reply = served.ann.ask("OPTIONS", "/api/v1/uploads")
    assert (reply.status, reply.headers["Tus-Version"]) == (204, "1.0.0")
    assert served.ann.ask("GET", "/api/v1/uploads").status == 405
    assert not (served.files / "ann/site.bin").exists()


def test_the_rate_limit_of_the_account_holds(served: Served) -> None:
    slow = served.log_in("slow")
    began = time.monotonic()
    assert slow.create("/limited.bin", 700_000, b"x" * 700_000).status == 201
    most_at_once = BURST_SECONDS * (1 << 20)
    assert time.monotonic() - began > (700_000 - most_at_once) / (1 << 20) - 0.01


def test_an_upload_under_way_ends_with_its_session(served: Served) -> None:
    client = served.log_in("ann")
    place = served.place("/ended.bin", 1_000_000)
    connection = client.begin_patch(place, 0, 1_000_000, b"x" * 200_000)
    until(lambda: served.ann.head(place).offset > 0)
    assert client.ask("DELETE", "/login", b"", {"Content-Type": "application/json"}).status == 200
    connection.sendall(b"x" * 800_000)  # a log-out waits for it
    assert connection.recv(100).startswith(b"HTTP/1.1 204")
    connection.close()
    assert (served.files / "ann/ended.bin").stat().st_size == 1_000_000


def test_an_upload_survives_a_restart(tmp_path: Path) -> None:
    service = CommandService(tmp_path)
    service.add()
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    content = os.urandom(1_000_000)
    with service.serve(*words) as program:
        client = BrowserClient(int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1]), "ann", SECRET)
        place = str(client.create("/long.bin", len(content)).headers["Location"])
        connection = client.begin_patch(place, 0, len(content), content[:500_000])
        until(lambda: client.head(place).offset == 500_000)
        program.process.kill()
        program.process.wait(PATIENCE)
        connection.close()
    with service.serve(*words) as program:
        client = BrowserClient(int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1]), "ann", SECRET)
        assert client.head(place).offset == 500_000
        reply = client.patch(place, 500_000, content[500_000:])
        assert (reply.status, reply.headers["Upload-Path"]) == (204, "/long.bin")
        assert (service.files / "long.bin").read_bytes() == content
        assert program.stopped() == 0


def test_an_upload_goes_on_under_the_new_name_of_its_account(served: Served) -> None:
    content = bytes(range(256)) * 400
    served.service.command("add", "old", "--root", "/renamed", "--password-stdin", "--force")
    place = served.log_in("old").create("/f", len(content), content[:50_000]).headers["Location"]
    served.service.command("rename", "old", "new")
    browser = served.log_in("new")
    assert browser.head(place).offset == 50_000
    assert browser.patch(place, 50_000, content[50_000:]).status == 204
    assert served.read("f", "renamed") == content
