"""Python's ``ftplib``: every method, active and passive, over IPv4 and IPv6."""

from __future__ import annotations

import ftplib
import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftpservice.events import Outcome, SessionOpened, TransferEnded
from tests.interop.cutting import Network
from tests.interop.programs import ipv6
from tests.interop.raw import in_thread, rst
from tests.interop.sites import ACCOUNTS, ODD_USER, Site, named
from tests.interop.trees import BIG, MTIME, ODD_NAMES, content, fingerprint, odd_tree, small_files

Login = Callable[..., ftplib.FTP]
CUT = 24 << 20


@pytest.fixture
def login(site: Site) -> Iterator[Login]:
    """Open sessions: ``login(user="demo", host=..., port=...)``; they are closed at the end."""
    opened: list[ftplib.FTP] = []

    def enter(user: str = "demo", host: str = site.host, **more: Any) -> ftplib.FTP:
        port = more.pop("port", None)
        ftp = ftplib.FTP(timeout=20, **more)
        opened.append(ftp)
        ftp.connect(host, port or (site.port6 if ":" in host else site.port))
        ftp.login(user, ACCOUNTS[user][0])
        return ftp

    yield enter
    for ftp in opened:
        ftp.close()


def download(ftp: ftplib.FTP, name: str, rest: int | None = None) -> bytes:
    """Return a file."""
    parts: list[bytes] = []
    assert ftp.retrbinary(f"RETR {name}", parts.append, rest=rest).startswith("226")
    return b"".join(parts)


def upload(ftp: ftplib.FTP, name: str, data: bytes, rest: int | None = None) -> None:
    """Store a file."""
    assert ftp.storbinary(f"STOR {name}", io.BytesIO(data), rest=rest).startswith("226")


@in_thread
def test_login_welcome_account_and_quit(site: Site, login: Login) -> None:
    ftp = login(ODD_USER)
    assert ftp.getwelcome().startswith("220 ")
    assert ftp.pwd() == "/"
    assert ftp.sendcmd("NOOP").startswith("200")
    assert ftp.voidcmd("TYPE I").startswith("200")
    assert ftp.quit().startswith("221")
    assert ftp.sock is None


@in_thread
def test_wrong_password_unknown_user_and_anonymous(site: Site) -> None:
    (site.root / "notice").write_bytes(b"for all")
    with ftplib.FTP(timeout=20) as ftp:
        ftp.connect(site.host, site.port)
        for user, password in (("demo", "wrong"), ("nobody", "demo")):
            with pytest.raises(ftplib.error_perm, match="^530"):
                ftp.login(user, password)
        with pytest.raises(ftplib.error_perm, match="^530"):
            ftp.nlst()
        assert ftp.login().startswith("230")
        assert download(ftp, "notice") == b"for all"
        with pytest.raises(ftplib.error_perm, match="^550"):
            upload(ftp, "x", b"x")
    assert fingerprint(site.root).keys() == {"notice"}


@in_thread
def test_directories(site: Site, login: Login) -> None:
    ftp = login()
    names = ["plain", 'with "quotes"', '"', "with space", "\u65e5\u672c", "-dash", "100%", " edge "]
    for name in names:
        assert ftp.mkd(name) == f"/{name}"
        assert ftp.cwd(name).startswith("250")
        assert ftp.pwd() == f"/{name}"
        assert ftp.cwd("..").startswith("250")
    assert sorted(path.name for path in site.root.iterdir()) == sorted(names)
    with pytest.raises(ftplib.error_perm, match="^550"):
        ftp.mkd("plain")
    for name in names:
        assert ftp.rmd(name).startswith("250")
    assert list(site.root.iterdir()) == []
    for command in (ftp.cwd, ftp.rmd, ftp.delete, ftp.size):
        with pytest.raises(ftplib.error_perm, match="^550"):
            command("none")


