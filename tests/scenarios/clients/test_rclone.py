"""rclone: copy, sync, check and the other commands for a remote directory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import CompletedProgram, ipv6, program, run
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import MTIME, assert_same, make_files, make_tree, small_files

FIXTURES = (started, starting)
CHOICES = {
    "as it is": (),
    "PASV": ("--ftp-disable-epsv",),
    "LIST": ("--ftp-disable-mlsd",),
    "LIST -a": ("--ftp-disable-mlsd", "--ftp-force-list-hidden"),
    "one connection": ("--ftp-concurrency", "1", "--transfers", "1", "--checkers", "1"),
    "eight at once": ("--transfers", "8", "--checkers", "8"),
    "MDTM sets times": ("--ftp-writing-mdtm",),
}


def rclone(
    served: RunningService,
    tmp_path: Path,
    *words: str | Path,
    host: str = "127.0.0.1",
    status: int | None = 0,
) -> CompletedProgram:
    """Run ``rclone`` without retries; the remote is ``r:``."""
    binary = program("rclone")
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    login = {"HOST": host, "PORT": str(served.port), "USER": "demo", "PASS": obscured(tmp_path)}
    options = {"TYPE": "ftp", "TLS": "false", "EXPLICIT_TLS": "false", "SHUT_TIMEOUT": "5s"}
    environment = {f"RCLONE_CONFIG_R_{key}": value for key, value in (login | options).items()}
    environment |= {"RCLONE_CONFIG": str(home / "rclone.conf"), "RCLONE_RETRIES": "1"}
    environment["RCLONE_LOW_LEVEL_RETRIES"] = "1"
    return run([binary, *words], tmp_path, environment=environment, status=status)


def obscured(tmp_path: Path) -> str:
    """Return ``demo`` in rclone's form of passwords."""
    return run([program("rclone"), "obscure", "demo"], tmp_path).stdout.strip()


@in_thread
@pytest.mark.parametrize("choice", CHOICES)
def test_copy_both_ways(served: RunningService, tmp_path: Path, choice: str) -> None:
    """A tree is uploaded and downloaded with every setting, with its times where they are exact."""
    options = CHOICES[choice]
    hidden = {".hidden", ".config"} if choice == "LIST" else set()
    tree = make_tree(tmp_path / "tree", without=hidden)
    rclone(served, tmp_path, "copy", tree, "r:a/b c", *options)
    assert_same(tree, served.root / "a" / "b c", times=choice != "MDTM sets times")
    rclone(served, tmp_path, "copy", "r:a/b c", tmp_path / "back", *options)
    assert_same(tree, tmp_path / "back", times="LIST" not in choice)
    rclone(served, tmp_path, "check", "--download", tree, "r:a/b c", *options)


@ipv6
@in_thread
def test_ipv6(server: Callable[..., RunningService], tmp_path: Path) -> None:
    """The same over IPv6."""
    served = server("--listen", r"tcp6:0:interface=\:\:1")
    tree = make_tree(tmp_path / "tree")
    rclone(served, tmp_path, "copy", tree, "r:", host="[::1]")
    rclone(served, tmp_path, "copy", "r:", tmp_path / "back", host="[::1]")
    assert_same(tree, tmp_path / "back", times=True)


@in_thread
def test_a_connection_string(served: RunningService, tmp_path: Path) -> None:
    """A remote without configuration."""
    make_files(served.root, {"d/one": 100})
    login = f"host=127.0.0.1,port={served.port},user=demo,pass={obscured(tmp_path)}"
    ended = rclone(served, tmp_path, "cat", f":ftp,{login}:d/one")
    assert (
        ended.stdout.encode("utf-8", "surrogateescape") == (served.root / "d" / "one").read_bytes()
    )


@in_thread
def test_sync_makes_equal_both_ways(served: RunningService, tmp_path: Path) -> None:
    """A second sync transfers nothing; then changes, deletions and new files are synchronized."""
    tree, back = make_tree(tmp_path / "tree"), tmp_path / "back"
    for source, target in ((tree, "r:there"), ("r:there", back)):
        rclone(served, tmp_path, "sync", source, target)
        again = rclone(served, tmp_path, "sync", source, target, "-v", "--stats-one-line")
        assert "Copied" not in again.stderr and "Deleted" not in again.stderr
    for name in ("-rf", "[brackets]", "directory/plain.txt"):
        (tree / name).unlink()
    (tree / "one").write_bytes(b"another content")
    make_files(tree / "new", {"100% new": 2000})
    differs = rclone(served, tmp_path, "check", tree, "r:there", status=1)
    assert "5 differences found" in differs.stderr
    rclone(served, tmp_path, "sync", "--create-empty-src-dirs", tree, "r:there")
    rclone(served, tmp_path, "sync", "r:there", back)
    rclone(served, tmp_path, "check", tree, "r:there")
    assert_same(tree, served.root / "there", times=True)
    assert_same(tree, back, times=True)


