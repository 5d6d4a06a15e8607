"""lftp: globs, renames, modes, listings, text, times and refusals."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from tests.support.lftp import lftp, sent
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import assert_same, files, make_files, make_tree

FIXTURES = (started, starting)
CAT = ("tree/one", "tree/empty", "tree/block")


@in_thread
def test_globs(served: RunningService, tmp_path: Path) -> None:
    """mput, mget, mrm and rmdir expand patterns and use unusual names literally."""
    names = {"a b.txt": 10, "-c.txt": 11, "[d].txt": 12, "100%.txt": 13, "e.bin": 14}
    here = make_files(tmp_path / "here", names)
    lftp(
        served,
        tmp_path,
        *("mkdir up", "cd up", "mput *.txt", "mput -d ./e.*", "cd ..", "mkdir -p down/x/y"),
        *("lcd ..", "!mkdir down", "lcd down", "mget up/*", "mrm up/[a1]*", "rmdir down/x/y"),
        *("glob -a rmdir down/*", "rm -r down"),
    )
    assert_same(here, tmp_path / "down")
    assert sorted(os.listdir(served.root / "up")) == ["-c.txt", "[d].txt", "e.bin"]
    assert os.listdir(served.root) == ["up"]


@in_thread
def test_rename_chmod_and_deletion(served: RunningService, tmp_path: Path) -> None:
    """A file replaces another and moves into a directory; modes change, recursively too."""
    make_files(served.root, {"old": 10, "new": 20, "other": 30, "d/e/f": 40, "gone/x": 50})
    expected = (served.root / "old").read_bytes()
    lftp(
        served,
        tmp_path,
        *("mv old new", "mv other d/", "chmod 640 new", "chmod -R go-rwx d", "rm -r gone"),
        *("mv d 'e f'", "mmv 'e f/other' .", "ln nothing x || echo"),
    )
    assert (served.root / "new").read_bytes() == expected
    assert sorted(map(str, files(served.root))) == ["e f/e/f", "new", "other"]
    assert stat.S_IMODE((served.root / "new").stat().st_mode) == 0o640
    for path in (served.root / "e f", served.root / "e f/e", served.root / "e f/e/f"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


@in_thread
def test_listings(served: RunningService, tmp_path: Path) -> None:
    """ls, nlist, cls, find and du."""
    make_tree(served.root / "tree")
    jobs = {
        "found": "find tree",
        "sizes": "du -ab tree",
        "short": "cls -1a tree",
        "long": "cls -l --time-style=+%s tree/one",
        "names": "nlist -a tree",
        "listing": "ls -la tree",
        "bytes": f"cat {' '.join(CAT)}",
    }
    lftp(served, tmp_path, *(f"{command} > {name}" for name, command in jobs.items()))
    texts = ((tmp_path / "here" / name).read_bytes() for name in jobs)
    found, sizes, short, long, names, listing = (next(texts).decode() for _ in range(6))
    paths = sorted(map(str, files(served.root)))
    directories = {path.rpartition("/")[0] for path in paths}
    assert [line for line in sorted(found.splitlines()) if line[-1] != "/"] == paths
    assert directories <= {line.rstrip("/") for line in found.splitlines()}
    listed_sizes = {
        name: int(size) for size, name in (line.split("\t") for line in sizes.splitlines())
    }
    assert {
        path: (served.root / path).stat().st_size for path in paths
    }.items() <= listed_sizes.items()
    here = set(os.listdir(served.root / "tree"))
    assert {line.removeprefix("tree/").rstrip("/") for line in short.splitlines()} - {
        ".",
        "..",
    } == here
    assert str(int((served.root / "tree/one").stat().st_mtime)) in long
    assert {line.removeprefix("tree/") for line in names.splitlines()} - {".", ".."} == here
    assert all(any(line.endswith(f" {name}") for line in listing.splitlines()) for name in here)
    assert next(texts) == b"".join((served.root / path).read_bytes() for path in CAT)


@in_thread
def test_text(served: RunningService, tmp_path: Path) -> None:
    """In ASCII mode lines end with CRLF on the network and with LF in files."""
    here = tmp_path / "here"
    here.mkdir()
    text = b"one\n\ntwo\nlast without end"
    (here / "text").write_bytes(text)
    ended = lftp(served, tmp_path, "put -a text", "get -a text -o back")
    assert (served.root / "text").read_bytes() == text
    assert (here / "back").read_bytes() == text
    assert not sent(ended, "TYPE I")


@in_thread
@pytest.mark.parametrize("setting", ["yes", "no"])
def test_times_by_site_utime(served: RunningService, tmp_path: Path, setting: str) -> None:
    """Both forms of SITE UTIME set the time to the second, in UTC."""
    tree = make_tree(tmp_path / "here" / "tree")
    settings = "set ftp:use-feat no", f"set ftp:use-site-utime2 {setting}"
    ended = lftp(served, tmp_path, *settings, "mirror -R tree there")
    assert_same(tree, served.root / "there", times=True)
    form = r"SITE UTIME 2020\d{10} " if setting == "yes" else r"SITE UTIME .* 2020\d{10} UTC$"
    assert all(re.match(form, command) for command in sent(ended, "SITE UTIME"))


@in_thread
def test_errors(served: RunningService, tmp_path: Path) -> None:
    """Each of these is an error, and the session continues."""
    make_files(served.root, {"file": 10, "full/x": 1})
    for command in (
        *("get missing", "cd missing", "cd file", "rm missing", "rmdir full", "mkdir full"),
        *("mv missing x", "chmod 600 missing", "rm full", "nlist missing"),
    ):
        ended = lftp(served, tmp_path, command, status=1)
        assert "550 " in ended.stderr, command
    lftp(served, tmp_path, "set cmd:fail-exit no", "get missing", "get file", "cd missing", "pwd")
    assert (tmp_path / "here" / "file").read_bytes() == (served.root / "file").read_bytes()
