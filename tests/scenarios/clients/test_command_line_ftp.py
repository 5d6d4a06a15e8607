"""The ``ftp`` programs of the command line, NetBSD's (tnftp) and GNU's (inetutils)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import CompletedProgram, ipv6, program, run
from tests.support.interrupted_transfers import interrupt_upload
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import MTIME, assert_same, content, make_files

FIXTURES = (started, starting)
CONNECTIONS = {
    "tnftp, EPSV": ("tnftp", ()),
    "tnftp, PASV": ("tnftp", ("epsv4",)),
    "tnftp, EPRT": ("tnftp", ("passive",)),
    "tnftp, PORT": ("tnftp", ("epsv4", "passive")),
    "inetutils, PORT": ("inetutils-ftp", ()),
    "inetutils, PASV": ("inetutils-ftp", ("passive",)),
    "inetutils, EPSV": ("inetutils-ftp", ("epsv4", "passive")),
    "inetutils, EPRT": ("inetutils-ftp", ("epsv4",)),
}
"""A program, and the commands that have it make its data connections so."""
CLIENTS = ("tnftp", "inetutils-ftp")
NAMES = {"a b.txt": 100_000, "-c.txt": 11, "[d].txt": 12, "100%.txt": 13, "\u65e5\u672c.txt": 7}
clients = pytest.mark.parametrize("client", CLIENTS)


def ftp(
    served: RunningService, tmp_path: Path, client: str, *commands: str, host: str = "127.0.0.1"
) -> CompletedProgram:
    """Run a client with commands in the directory ``here``."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    start = (f"open {host} {served.port}", "user demo demo", "prompt")
    script = "\n".join([*start, *commands, "bye", ""])
    return run([program(client), "-n", "-v"], tmp_path, cwd=here, stdin=script, status=None)


@in_thread
@pytest.mark.parametrize("choice", CONNECTIONS)
def test_many_files_both_ways(served: RunningService, tmp_path: Path, choice: str) -> None:
    """mput and mget expand patterns; names are used literally."""
    client, settings = CONNECTIONS[choice]
    here = make_files(tmp_path / "here", NAMES)
    jobs = "binary", 'mkdir "a dir"', 'cd "a dir"', "mput *.txt", "lcd ..", "!mkdir back"
    ended = ftp(served, tmp_path, client, *settings, *jobs, "lcd back", "mget *.txt", "pwd")
    assert_same(here, served.root / "a dir")
    assert_same(here, tmp_path / "back")
    assert '"/a dir"' in ended.stdout


@ipv6
@in_thread
@clients
@pytest.mark.parametrize("settings", [(), ("passive",)])
def test_ipv6(
    server: Callable[..., RunningService], tmp_path: Path, client: str, settings: tuple[str, ...]
) -> None:
    """Over IPv6, active and passive."""
    served = server("--listen", r"tcp6:0:interface=\:\:1")
    here = make_files(tmp_path / "here", NAMES)
    ftp(served, tmp_path, client, *settings, "binary", "mput *.txt", host="::1")
    assert_same(here, served.root)


@in_thread
@clients
def test_listings(served: RunningService, tmp_path: Path, client: str) -> None:
    """ls, dir and nlist, with patterns and with switches, to a file and to the terminal."""
    make_files(served.root, {"a b": 1234567, "-rf": 0, "na\u00efve": 5, ".dot": 3, "sub/x": 1})
    jobs = "ls . one", "dir . two", "nlist . three", "ls -la four", "nlist n* five", "ls -l"
    ended = ftp(served, tmp_path, client, *jobs, "ls sub", "nlist -a six")
    here = tmp_path / "here"
    texts = [(here / name).read_text() for name in ("one", "two", "three", "four")]
    for text in texts:
        assert all(name in text for name in ("a b", "-rf", "na\u00efve", "sub")), text
    assert all("1234567" in texts[number] for number in (0, 1, 3)) and ".dot" in texts[3]
    assert [line.removeprefix("./") for line in texts[2].splitlines()] == [
        "-rf",
        ".dot",
        "a b",
        "na\u00efve",
        "sub",
    ]
    assert (here / "five").read_text().split() == ["na\u00efve"]
    assert ".dot" in (here / "six").read_text().split("\n")
    assert "1234567" in ended.stdout


