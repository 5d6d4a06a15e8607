"""Python's ``ftplib.FTP_TLS`` and aioftp with TLS."""

from __future__ import annotations

import asyncio
import ftplib
import io
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.raw_client import LOCAL, RunningService, in_thread, started, starting
from tests.support.tls_client import BOTH, client_context
from tests.support.trees import BIG, assert_same, content, files, make_files, make_tree, small_files

aioftp = pytest.importorskip(
    "aioftp", reason="aioftp is not installed: it comes with the extra 'test'"
)
FIXTURES = (started, starting)
IMPLICIT = ("--implicit", f"tcp:0:interface={LOCAL}")
PATIENCE = 30
Login = Callable[..., ftplib.FTP_TLS]
versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


class Implicit(ftplib.FTP_TLS):
    """A session with implicit TLS."""

    def connect(self, host: str = "", port: int = 0, *_more: object, **_most: object) -> str:
        """Connect and do the handshake."""
        plain = socket.create_connection((host, port), PATIENCE)
        self.sock = self.context.wrap_socket(plain)
        self.af, self.host = plain.family, host
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        self._prot_p = True
        return self.welcome


@pytest.fixture
def login(server: Callable[..., RunningService]) -> Iterator[Login]:
    """Open sessions with TLS: ``login(served, version)``; closed after the test."""
    opened: list[ftplib.FTP_TLS] = []

    def enter(
        served: RunningService, version: ssl.TLSVersion, kind: type[ftplib.FTP_TLS] = ftplib.FTP_TLS
    ) -> ftplib.FTP_TLS:
        ftp = kind(context=client_context(version), timeout=PATIENCE)
        opened.append(ftp)
        ftp.connect(LOCAL, served.ports[-1])
        assert ftp.login("demo", "demo").startswith("230")
        return ftp

    yield enter
    for ftp in opened:
        ftp.close()


def there_and_back(ftp: ftplib.FTP_TLS, name: str, data: bytes) -> None:
    assert ftp.storbinary(f"STOR {name}", io.BytesIO(data)).startswith("226")
    received = bytearray()
    assert ftp.retrbinary(f"RETR {name}", received.extend).startswith("226")
    assert received == data


@versions
@in_thread
def test_ftplib_explicit(served: RunningService, login: Login, version: ssl.TLSVersion) -> None:
    ftp = login(served, version)
    assert isinstance(ftp.sock, ssl.SSLSocket)
    assert ftp.prot_p().startswith("200")
    there_and_back(ftp, "big", content(BIG))
    assert ftp.nlst() == ["big"]
    ftp.mkd("empty")
    assert ftp.nlst("empty") == []
    assert list(ftp.mlsd("empty")) == []
    assert ftp.prot_c().startswith("200")
    there_and_back(ftp, "clear", content(100_000))
    assert ftp.quit().startswith("221")


@versions
@in_thread
def test_ftplib_implicit(
    server: Callable[..., RunningService], login: Login, version: ssl.TLSVersion
) -> None:
    ftp = login(server(*IMPLICIT), version, Implicit)
    there_and_back(ftp, "file", content(3_000_000))
    assert ftp.prot_p().startswith("200")
    there_and_back(ftp, "file", content(3_000_001))
    assert ftp.quit().startswith("221")


@versions
@in_thread
def test_ftplib_active(served: RunningService, login: Login, version: ssl.TLSVersion) -> None:
    ftp = login(served, version)
    ftp.prot_p()
    ftp.set_pasv(False)
    there_and_back(ftp, "file", content(3_000_000))
    assert ftp.nlst() == ["file"]


@versions
@in_thread
def test_ftplib_small_files(
    served: RunningService, login: Login, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    here = small_files(tmp_path / "here", 200)
    ftp = login(served, version)
    ftp.prot_p()
    for path in files(here):
        there_and_back(ftp, str(path), (here / path).read_bytes())
    assert_same(here, served.root)


@versions
@in_thread
def test_ftplib_ccc(
    server: Callable[..., RunningService], login: Login, version: ssl.TLSVersion
) -> None:
    ftp = login(server("--allow-ccc"), version)
    ftp.prot_p()
    assert ftp.ccc().startswith("200")
    assert isinstance(ftp.sock, ssl.SSLSocket)
    assert ftp.sock.version() is None
    assert ftp.pwd() == "/"
    there_and_back(ftp, "file", content(1_000_000))
    assert ftp.quit().startswith("221")


@in_thread
def test_ftplib_text_and_abort(served: RunningService, login: Login) -> None:
    ftp = login(served, ssl.TLSVersion.TLSv1_3)
    ftp.prot_p()
    lines = [f"line {number}" for number in range(20_000)]
    text = "".join(f"{line}\n" for line in lines).encode()
    assert ftp.storlines("STOR text", io.BytesIO(text)).startswith("226")
    received: list[str] = []
    assert ftp.retrlines("RETR text", received.append).startswith("226")
    assert received == lines
    (served.root / "big").write_bytes(content(BIG))
    with ftp.transfercmd("RETR big") as data:
        assert data.recv(1000)
        assert ftp.abort().startswith(("426", "225", "226"))
    with suppress(ftplib.Error):
        ftp.getresp()
    there_and_back(ftp, "after", b"x" * 1000)


async def tree_with_aioftp(served: RunningService, here: Path, back: Path, implicit: bool) -> None:
    context = client_context()
    client = aioftp.Client(socket_timeout=PATIENCE, ssl=context if implicit else None)
    try:
        await client.connect(LOCAL, served.ports[-1])
        if not implicit:
            await client.upgrade_to_tls(context)
        await client.login("demo", "demo")
        await client.upload(here)
        await client.download(here.name, back, write_into=True)
        await client.quit()
    finally:
        client.close()
        await asyncio.wait_for(all_closed(), PATIENCE)


async def all_closed() -> None:
    """Wait for close_notify, which aioftp leaves to the event loop."""
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    while len(selector.get_map()) > 1:  # the loop's own is one
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@in_thread
def test_aioftp_trees(
    server: Callable[..., RunningService], tmp_path: Path, implicit: bool
) -> None:
    served = server(*IMPLICIT) if implicit else server()
    here, back = make_tree(tmp_path / "here"), tmp_path / "back"
    make_files(here, {"big": BIG})
    asyncio.run(tree_with_aioftp(served, here, back, implicit))
    assert_same(here, served.root / "here")
    assert_same(here, back)