@in_thread
@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=ipv6)])
def test_a_big_file_both_ways(site: Site, login: Login, host: str, passive: bool) -> None:
    data = content(BIG)
    ftp = login(host=host)
    ftp.set_pasv(passive)
    upload(ftp, "big.bin", data)
    assert (site.root / "big.bin").read_bytes() == data
    assert ftp.size("big.bin") == BIG
    assert download(ftp, "big.bin") == data
    assert sorted(ftp.nlst()) == ["big.bin"]


@in_thread
def test_odd_names_both_ways(site: Site, login: Login) -> None:
    ftp = login()
    for size, name in enumerate(ODD_NAMES):
        upload(ftp, name, content(size, name))
    assert {path.name for path in site.root.iterdir()} == set(ODD_NAMES)
    assert set(ftp.nlst()) == set(ODD_NAMES)
    assert {name for name, _ in ftp.mlsd()} == set(ODD_NAMES)
    for size, name in enumerate(ODD_NAMES):
        assert download(ftp, name) == content(size, name)
        assert ftp.size(name) == size
        ftp.rename(name, "elsewhere")
        ftp.rename("elsewhere", name)
        assert ftp.delete(name).startswith("250")
    assert list(site.root.iterdir()) == []


@in_thread
def test_names_that_are_not_utf_8_come_back_as_they_went(site: Site, login: Login) -> None:
    ftp = login(encoding="latin-1")
    upload(ftp, "caf\u00e9", b"x")
    assert [path.name for path in site.root.iterdir()] == ["caf\udce9"]
    assert ftp.nlst() == ["caf\u00e9"]
    assert [name for name, _ in ftp.mlsd()] == ["caf\u00e9"]
    assert download(ftp, "caf\u00e9") == b"x"


@in_thread
def test_listings_tell_sizes_times_and_kinds(site: Site, login: Login) -> None:
    odd_tree(site.root / "in here", without=["...", "--"])
    (site.root / "in here" / "below").mkdir()
    (site.root / "file").write_bytes(b"four")
    ftp = login()
    upload(ftp, "in here/dated", b"x")
    assert ftp.sendcmd("MFMT 20200102030405 in here/dated").startswith("213")
    assert ftp.voidcmd("MDTM in here/dated") == "213 20200102030405"
    assert (site.root / "in here" / "dated").stat().st_mtime == MTIME
    facts = dict(ftp.mlsd("in here", facts=["type", "size", "modify"]))
    for path in (site.root / "in here").iterdir():
        if path.is_file():
            assert facts[path.name]["size"] == str(path.stat().st_size)
            assert facts[path.name]["type"] == "file"
    assert facts["below"]["type"] == "dir"
    assert facts["dated"]["modify"] == "20200102030405"
    assert facts["dated"].keys() == {"type", "size", "modify"}
    lines: list[str] = []
    ftp.dir("in here", lines.append)
    assert {len(line.split(None, 8)) for line in lines} == {9}
    assert any(line.startswith("d") and line.endswith(" below") for line in lines)
    assert any(line.endswith(" Jan  2  2020 dated") for line in lines)
    assert ftp.nlst("file") == ["file"]
    assert ftp.nlst("in here/da*") == ["in here/dated"]


@in_thread
def test_mlsd_facts_are_limited_to_those_asked_for(site: Site, login: Login) -> None:
    (site.root / "file").write_bytes(b"four")
    assert list(login().mlsd(facts=["size"])) == [("file", {"size": "4"})]


@in_thread
def test_rename_replaces_and_a_refused_one_changes_nothing(site: Site, login: Login) -> None:
    ftp = login()
    upload(ftp, "old", b"old")
    upload(ftp, "new", b"new")
    assert ftp.rename("new", "old").startswith("250")
    assert download(ftp, "old") == b"new"
    with pytest.raises(ftplib.error_perm, match="^550"):
        ftp.rename("none", "old")
    assert fingerprint(site.root).keys() == {"old"}