@in_thread
@clients
def test_changes(served: RunningService, tmp_path: Path, client: str) -> None:
    """Directories, names, modes, appending and deletion."""
    here = make_files(tmp_path / "here", {"one": 1000, "two": 2000})
    files = {"gone": 1, "x1": 1, "x2": 1, "d/e": 1}
    make_files(served.root, files)
    (served.root / "empty dir").mkdir()
    ended = ftp(
        served,
        tmp_path,
        client,
        *("binary", "put one", "append two one", "rename one three", "chmod 600 three"),
        *("delete gone", "mdelete x*", 'rmdir "empty dir"', "rmdir d", "mkdir new", "cd new"),
        *("put one", "cdup", "sunique", "put one uni", "put two uni", "size three", "modtime d/e"),
    )
    expected = (here / "one").read_bytes() + (here / "two").read_bytes()
    assert (served.root / "three").read_bytes() == expected
    assert stat.S_IMODE((served.root / "three").stat().st_mode) == 0o600
    assert (served.root / "new" / "one").read_bytes() == (here / "one").read_bytes()
    assert sorted(os.listdir(served.root))[:3] == ["d", "new", "three"]
    unique = sorted(path.read_bytes() for path in served.root.glob("uni*"))
    assert unique == sorted((here / name).read_bytes() for name in ("one", "two"))
    assert "3000" in ended.stdout and "2020" in ended.stdout


@in_thread
@clients
def test_text(served: RunningService, tmp_path: Path, client: str) -> None:
    """Text is unchanged after upload and download in ASCII mode."""
    here = tmp_path / "here"
    here.mkdir()
    text = b"one\n\ntwo\nlast\n"
    (here / "text").write_bytes(text)
    ftp(served, tmp_path, client, "ascii", "put text", "get text back", "binary", "get text raw")
    assert (served.root / "text").read_bytes() == text
    assert (here / "back").read_bytes() == text
    assert (here / "raw").read_bytes() == text


@in_thread
@clients
def test_resume(served: RunningService, tmp_path: Path, client: str) -> None:
    """reget downloads what is missing; restart and put resume an interrupted upload."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = tmp_path / "here"
    here.mkdir()
    (here / "data").write_bytes(expected[:1_200_000])
    (here / "whole").write_bytes(expected)
    (here / "end").write_bytes(expected[:-10])
    interrupt_upload(served, "whole", expected[:2_000_000])
    jobs = "binary", "reget data", "restart 1500000", "put whole", "restart 2999990", "get data end"
    ended = ftp(served, tmp_path, client, *jobs)
    assert (here / "data").read_bytes() == expected
    assert (served.root / "whole").read_bytes() == expected, ended.stdout
    assert (here / "end").read_bytes() == expected


@in_thread
def test_times_are_kept(served: RunningService, tmp_path: Path) -> None:
    """tnftp sets the modification time of downloads."""
    make_files(served.root, {"file": 10})
    ftp(served, tmp_path, "tnftp", "get file")
    assert int((tmp_path / "here" / "file").stat().st_mtime) == MTIME


@in_thread
def test_urls(served: RunningService, tmp_path: Path) -> None:
    """tnftp downloads and uploads URLs."""
    here = make_files(tmp_path / "here", {"up": 70_000})
    make_files(served.root, {"a dir/a file": 100_000})
    base = f"ftp://demo:demo@127.0.0.1:{served.port}"
    run([program("tnftp"), "-o", "down", f"{base}/a%20dir/a%20file"], tmp_path, cwd=here)
    run([program("tnftp"), "-u", f"{base}/a%20dir/", "up"], tmp_path, cwd=here)
    assert (here / "down").read_bytes() == (served.root / "a dir" / "a file").read_bytes()
    assert (served.root / "a dir" / "up").read_bytes() == (here / "up").read_bytes()


@in_thread
@clients
def test_errors(served: RunningService, tmp_path: Path, client: str) -> None:
    """Each is an error, and the next command works."""
    make_files(served.root, {"full/x": 1, "file": 10})
    jobs = "get missing", "cd missing", "rmdir full", "rename missing x", "delete full"
    ended = ftp(served, tmp_path, client, *jobs, "put nothing", "binary", "get file")
    assert (tmp_path / "here" / "file").read_bytes() == (served.root / "file").read_bytes()
    assert not (tmp_path / "here" / "missing").exists()
    assert ended.stdout.count("550 ") == 5
