"""Python's ``ftplib``: big files, active mode, IPv6, offsets, interruptions and ABOR."""

from __future__ import annotations

import ftplib
from collections.abc import Callable

import pytest

from tests.support.client_programs import ipv6
from tests.support.ftplib_sessions import LOCAL, Login, download, login, upload
from tests.support.raw_client import STRANGER, RunningService, in_thread, reset, started, starting
from tests.support.trees import BIG, content

FIXTURES = (login, started, starting)
HOSTS = [LOCAL, pytest.param("::1", marks=ipv6)]
LISTEN = {LOCAL: "tcp:0:interface=127.0.0.1", "::1": r"tcp6:0:interface=\:\:1"}


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
@pytest.mark.parametrize("host", HOSTS)
@in_thread
def test_a_big_file_both_ways(
    server: Callable[..., RunningService], login: Login, host: str, passive: bool
) -> None:
    served, data = server("--listen", LISTEN[host]), content(BIG)
    ftp = login(served, host)
    ftp.set_pasv(passive)
    upload(ftp, "big", data)
    assert (served.root / "big").read_bytes() == data
    assert ftp.size("big") == BIG
    assert download(ftp, "big") == data
    assert ftp.nlst() == ["big"]


@in_thread
def test_a_client_with_an_address_of_its_own(served: RunningService, login: Login) -> None:
    ftp = login(served, source_address=(STRANGER, 0))
    for passive in (True, False):
        ftp.set_pasv(passive)
        upload(ftp, "file", content(100_000))
        assert download(ftp, "file") == content(100_000)


@in_thread
def test_transfers_at_a_position(served: RunningService, login: Login) -> None:
    data = content(300_000)
    (served.root / "file").write_bytes(data)
    ftp = login(served)
    assert download(ftp, "file", rest=0) == data
    assert download(ftp, "file", rest=123_456) == data[123_456:]
    assert download(ftp, "file", rest=len(data)) == b""
    assert download(ftp, "file") == data
    upload(ftp, "file", b"new end", rest=100_000)
    assert (served.root / "file").read_bytes() == data[:100_000] + b"new end"


@in_thread
def test_an_upload_is_resumed_after_cuts(served: RunningService, login: Login) -> None:
    data, arrived = content(BIG), 0
    for end in (BIG // 3, BIG // 2):
        ftp = login(served)
        ftp.voidcmd("TYPE I")
        with ftp.transfercmd("STOR file", rest=arrived or None) as connection:
            connection.sendall(data[arrived:end])
            reset(connection)
        with pytest.raises(ftplib.error_temp, match=r"^426"):
            ftp.voidresp()
        assert not (served.root / "file").exists()
        size = ftp.size("file")
        assert size is not None and arrived < size <= end
        arrived = size
        assert ftp.sock is not None
        reset(ftp.sock)
    ftp = login(served)
    upload(ftp, "file", data[arrived:], rest=arrived)
    assert (served.root / "file").read_bytes() == data
    assert ftp.nlst() == ["file"]


@in_thread
def test_a_download_is_resumed_after_a_cut(served: RunningService, login: Login) -> None:
    data = content(BIG)
    parts: list[bytes] = []
    (served.root / "file").write_bytes(data)
    ftp = login(served)
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("RETR file") as connection:
        while sum(len(part) for part in parts) < BIG // 2:
            parts.append(connection.recv(1 << 20))
        reset(connection)
    with pytest.raises(ftplib.error_temp, match=r"^426"):
        ftp.voidresp()
    received = b"".join(parts)
    assert received + download(ftp, "file", rest=len(received)) == data


@in_thread
def test_abort_ends_a_stalled_download(served: RunningService, login: Login) -> None:
    (served.root / "file").write_bytes(content(BIG))
    ftp = login(served)
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("RETR file") as connection:
        assert connection.recv(1000)
        assert ftp.abort().startswith("426")
        assert ftp.voidresp().startswith("226")
    assert ftp.pwd() == "/"
    assert download(ftp, "file") == content(BIG)


@in_thread
def test_abort_of_an_upload_leaves_the_old_file(served: RunningService, login: Login) -> None:
    (served.root / "file").write_bytes(b"old")
    ftp = login(served)
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("STOR file") as connection:
        connection.sendall(b"new")
        assert ftp.abort().startswith("426")
        assert ftp.voidresp().startswith("226")
    assert download(ftp, "file") == b"old"
    upload(ftp, "file", b"newer")
    assert download(ftp, "file") == b"newer"


@in_thread
def test_abort_of_nothing(served: RunningService, login: Login) -> None:
    ftp = login(served)
    assert ftp.abort()[:3] in {"225", "226"}
    assert ftp.pwd() == "/"


@in_thread
def test_an_expected_size_comes_with_the_connection(served: RunningService, login: Login) -> None:
    (served.root / "file").write_bytes(content(12_345))
    ftp = login(served)
    ftp.voidcmd("TYPE I")
    connection, size = ftp.ntransfercmd("RETR file")
    with connection:
        assert size in {12_345, None}
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    assert received == content(12_345)
    assert ftp.voidresp().startswith("226")


@in_thread
def test_the_session_works_after_refused_transfers(served: RunningService, login: Login) -> None:
    ftp = login(served)
    for passive in (True, False):
        ftp.set_pasv(passive)
        for _ in range(20):
            with pytest.raises(ftplib.error_perm, match=r"^550"):
                download(ftp, "none")
            with pytest.raises(ftplib.error_perm, match=r"^550"):
                upload(ftp, "none/file", b"x")
    upload(ftp, "empty", b"")
    assert download(ftp, "empty") == b""