@in_thread
def test_text_both_ways(site: Site, login: Login) -> None:
    ftp = login()
    lines = ["first", "", "\u00fcml\u00e4ut", "x" * 5000, "last"]
    data = "".join(f"{line}\n" for line in lines).encode()
    assert ftp.storlines("STOR text", io.BytesIO(data)).startswith("226")
    assert (site.root / "text").read_bytes() == data
    received: list[str] = []
    assert ftp.retrlines("RETR text", received.append).startswith("226")
    assert received == lines


@in_thread
def test_append_and_unique_names(site: Site, login: Login) -> None:
    ftp = login()
    ftp.storbinary("APPE log", io.BytesIO(b"one\n"))
    ftp.storbinary("APPE log", io.BytesIO(b"two\n"))
    assert (site.root / "log").read_bytes() == b"one\ntwo\n"
    for _ in range(3):
        ftp.storbinary("STOU", io.BytesIO(b"unique"))
    found = fingerprint(site.root)
    assert len(found) == 4
    assert [found[name] for name in found if name != "log"] == [found[max(found.keys() - {"log"})]] * 3


@in_thread
def test_a_thousand_small_files_over_one_connection(site: Site, login: Login) -> None:
    names = small_files(site.work)
    ftp = login()
    for name in names:
        with (site.work / name).open("rb") as source:
            ftp.storbinary(f"STOR {name}", source)
    assert fingerprint(site.root) == fingerprint(site.work)
    assert sorted(ftp.nlst()) == names
    assert all(download(ftp, name) == (site.work / name).read_bytes() for name in names)
    assert len(site.of(SessionOpened)) == 1


@in_thread
def test_rights(site: Site, login: Login) -> None:
    (site.root / "file").write_bytes(b"here")
    ftp = login("reader")
    assert download(ftp, "file") == b"here"
    upload_ = io.BytesIO(b"no")
    for refused in (
        lambda: ftp.storbinary("STOR file", upload_),
        lambda: ftp.storbinary("APPE file", upload_),
        lambda: ftp.delete("file"),
        lambda: ftp.rename("file", "other"),
        lambda: ftp.mkd("new"),
        lambda: ftp.rmd("inbox"),
    ):
        with pytest.raises(ftplib.error_perm, match="^550"):
            refused()
    box = login("inbox")
    upload(box, "letter", b"dear")
    for refused in (box.nlst, lambda: download(box, "letter"), lambda: upload(box, "letter", b"2")):
        with pytest.raises(ftplib.error_perm, match="^55[03]"):
            refused()
    assert (site.root / "inbox" / "letter").read_bytes() == b"dear"
    assert (site.root / "file").read_bytes() == b"here"


@in_thread
def test_parts_of_files(site: Site, login: Login) -> None:
    data = content(300_000)
    (site.root / "file").write_bytes(data)
    ftp = login()
    assert download(ftp, "file", rest=123_456) == data[123_456:]
    assert download(ftp, "file", rest=len(data)) == b""
    with pytest.raises(ftplib.error_perm, match="^55[04]"):
        download(ftp, "file", rest=len(data) + 1)
    upload(ftp, "file", b"new end", rest=100_000)
    assert (site.root / "file").read_bytes() == data[:100_000] + b"new end"


@in_thread
def test_an_upload_goes_on_after_a_cut(
    site: Site, login: Login, network: Callable[..., Network]
) -> None:
    data = content(BIG)
    before = network(CUT, control=True)
    with pytest.raises((OSError, EOFError, ftplib.Error)):
        upload(login(port=before.port), "file", data)
    site.wait_for(lambda: len(site.of(TransferEnded)) == 1)
    assert site.of(TransferEnded)[0].outcome is Outcome.CUT
    ftp = login()
    assert ftp.nlst() == []
    ftp.voidcmd("TYPE I")
    arrived = ftp.size("file")
    assert arrived is not None and 0 < arrived <= CUT
    with pytest.raises(ftplib.error_perm, match="^550"):
        download(ftp, "file")
    upload(ftp, "file", data[arrived:], rest=arrived)
    assert (site.root / "file").read_bytes() == data
    assert named(site.root) == ["file"]


