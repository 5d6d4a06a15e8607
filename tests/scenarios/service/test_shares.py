"""Share links of a whole service, opened without a login, by a program and by a browser."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import pytest

from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import PATIENCE, Program
from tests.support.tus_client import BrowserClient, Reply

HOSTILE = "<img src=x onerror=alert(1)>\"'\u202e%00.txt"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


class Served:
    """A service with the account ``ann``, who shares files."""

    def __init__(self, service: CommandService, program: Program) -> None:
        self.service, self.program = service, program
        self.port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self.log_in()
        files = service.files
        (files / "d/sub").mkdir(parents=True)
        (files / "d/a.bin").write_bytes(bytes(range(256)) * 100)
        (files / "d" / HOSTILE).write_bytes(b"hostile")
        (files / "d/sub/deep.txt").write_text("deep")
        (files / "secret.txt").write_text("secret")
        (files / "d/out").symlink_to("../secret.txt")
        (files / "d/up").symlink_to("..")

    def log_in(self) -> None:
        self.ann = BrowserClient(self.port, "ann", SECRET)

    def api(self, method: str, below: str, **members: object) -> Reply:
        kind = {"Content-Type": "application/json"}
        body = json.dumps(members).encode() if members else b""
        reply = self.ann.ask(method, f"/api/v1/shares{below}", body, kind)
        if reply.status == 401:  # the login was just after a change of the account
            self.log_in()
            reply = self.ann.ask(method, f"/api/v1/shares{below}", body, kind)
        return reply

    def share(self, path: str, **more: object) -> tuple[str, str]:
        reply = self.api("POST", "", path=path, expires=3600, **more)
        assert reply.status == 200, reply.body
        made = json.loads(reply.body)
        return str(made["url"]), str(made["id"])

    def get(
        self, url: str, headers: dict[str, str] | None = None, method: str = "GET", body: str = ""
    ) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, PATIENCE)
        try:
            connection.request(method, url, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = CommandService(tmp_path_factory.mktemp("shares"))
    service.add()
    service.files.mkdir(parents=True)
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db", "--log=all"]
    with service.serve(*words, "--data-dir=var") as program:
        yield Served(service, program)
        assert program.stopped() == 0


def test_a_file_is_downloaded_by_a_program_whole_and_in_part(served: Served) -> None:
    url, id = served.share("/d/a.bin")
    content = (served.service.files / "d/a.bin").read_bytes()
    assert served.get(url).body == content
    part = served.get(url, {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])
    head = served.get(url, method="HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(content)))
    assert "a.bin" in head.headers["Content-Disposition"]
    served.program.line(rf"share download {id}.*/d/a\.bin")
    served.program.line(r"ann@127.* downloaded /d/a\.bin: complete")


def test_a_browser_gets_a_page_that_runs_nothing(served: Served) -> None:
    url, _id = served.share("/d")
    page = served.get(url, BROWSER)
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = page.body.decode()
    assert "<img" not in text
    assert "&lt;img" in text
    links = [urllib.parse.unquote(one) for one in re.findall(r'href="([^"]+)\?download=1"', text)]
    assert f"{url}/{HOSTILE}" in [link.replace("&amp;", "&") for link in links]
    one = served.get(f"{url}/{urllib.parse.quote(HOSTILE, safe='')}?download=1", BROWSER)
    assert one.body == b"hostile"
    assert served.get(f"{url}/sub/", BROWSER).body.count(b"deep.txt") == 2
    assert served.get(f"{url}/sub/deep.txt").body == b"deep"
    assert served.get(url).body.decode().splitlines()[0] == "sub/"
    assert b"Download" in served.get(f"{url}/a.bin", BROWSER).body
    assert served.get("/assets/share.css").status == 200


@pytest.mark.parametrize(
    "below",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "sub/..%2f..%2fsecret.txt",
        "out",
        "up/secret.txt",
        "up",
        "a.bin/x",
        "none",
        "%00",
        "a%0Ab",
    ],
)
def test_nothing_but_the_folder_is_shared(served: Served, below: str) -> None:
    url, _id = served.share("/d")
    assert served.get(f"{url}/{below}").status == 404
    assert b"secret" not in served.get(url).body


def test_a_password_is_needed_by_programs_and_browsers(served: Served) -> None:
    url, _id = served.share("/d/a.bin", password="open sesame")
    assert served.get(url).headers["WWW-Authenticate"].startswith("Basic")
    basic = "Basic " + base64.b64encode(b"any:open sesame").decode()
    assert served.get(url, {"Authorization": basic}).status == 200
    page = served.get(url, BROWSER)
    assert (page.status, b'type="password"' in page.body) == (401, True)
    form = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
    right = served.get(url, form, "POST", "password=open+sesame")
    assert (right.status, right.headers["Location"]) == (303, url)
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert f"Path={url}" in cookie
    given = {"Cookie": cookie.partition(";")[0]}
    assert served.get(url, given).status == 200
    other, _id = served.share("/d/a.bin", password="other")
    assert served.get(other, given).status == 401
    wrong = served.get(url, form, "POST", "password=x")
    assert (wrong.status, b"wrong" in wrong.body) == (401, True)
    served.program.line(r"ann@127.*wrong password.*share link")


def test_a_removed_link_is_as_one_that_never_was(served: Served) -> None:
    url, id = served.share("/d/a.bin")
    (listed,) = [one for one in json.loads(served.api("GET", "").body) if one["id"] == id]
    assert (listed["path"], listed["password"], "url" in listed) == ("/d/a.bin", False, False)
    assert url.rpartition("/")[2] not in (served.service.place / "var/shares.json").read_text()
    assert served.api("DELETE", f"/{id}").status == 200
    gone, unknown = served.get(url), served.get("/s/unknown")
    assert (gone.status, gone.body) == (unknown.status, unknown.body)
    assert served.api("DELETE", f"/{id}").status == 404
    gone_file, _id = served.share("/d/sub/deep.txt")
    (served.service.files / "d/sub/deep.txt").rename(served.service.files / "d/sub/other")
    assert served.get(gone_file).body == unknown.body
    (served.service.files / "d/sub/other").rename(served.service.files / "d/sub/deep.txt")


def test_bad_links_are_not_made(served: Served) -> None:
    for members in (
        {"path": "/none", "expires": 3600},
        {"path": "d", "expires": 3600},
        {"path": "/d", "expires": 1},
        {"path": "/d", "expires": 10**12},
        {"path": "/d"},
        {"path": "/d", "expires": 3600, "password": "x" * 2000},
    ):
        assert served.api("POST", "", **members).status in (400, 404)
    assert served.get("/s/").status == served.get("/s").status == 404


def begin_download(served: Served, url: str) -> HTTPConnection:
    """Begin a download, and read nothing of it."""
    connection = HTTPConnection("127.0.0.1", served.port, PATIENCE)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sock.sendall(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert connection.sock.recv(12) == b"HTTP/1.1 200"
    return connection


@pytest.mark.parametrize("how", ["removed", "locked", "late"])
def test_a_running_download_is_cut_with_its_link_or_account(served: Served, how: str) -> None:
    large = served.service.files / f"d/{how}"
    with large.open("wb") as file:
        file.truncate(1 << 30)
    (kept, _id), (url, id) = served.share("/d/a.bin"), served.share(f"/d/{how}")
    connection = begin_download(served, url)
    try:
        if how == "locked":
            served.service.command("lock", "ann")
        elif how == "late":
            other_day = datetime.now(UTC) + timedelta(days=3)
            served.service.command("set", "ann", "--hours", f"{other_day:%a} 00:00-01:00 UTC")
        else:
            assert served.api("DELETE", f"/{id}").status == 200
        served.program.line(rf"ann@127.* download.* /d/{how}: aborted")
    finally:
        connection.close()
        large.unlink()
        if how == "locked":
            served.service.command("unlock", "ann")
        elif how == "late":
            assert served.get(kept).status == 404
            served.service.command("set", "ann", "--hours", "none")
    served.log_in()
    assert served.get(kept).status == 200


def test_a_link_acts_with_the_rights_that_its_account_has_now(served: Served) -> None:
    """The last test: it locks the account."""
    url, _id = served.share("/d/a.bin")
    assert served.get(url).status == 200
    served.service.command("lock", "ann")
    deadline = time.monotonic() + PATIENCE
    while served.get(url).status != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    served.service.command("unlock", "ann")
