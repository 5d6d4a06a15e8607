"""Downloads: whole files, ranges, conditions, views and archives."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.events import Outcome, TransferEnded, TransferStarted
from ftpservice.storage.errors import Unavailable
from ftpservice.web.files import content_routes
from tests.support.page_in_memory import PageInMemory

GONE = Failure(ConnectionDone())
CONTENT = bytes(range(256)) * 4096
"""1 MiB: several chunks."""


def transfers(page: PageInMemory) -> list[tuple[str, Outcome, int]]:
    return [(one.path, one.outcome, one.size) for one in page.of_kind(TransferEnded)]


def test_a_file_is_sent_as_an_attachment_with_events(page: PageInMemory) -> None:
    page.write("/d/a.html", CONTENT)
    answer = page.get("content", path="/d/a.html")
    assert (answer.status, answer.body == CONTENT) == (200, True)
    assert answer.headers["content-disposition"].startswith('attachment; filename="a.html"')
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    (started,) = page.of_kind(TransferStarted)
    (ended,) = page.of_kind(TransferEnded)
    assert (started.path, started.upload, started.size) == ("/d/a.html", False, len(CONTENT))
    assert (started.user, started.info.protocol, started.transfer) == ("ann", "http", 1)
    assert (ended.outcome, ended.size, ended.transfer) == (Outcome.COMPLETE, len(CONTENT), 1)
    (session,) = page.factory.sessions.values()
    assert session.context.running is None


def test_an_empty_file_is_sent(page: PageInMemory) -> None:
    page.write("/a")
    answer = page.get("content", path="/a")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")
    assert transfers(page) == [("/a", Outcome.COMPLETE, 0)]


def test_head_sends_no_content_and_is_no_transfer(page: PageInMemory) -> None:
    page.write("/a", b"abc")
    channel, transport = page.memory.connect()
    headers = "\r\n".join(["HEAD /api/v1/files/content?path=/a HTTP/1.1", *page.headers])
    channel.dataReceived(f"{headers}\r\nHost: 127.0.0.1:8021\r\n\r\n".encode())
    page.memory.pump()
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert (b"Content-Length: 3" in head, body) == (True, b"")
    assert transfers(page) == []
    channel.connectionLost(GONE)


def test_a_range_is_sent_as_a_part(page: PageInMemory) -> None:
    page.write("/a", CONTENT)
    answer = page.get("content", "Range: bytes=300000-699999", path="/a")
    assert (answer.status, answer.body == CONTENT[300_000:700_000]) == (206, True)
    assert answer.headers["content-range"] == f"bytes 300000-699999/{len(CONTENT)}"
    assert transfers(page) == [("/a", Outcome.COMPLETE, 400_000)]
    several = page.get("content", "Range: bytes=0-1,4-5", path="/a")
    assert (several.status, several.body == CONTENT) == (200, True)


def test_a_range_outside_the_file_is_416_with_its_size(page: PageInMemory) -> None:
    page.write("/a", b"abc")
    answer = page.get("content", "Range: bytes=3-", path="/a")
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */3")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "content-disposition" not in answer.headers
    assert transfers(page) == []


def test_a_browser_that_has_the_file_gets_304(page: PageInMemory) -> None:
    page.write("/a", b"abc")
    tag = page.get("content", path="/a").headers["etag"]
    answer = page.get("content", f"If-None-Match: {tag}", path="/a")
    assert (answer.status, answer.body) == (304, b"")
    page.write("/a", b"abcd")
    assert page.get("content", f"If-None-Match: {tag}", path="/a").status == 200
    assert page.get("content", 'If-Match: "other"', path="/a").status == 412
    stale = page.get("content", "Range: bytes=1-2", 'If-Range: "other"', path="/a")
    assert (stale.status, stale.body) == (200, b"abcd")


def test_pictures_text_and_pdf_are_shown_without_scripts(page: PageInMemory) -> None:
    hostile = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for name, kind in (("a.svg", "image/svg+xml"), ("a.html", "text/plain; charset=utf-8")):
        page.write(f"/{name}", hostile)
        answer = page.get("content", path=f"/{name}", view="1")
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"].startswith("inline")
        policy = answer.headers["content-security-policy"]
        assert "sandbox; default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.body == hostile
    page.write("/a.exe")
    assert page.get("content", path="/a.exe", view="1").status == 415


@pytest.mark.parametrize(("path", "status"), [("/none", 404), ("/d", 409), ("", 400)])
def test_what_is_no_file_is_a_problem(page: PageInMemory, path: str, status: int) -> None:
    page.write("/d/a")
    assert page.get("content", path=path).status == status


def test_an_error_midway_breaks_the_connection(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write("/a", CONTENT)
    page.write("/b", CONTENT)
    opened = page.realm.storage.open_reading

    async def open_reading(path: Any) -> Any:
        return BreakingFile(await opened(path), path)

    monkeypatch.setattr(page.realm.storage, "open_reading", open_reading)
    page.log_in()
    for word in ("content?path=/a", "zip?path=/a&path=/b"):
        channel, transport = page.memory.connect()
        line = f"GET /api/v1/files/{word} HTTP/1.1"
        asked = "\r\n".join([line, *page.headers, "Host: 127.0.0.1:8021", "", ""])
        channel.dataReceived(asked.encode())
        page.memory.pump()
        assert transport.value().startswith(b"HTTP/1.1 200 OK")
        assert len(transport.value()) < len(CONTENT)
        assert transport.disconnecting
        assert transport.disconnected
        channel.connectionLost(GONE)
        assert transfers(page)[-1][:2] == ("/a", Outcome.REFUSED)


class BreakingFile:
    """A file whose second half cannot be read."""

    def __init__(self, inner: Any, path: Any) -> None:
        self._inner, self._path, self.entry = inner, path, inner.entry

    async def read(self, offset: int, size: int) -> bytes:
        if offset >= len(CONTENT) // 2:
            raise Unavailable(self._path)
        found: bytes = await self._inner.read(offset, size)
        return found

    def close(self) -> None:
        self._inner.close()


def test_a_client_that_goes_or_a_login_that_is_ended_stops_the_download(
    page: PageInMemory,
) -> None:
    page.write("/a", CONTENT)
    (session,) = page.factory.sessions.values()
    for end in ("client", "stall", "login"):
        channel, transport = page.memory.connect()
        asked = ["GET /api/v1/files/content?path=/a HTTP/1.1", *page.headers]
        asked += ["Host: 127.0.0.1:8021", "", ""]
        transport.room = 1000
        channel.dataReceived("\r\n".join(asked).encode())
        assert session.context.moved > 0
        assert session.is_working
        if end == "client":
            channel.connectionLost(GONE)
        else:
            if end == "stall":
                stall = page.factory.services().settings.data.stall_timeout
                page.clock.pump([stall / 4] * 5)
            else:
                session.disconnect("kicked")
            assert transport.disconnected
            channel.connectionLost(GONE)
        assert not session.is_working
        path, outcome, size = transfers(page)[-1]
        assert (path, outcome) == ("/a", Outcome.ABORTED)
        assert 0 < size < len(CONTENT)
    assert page.factory.sessions == {}
    assert type(page.events[-1]).__name__ == "SessionClosed"


def test_the_transfers_of_a_login_are_bounded(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write("/a", b"abc")
    monkeypatch.setattr(content_routes, "MAX_DOWNLOADS", 0)
    assert page.get("content", path="/a").status == 429
    assert page.get("zip", path="/a").status == 429


def test_the_archives_of_an_account_are_bounded_over_all_its_logins(page: PageInMemory) -> None:
    page.write("/d/a", b"x" * 1000)
    waiting = []
    for _ in range(content_routes.MAX_ARCHIVES):
        channel, transport = page.memory.connect()
        transport.room = 100
        lines = ["GET /api/v1/files/zip?path=/d HTTP/1.1", "Host: 127.0.0.1:8021", *page.headers]
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode())
        page.memory.pump()
        waiting.append(channel)
    page.log_in()
    assert page.get("zip", path="/d").status == 429
    assert page.get("content", path="/d/a").status == 200
    for channel in waiting:
        channel.connectionLost(Failure(ConnectionDone()))
    assert page.get("zip", path="/d").status == 200


def test_folders_are_sent_as_an_archive_of_known_size(page: PageInMemory) -> None:
    page.write("/d/a.txt", CONTENT)
    page.write("/d/e/b", b"2")
    page.write("/c.txt", b"3")
    answer = page.ask("GET", "/api/v1/files/zip?path=/d&path=/c.txt")
    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="files.zip"' in answer.headers["content-disposition"]
    with ZipFile(BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {"d/": b"", "d/a.txt": CONTENT, "d/e/": b"", "d/e/b": b"2", "c.txt": b"3"}
    assert sorted(transfers(page)) == [
        ("/c.txt", Outcome.COMPLETE, 1),
        ("/d/a.txt", Outcome.COMPLETE, len(CONTENT)),
        ("/d/e/b", Outcome.COMPLETE, 1),
    ]
    one = page.get("zip", path="/d").headers["content-disposition"]
    assert 'filename="d.zip"' in one


def test_an_archive_of_nothing_or_of_too_much_is_refused(page: PageInMemory) -> None:
    assert page.ask("GET", "/api/v1/files/zip").status == 400
    assert page.get("zip", path="/none").status == 404
    many = "&".join(["path=/"] * 1001)
    assert page.ask("GET", f"/api/v1/files/zip?{many}").status == 400
