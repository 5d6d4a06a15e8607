"""lftp: mirrors with many settings, big and many files, interruptions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import ipv6
from tests.support.interrupted_transfers import interrupt_upload, interrupting_network
from tests.support.lftp import all_sent, lftp, sent
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import BIG, assert_same, content, make_files, make_tree, small_files

FIXTURES = (started, starting)
LONG = 40 << 20
SLOWLY = "set net:limit-max 1M", "set net:limit-rate 30M"
CHOICES = {
    "in a pipeline": ("set ftp:sync-mode off", "MLSD"),
    "one command at a time": ("set ftp:sync-mode on", "MLSD"),
    "active": ("set ftp:passive-mode no", "PORT"),
    "extended passive": ("set ftp:prefer-epsv yes", "EPSV"),
    "lists": ("set ftp:use-mlsd no", "LIST"),
    "lists of all": ("set ftp:use-mlsd no; set ftp:list-options -a", "LIST -a"),
    "without features": ("set ftp:use-feat no", "SITE UTIME"),
    "four at once": ("set mirror:parallel-transfer-count 4", "CWD"),
    "in pieces": ("set mirror:use-pget-n 3; set pget:min-chunk-size 1k", "RETR"),
    "through temporary files": ("set xfer:use-temp-file yes", "RNTO"),
}
"""A setting, and how a command begins that it makes lftp send."""


def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Return a local tree and the target directory of its download."""
    here = tmp_path / "here"
    return make_tree(here / "tree"), here / "back"


@in_thread
@pytest.mark.parametrize("choice", CHOICES)
def test_mirror_both_ways(served: RunningService, tmp_path: Path, choice: str) -> None:
    """A tree is uploaded and downloaded completely, with its times, with every setting."""
    tree, back = trees(tmp_path)
    setting, sign = CHOICES[choice]
    ended = lftp(served, tmp_path, setting, "mirror -R tree there", "mirror there back")
    assert_same(tree, served.root / "there", times=True)
    assert_same(tree, back, times=True)
    assert any(command.startswith(sign) for command in all_sent(ended))


@ipv6
@in_thread
def test_mirror_over_ipv6(server: Callable[..., RunningService], tmp_path: Path) -> None:
    """IPv6 needs EPSV; the EPRT of lftp 4.9 has the host ``::`` and is not tested."""
    served = server("--listen", r"tcp6:0:interface=\:\:1")
    tree, back = trees(tmp_path)
    ended = lftp(served, tmp_path, "mirror -R tree there", "mirror there back", host="[::1]")
    assert_same(tree, served.root / "there", times=True)
    assert_same(tree, back, times=True)
    assert sent(ended, "EPSV") and not sent(ended, "PASV")


@in_thread
def test_mirror_again_moves_nothing_and_delete_makes_equal(
    served: RunningService, tmp_path: Path
) -> None:
    """Times and sizes are exact: a second mirror transfers nothing."""
    tree, back = trees(tmp_path)
    both = "mirror -R --delete tree there", "mirror --delete there back"
    lftp(served, tmp_path, *both)
    assert not sent(lftp(served, tmp_path, *both), "STOR", "RETR", "DELE", "RMD")
    for name in ("-rf", "[brackets]", "directory/sub directory/[deep]/er/100% #1.bin"):
        (tree / name).unlink()
    shutil.rmtree(tree / "-dash directory")
    make_files(tree / "new", {"one": 1, "100% new": 2000})
    (tree / "one").write_bytes(b"another content")
    ended = lftp(served, tmp_path, *both)
    assert_same(tree, served.root / "there", times=True)
    assert_same(tree, back, times=True)
    assert not (served.root / "there" / "-dash directory").exists()
    assert len(sent(ended, "STOR", "RETR")) == 6


@in_thread
def test_a_thousand_small_files_both_ways(served: RunningService, tmp_path: Path) -> None:
    """Thousands of pipelined commands are answered in order."""
    tree = small_files(tmp_path / "here" / "tree")
    lftp(served, tmp_path, "mirror -R tree there", "mirror there back")
    assert_same(tree, served.root / "there", times=True)
    assert_same(tree, tmp_path / "here" / "back", times=True)


@in_thread
def test_a_big_file_both_ways_and_in_pieces(served: RunningService, tmp_path: Path) -> None:
    """50 MiB: upload, download, and a download over four connections that stop early."""
    here = make_files(tmp_path / "here", {"big": BIG})
    ended = lftp(
        served,
        tmp_path,
        *("put big", "get big -o whole", *SLOWLY, "pget -n 4 big -o pieces"),
    )
    expected = (here / "big").read_bytes()
    assert (served.root / "big").read_bytes() == expected
    assert (here / "whole").read_bytes() == expected
    assert (here / "pieces").read_bytes() == expected
    pieces = {int(word[5:]) // (BIG // 4) for word in sent(ended, "REST")}
    assert pieces and pieces <= {1, 2, 3}, "a connection that comes late finds its piece done"


@in_thread
@pytest.mark.parametrize("command", ["put -c data", "reput data"])
def test_an_interrupted_upload_is_resumed(
    served: RunningService, tmp_path: Path, command: str
) -> None:
    """What arrived before the interruption is not sent again."""
    here = make_files(tmp_path / "here", {"data": 3_000_000})
    expected = (here / "data").read_bytes()
    interrupt_upload(served, "data", expected[:1_200_000])
    assert not (served.root / "data").exists()
    ended = lftp(served, tmp_path, command)
    assert (served.root / "data").read_bytes() == expected
    assert sent(ended, "REST", "APPE") == ["REST 1200000"]


@in_thread
@pytest.mark.parametrize("command", ["get -c data", "reget data", "pget -c data"])
def test_a_download_is_resumed(served: RunningService, tmp_path: Path, command: str) -> None:
    """Only the rest is sent."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = tmp_path / "here"
    here.mkdir()
    (here / "data").write_bytes(expected[:1_200_000])
    ended = lftp(served, tmp_path, command)
    assert (here / "data").read_bytes() == expected
    assert "REST 1200000" in sent(ended, "REST")


@in_thread
def test_an_interrupted_download_is_resumed(served: RunningService, tmp_path: Path) -> None:
    """The connections are reset during the download; lftp reconnects and downloads the rest."""
    expected = content(LONG)
    (served.root / "data").write_bytes(expected)
    with interrupting_network(served):
        ended = lftp(served, tmp_path, *SLOWLY, "set net:reconnect-interval-base 1", "get data")
    assert (tmp_path / "here" / "data").read_bytes() == expected
    assert len(sent(ended, "RETR")) == 2 and sent(ended, "REST")