@in_thread
def test_many_small_files(served: RunningService, tmp_path: Path) -> None:
    """A thousand files over several parallel sessions."""
    tree = small_files(tmp_path / "tree")
    rclone(served, tmp_path, "copy", tree, "r:t", "--transfers", "8")
    assert_same(tree, served.root / "t", times=True)


@in_thread
def test_listings(served: RunningService, tmp_path: Path) -> None:
    """lsjson, lsf, ls, size, tree and about."""
    make_files(served.root / "d", {"a b": 1234567, "-rf": 0, "na\u00efve/x": 5, ".dot": 3})
    entries = json.loads(rclone(served, tmp_path, "lsjson", "-R", "r:d").stdout)
    found = {entry["Path"]: entry for entry in entries}
    assert found.keys() == {"a b", "-rf", "na\u00efve", "na\u00efve/x", ".dot"}
    assert (found["a b"]["Size"], found["a b"]["ModTime"]) == (1234567, "2020-01-02T03:04:05Z")
    assert found["na\u00efve"]["IsDir"]
    one = json.loads(rclone(served, tmp_path, "lsjson", "--stat", "r:d/a b").stdout)
    assert (one["Name"], one["Size"]) == ("a b", 1234567)
    size = json.loads(rclone(served, tmp_path, "size", "--json", "r:d").stdout)
    assert (size["count"], size["bytes"]) == (4, 1234575)
    assert set(rclone(served, tmp_path, "lsf", "r:d").stdout.splitlines()) == {
        *("a b", "-rf", "na\u00efve/", ".dot"),
    }


@in_thread
def test_changes(served: RunningService, tmp_path: Path) -> None:
    """moveto, move, mkdir, rmdir, rmdirs, touch, delete, deletefile, purge, rcat and cat."""
    files = {"one": 10, "two": 20, "d/x": 3, "d/y/z": 4, "e/f": 5, "gone": 6, "old/a b/c": 7}
    make_files(served.root, files)
    one, moved = (served.root / "one").read_bytes(), (served.root / "old/a b/c").read_bytes()
    for command in (
        ("moveto", "r:one", "r:two"),
        ("move", "r:old", "r:new place"),
        ("mkdir", "r:m/n/o p"),
        ("rmdir", "r:m/n/o p"),
        ("rmdirs", "r:m"),
        ("delete", "--rmdirs", "r:d"),
        ("deletefile", "r:gone"),
        ("purge", "r:e"),
        ("touch", "-t", "2020-01-02T03:04:05", "r:new place/touched"),
        ("copyto", "r:two", "r:copied/twice"),
    ):
        rclone(served, tmp_path, *command)
    assert sorted(str(path.relative_to(served.root)) for path in served.root.rglob("*")) == sorted(
        [
            *("copied", "copied/twice", "d", "two"),
            *("new place", "new place/a b", "new place/a b/c", "new place/touched"),
        ]
    )
    assert (served.root / "two").read_bytes() == (served.root / "copied/twice").read_bytes() == one
    assert (served.root / "new place/a b/c").read_bytes() == moved
    assert int((served.root / "new place/touched").stat().st_mtime) == MTIME


@in_thread
def test_parts_of_files(served: RunningService, tmp_path: Path) -> None:
    """cat with an offset and a count ends a download early."""
    (served.root / "data").write_bytes(b"0123456789" * 1_000_000)
    words = "--offset", "5000003", "--count", "9"
    assert rclone(served, tmp_path, "cat", "r:data", *words).stdout == "345678901"
    assert rclone(served, tmp_path, "cat", "--tail", "4", "r:data").stdout == "6789"
    assert rclone(served, tmp_path, "cat", "--head", "4", "r:data").stdout == "0123"


@in_thread
def test_errors(served: RunningService, tmp_path: Path) -> None:
    """Missing names: rclone exits with 3 (directory) or 4 (file)."""
    assert rclone(served, tmp_path, "ls", "r:missing", status=3).stdout == ""
    rclone(served, tmp_path, "rmdir", "r:missing", status=3)
    rclone(served, tmp_path, "deletefile", "r:missing", status=4)
    make_files(served.root, {"full/x": 1})
    assert rclone(served, tmp_path, "rmdir", "r:full", status=None).returncode
    assert os.listdir(served.root) == ["full"]
