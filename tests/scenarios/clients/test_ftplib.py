"""Python's ``ftplib``: directories, names, listings, text and trees."""

from __future__ import annotations

import ftplib
import io
from pathlib import Path

import pytest

from tests.support.ftplib_sessions import Login, download, login, upload
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import (
    MTIME,
    ODD_NAMES,
    assert_same,
    content,
    files,
    make_files,
    make_tree,
    small_files,
)

FIXTURES = (login, started, starting)


@in_thread
def test_a_session_from_greeting_to_quit(served: RunningService, login: Login) -> None:
    ftp = login(served)
    assert ftp.getwelcome().startswith("220")
    assert ftp.pwd() == "/"
    assert ftp.sendcmd("NOOP").startswith("200")
    assert ftp.voidcmd("TYPE I").startswith("200")
    assert ftp.sendcmd("SYST").startswith("215 UNIX")
    assert "\n MDTM\n" in ftp.sendcmd("FEAT")
    assert ftp.quit().startswith("221")


@in_thread
def test_wrong_passwords_are_refused_and_a_right_one_is_then_taken(served: RunningService) -> None:
    with ftplib.FTP(timeout=20) as ftp:
        ftp.connect("127.0.0.1", served.port)
        with pytest.raises(ftplib.error_perm, match=r"^530"):
            ftp.nlst()
        with pytest.raises(ftplib.error_perm, match=r"^530"):
            ftp.login("demo", "wrong")
        assert ftp.login("demo", "demo").startswith("230")
        assert ftp.nlst() == []


@in_thread
def test_directories_of_all_names_are_made_entered_and_removed(
    served: RunningService, login: Login
) -> None:
    ftp = login(served)
    for name in ODD_NAMES:
        assert ftp.mkd(name) == f"/{name}"
        assert ftp.cwd(name).startswith("250")
        assert ftp.pwd() == f"/{name}"
        assert ftp.cwd("..").startswith("250")
    assert {path.name for path in served.root.iterdir()} == set(ODD_NAMES)
    for name in ODD_NAMES:
        assert ftp.rmd(name).startswith("250")
    assert list(served.root.iterdir()) == []
    for refused in (ftp.cwd, ftp.rmd, ftp.delete, ftp.size):
        with pytest.raises(ftplib.error_perm, match=r"^550"):
            refused("none")


@in_thread
def test_files_of_all_names_are_renamed_measured_and_deleted(
    served: RunningService, login: Login
) -> None:
    ftp = login(served)
    for size, name in enumerate(ODD_NAMES):
        upload(ftp, "new", content(size, name))
        assert ftp.rename("new", name).startswith("250")
        assert ftp.size(name) == size
        assert download(ftp, name) == content(size, name)
    assert {path.name for path in served.root.iterdir()} == set(ODD_NAMES)
    for name in ODD_NAMES:
        assert ftp.delete(name).startswith("250")
    assert list(served.root.iterdir()) == []


@in_thread
def test_rename_replaces_a_file(served: RunningService, login: Login) -> None:
    ftp = login(served)
    upload(ftp, "old", b"old")
    upload(ftp, "new", b"new")
    ftp.rename("new", "old")
    assert ftp.nlst() == ["old"]
    assert download(ftp, "old") == b"new"
    with pytest.raises(ftplib.error_perm, match=r"^550"):
        ftp.rename("none", "old")


@in_thread
def test_a_tree_goes_up_and_comes_back(
    served: RunningService, login: Login, tmp_path: Path
) -> None:
    here, back = make_tree(tmp_path / "here"), tmp_path / "back"
    ftp = login(served)
    for directory in sorted(path for path in here.rglob("*") if path.is_dir()):
        ftp.mkd(str(directory.relative_to(here)))
    for path in files(here):
        upload(ftp, str(path), (here / path).read_bytes())
        moment = ftp.sendcmd(f"MFMT {_stamp(here / path)} {path}")
        assert moment.startswith("213")
    assert_same(here, served.root, times=True)
    _fetch(ftp, "", back)
    assert_same(here, back)


def _stamp(path: Path) -> str:
    second = int(path.stat().st_mtime) - MTIME
    return f"2020010203{4 + (5 + second) // 60:02}{(5 + second) % 60:02}"


