"""ncftp's programs for scripts: ncftpput, ncftpget and ncftpls."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.client_programs import CompletedProgram, program, run
from tests.support.interrupted_transfers import interrupt_upload
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import assert_same, content, make_files, make_tree

FIXTURES = (started, starting)
HOST = "127.0.0.1"
CONNECTIONS = {"passive": "-F", "active": "-E"}


def ncftp(
    served: RunningService, tmp_path: Path, *words: str | Path, status: int | None = 0
) -> CompletedProgram:
    """Run ``ncftpput -R ...`` and the like in the directory ``here``."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    login = ("-u", "demo", "-p", "demo", "-P", str(served.port), "-r", "0", "-t", "20")
    argv = [program(str(words[0])), *login, "-d", "stderr", *words[1:]]
    return run(argv, tmp_path, cwd=here, status=status)


def sent(ended: CompletedProgram, verb: str) -> list[str]:
    """Return the arguments of a command, each time it was sent."""
    lines = ended.stderr.splitlines() + ended.stdout.splitlines()
    return [line[5:].partition(" ")[2] for line in lines if line.startswith(f"Cmd: {verb}")]


@in_thread
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_trees_both_ways(served: RunningService, tmp_path: Path, connection: str) -> None:
    """ncftpput -R and ncftpget -R transfer everything with its times."""
    tree = make_tree(tmp_path / "here" / "tree")
    how = CONNECTIONS[connection]
    put = ncftp(served, tmp_path, "ncftpput", "-R", "-m", "-y", how, HOST, "/a/b c", "tree")
    assert_same(tree, served.root / "a" / "b c" / "tree", times=True)
    (tmp_path / "here" / "back").mkdir()
    get = ncftp(served, tmp_path, "ncftpget", "-R", "-T", how, HOST, "back", "/a/b c/tree")
    assert_same(tree, tmp_path / "here" / "back" / "tree", times=True)
    for ended in (put, get):
        assert bool(sent(ended, "PORT")) is (connection == "active")


@in_thread
def test_globs(served: RunningService, tmp_path: Path) -> None:
    """A pattern is expanded on the server's names."""
    names = {"a b.txt": 10, "-c.txt": 11, "100%.txt": 13, "e.bin": 14}
    make_files(served.root / "d e", names)
    ncftp(served, tmp_path, "ncftpget", HOST, ".", "/d e/*.txt")
    here = tmp_path / "here"
    assert sorted(os.listdir(here)) == ["-c.txt", "100%.txt", "a b.txt"]
    for name in os.listdir(here):
        assert (here / name).read_bytes() == (served.root / "d e" / name).read_bytes()


@in_thread
@pytest.mark.parametrize("flags", ["-1", "-l", "-m", "-C", "-la", "-R", "-g", "-1 -a", "-1 -E"])
def test_listings(served: RunningService, tmp_path: Path, flags: str) -> None:
    """Every form of listing has every name."""
    make_files(served.root / "d", {"a b": 1234567, "-rf": 0, "na\u00efve 100%": 5, ".dot": 3})
    url = f"ftp://{HOST}:{served.port}/d/"
    ended = ncftp(served, tmp_path, "ncftpls", *flags.split(), url)
    assert all(name in ended.stdout for name in ("a b", "-rf", "na\u00efve 100%"))
    assert ".dot" in ended.stdout or "a" not in flags
    assert "1234567" in ended.stdout or not {"l", "m", "R"} & set(flags)


@in_thread
def test_an_interrupted_upload_is_resumed(served: RunningService, tmp_path: Path) -> None:
    """ncftpput -z sends only what is missing (with -s; otherwise it starts at 0)."""
    here = make_files(tmp_path / "here", {"data": 3_000_000})
    expected = (here / "data").read_bytes()
    interrupt_upload(served, "data", expected[:1_200_000])
    ended = ncftp(served, tmp_path, "ncftpput", "-z", "-s", HOST, "/", "data")
    assert (served.root / "data").read_bytes() == expected
    assert sent(ended, "REST") == ["1200000"]


@in_thread
def test_a_download_is_resumed(served: RunningService, tmp_path: Path) -> None:
    """ncftpget -z downloads only what is missing."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = tmp_path / "here"
    here.mkdir()
    (here / "data").write_bytes(expected[:1_200_000])
    ended = ncftp(served, tmp_path, "ncftpget", "-z", HOST, ".", "/data")
    assert (here / "data").read_bytes() == expected
    assert sent(ended, "REST") == ["1200000"]


@in_thread
def test_single_files(served: RunningService, tmp_path: Path) -> None:
    """Append, text, temporary names, and deletion after the transfer."""
    here = make_files(tmp_path / "here", {"one": 1000, "two": 2000, "three": 3000})
    (here / "text").write_bytes(b"one\n\ntwo\nlast")
    one = (here / "one").read_bytes()
    for _ in range(2):
        ncftp(served, tmp_path, "ncftpput", "-A", HOST, "/", "one")
    ncftp(served, tmp_path, "ncftpput", "-a", HOST, "/", "text")
    ncftp(served, tmp_path, "ncftpput", "-T", "tmp-", "-U", "077", HOST, "/", "two")
    ncftp(served, tmp_path, "ncftpput", "-DD", HOST, "/", "three")
    ncftp(served, tmp_path, "ncftpput", "-C", HOST, "one", "/under another name")
    assert (served.root / "one").read_bytes() == one * 2
    assert (served.root / "text").read_bytes() == b"one\n\ntwo\nlast"
    assert (served.root / "two").read_bytes() == (here / "two").read_bytes()
    assert (served.root / "two").stat().st_mode & 0o777 == 0o600
    assert (served.root / "under another name").read_bytes() == one
    assert not (here / "three").exists()
    expected = (served.root / "three").read_bytes()
    ncftp(served, tmp_path, "ncftpget", "-DD", HOST, ".", "/three")
    ncftp(served, tmp_path, "ncftpget", "-a", "-C", HOST, "/text", "text back")
    assert (here / "three").read_bytes() == expected
    assert (here / "text back").read_bytes() == b"one\n\ntwo\nlast"
    assert sorted(os.listdir(served.root)) == ["one", "text", "two", "under another name"]


@in_thread
def test_errors(served: RunningService, tmp_path: Path) -> None:
    """Missing files are errors."""
    make_files(tmp_path / "here", {"one": 1000})
    assert ncftp(served, tmp_path, "ncftpget", HOST, ".", "/missing", status=None).returncode
    assert ncftp(served, tmp_path, "ncftpput", HOST, "/no", "one", status=None).returncode
    assert os.listdir(served.root) == []