@in_thread
def test_the_old_file_outlives_a_cut(
    site: Site, login: Login, network: Callable[..., Network]
) -> None:
    (site.root / "file").write_bytes(b"old")
    with pytest.raises((OSError, EOFError, ftplib.Error)):
        upload(login(port=network(CUT).port), "file", content(BIG))
    site.wait_for(lambda: site.endings() == [("/file", Outcome.CUT)])
    ftp = login()
    assert (download(ftp, "file"), ftp.size("file")) == (b"old", 3)


@in_thread
def test_a_download_goes_on_after_a_cut(
    site: Site, login: Login, network: Callable[..., Network]
) -> None:
    data = content(BIG)
    (site.root / "file").write_bytes(data)
    parts: list[bytes] = []
    with pytest.raises((OSError, EOFError, ftplib.Error)):
        login(port=network(CUT).port).retrbinary("RETR file", parts.append)
    received = b"".join(parts)
    assert 0 < len(received) <= CUT
    assert received + download(login(), "file", rest=len(received)) == data


@in_thread
def test_abort_of_a_download_and_the_session_goes_on(site: Site, login: Login) -> None:
    (site.root / "big").write_bytes(content(BIG))
    ftp = login()
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("RETR big") as data:
        assert len(data.recv(1000)) > 0
        assert ftp.abort().startswith("426")
        assert ftp.voidresp().startswith("226")
    assert ftp.pwd() == "/"
    assert ftp.abort().startswith("22")
    assert ftp.nlst() == ["big"]
    site.wait_for(lambda: site.endings() == [("/big", Outcome.CUT)])


@in_thread
def test_abort_of_an_upload_leaves_the_old_file(site: Site, login: Login) -> None:
    (site.root / "file").write_bytes(b"old")
    ftp = login()
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("STOR file") as data:
        data.sendall(b"new")
        assert ftp.abort().startswith("426")
        assert ftp.voidresp().startswith("226")
    assert (site.root / "file").read_bytes() == b"old"
    upload(ftp, "file", b"newer")
    assert download(ftp, "file") == b"newer"


@in_thread
def test_a_killed_client_stores_nothing(site: Site, login: Login) -> None:
    ftp = login()
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("STOR file") as data:
        data.sendall(b"half a file")
        assert ftp.sock is not None and ftp.file is not None
        ftp.file.close()
        rst(ftp.sock)
    ftp.sock = None
    site.wait_for(lambda: site.endings() == [("/file", Outcome.CUT)])
    assert not (site.root / "file").exists()


@in_thread
def test_ntransfercmd_makepasv_makeport_and_sendport(site: Site, login: Login) -> None:
    (site.root / "file").write_bytes(b"12345")
    ftp = login()
    ftp.af = socket.AF_INET
    host, port = ftp.makepasv()
    assert host == site.host and port >= 1024
    data, size = ftp.ntransfercmd("RETR file")
    with data:
        assert data.recv(100) == b"12345"
        assert size in (5, None)
    assert ftp.voidresp().startswith("226")
    with ftp.makeport() as listening:
        assert ftp.sendcmd("RETR file").startswith("150")
        with listening.accept()[0] as active:
            assert active.recv(100) == b"12345"
    assert ftp.voidresp().startswith("226")
    with socket.create_server((site.host, 0)) as listening:
        listening.settimeout(20)
        assert ftp.sendeprt(site.host, listening.getsockname()[1]).startswith("200")
        assert ftp.sendcmd("NLST").startswith("150")
        with listening.accept()[0] as active:
            assert active.recv(100) == b"file\r\n"
    assert ftp.voidresp().startswith("226")


@in_thread
def test_missing_files_are_refused_and_the_session_goes_on(site: Site, login: Login, tmp_path: Path) -> None:
    ftp = login()
    for _ in range(20):
        with pytest.raises(ftplib.error_perm, match="^550"):
            download(ftp, "none")
        with pytest.raises(ftplib.error_perm, match="^550"):
            upload(ftp, "none/file", b"")
    upload(ftp, "empty", b"")
    assert download(ftp, "empty") == b""
    assert named(site.root) == ["empty"]