def _fetch(ftp: ftplib.FTP, source: str, target: Path) -> None:
    target.mkdir()
    for name, facts in list(ftp.mlsd(source or "/", facts=["type"])):
        path = f"{source}/{name}"
        if facts["type"] == "dir":
            _fetch(ftp, path, target / name)
        elif facts["type"] == "file":
            (target / name).write_bytes(download(ftp, path))


@in_thread
def test_nlst_names_what_is_there(served: RunningService, login: Login) -> None:
    make_files(served.root / "in here", dict.fromkeys(ODD_NAMES, 1))
    ftp = login(served)
    shown = {name for name in ODD_NAMES if not name.startswith(".")}
    assert shown <= {name.removeprefix("in here/") for name in ftp.nlst("in here")}
    ftp.cwd("in here")
    assert shown <= set(ftp.nlst()) <= set(ODD_NAMES)
    assert ftp.nlst("#ha*") == ["#hash"]
    assert ftp.nlst("#hash") == ["#hash"]
    with pytest.raises(ftplib.error_perm, match=r"^550"):
        ftp.nlst("none")


@in_thread
def test_dir_shows_kinds_sizes_dates_and_names(served: RunningService, login: Login) -> None:
    make_files(served.root, {"with  spaces": 70_000, "directory/file": 1})
    lines: list[str] = []
    login(served).dir(lines.append)
    words = {line.split(None, 8)[8]: line.split(None, 8) for line in lines}
    assert words.keys() == {"with  spaces", "directory"}
    assert words["with  spaces"][0].startswith("-rw")
    assert words["with  spaces"][4:8] == ["70000", "Jan", "2", "2020"]
    assert words["directory"][0].startswith("drwx")
    below: list[str] = []
    login(served).dir("directory", below.append)
    assert [line.split()[-1] for line in below] == ["file"]


@in_thread
def test_mlsd_tells_the_facts_that_are_asked_for(served: RunningService, login: Login) -> None:
    make_files(served.root, {"a file; with=signs": 70_000, "directory/file": 1})
    ftp = login(served)
    facts = dict(ftp.mlsd())
    assert facts["a file; with=signs"]["type"] == "file"
    assert facts["a file; with=signs"]["size"] == "70000"
    assert facts["a file; with=signs"]["modify"] == "20200102030405"
    assert facts["directory"]["type"] == "dir"
    assert list(ftp.mlsd("directory", facts=["size"])) == [("file", {"size": "1"})]
    assert ftp.voidcmd("MDTM a file; with=signs") == "213 20200102030405"


@in_thread
def test_text_round_trips_by_lines(served: RunningService, login: Login) -> None:
    lines = ["first", "", "\u00fcml\u00e4ut", "x" * 5000, *map(str, range(9999)), "last"]
    text = "".join(f"{line}\n" for line in lines).encode()
    ftp = login(served)
    assert ftp.storlines("STOR text", io.BytesIO(text)).startswith("226")
    assert (served.root / "text").read_bytes() == text
    assert ftp.storlines("STOR text 2", io.BytesIO(text.replace(b"\n", b"\r\n"))).startswith("226")
    assert (served.root / "text 2").read_bytes() == text
    received: list[str] = []
    assert ftp.retrlines("RETR text", received.append).startswith("226")
    assert received == lines


@in_thread
def test_appending_and_unique_names(served: RunningService, login: Login) -> None:
    ftp = login(served)
    ftp.storbinary("APPE log", io.BytesIO(b"one\n"))
    ftp.storbinary("APPE log", io.BytesIO(b"two\n"))
    assert download(ftp, "log") == b"one\ntwo\n"
    for number in range(3):
        ftp.storbinary("STOU", io.BytesIO(b"%d" % number))
    unique = [path for path in served.root.iterdir() if path.name != "log"]
    assert sorted(path.read_bytes() for path in unique) == [b"0", b"1", b"2"]


@in_thread
def test_a_thousand_small_files_over_one_connection(
    served: RunningService, login: Login, tmp_path: Path
) -> None:
    here = small_files(tmp_path / "here")
    ftp = login(served)
    for path in files(here):
        with (here / path).open("rb") as source:
            ftp.storbinary(f"STOR {path}", source)
    assert_same(here, served.root)
    assert sorted(ftp.nlst()) == [str(path) for path in files(here)]
    for path in files(here):
        assert download(ftp, str(path)) == (here / path).read_bytes()
