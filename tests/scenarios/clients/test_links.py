"""Recursive clients in trees with links: targets of links survive, and loops end.

Each client removes or copies ``site``, which holds links to a directory beside it, to the directory
above, to itself and to nothing.
"""

from __future__ import annotations

import ftplib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.clients.test_basic_ftp import node
from tests.scenarios.clients.test_rclone import rclone
from tests.support.client_programs import program, run
from tests.support.lftp import lftp
from tests.support.raw_client import RunningService, in_thread, started, starting

FIXTURES = (started, starting)


def planted(served: RunningService) -> Path:
    """Create ``site`` with its links, and ``releases`` beside it, which must survive."""
    site, release = served.root / "site", served.root / "releases" / "7"
    release.mkdir(parents=True)
    (release / "kept").write_bytes(b"kept")
    (site / "sub").mkdir(parents=True)
    (site / "sub" / "file").write_bytes(b"file")
    links = {
        "current": "../releases/7",
        "absolute": str(release),
        "up": "..",
        "self": ".",
        "dangling": "none",
        "out": str(served.root.parent),
        "file": "../releases/7/kept",
    }
    for name, target in links.items():
        (site / name).symlink_to(target)
    return site


def assert_kept(served: RunningService) -> None:
    """Assert that nothing but ``site`` was changed."""
    assert sorted(os.listdir(served.root)) in (["releases"], ["releases", "site"])
    assert (served.root / "releases" / "7" / "kept").read_bytes() == b"kept"


def by_lftp(served: RunningService, tmp_path: Path) -> None:
    lftp(served, tmp_path, "rm -r site")


def by_lftp_with_facts(served: RunningService, tmp_path: Path) -> None:
    lftp(served, tmp_path, "set ftp:use-mlsd yes", "rm -r site")


def by_rclone(served: RunningService, tmp_path: Path) -> None:
    rclone(served, tmp_path, "purge", "r:site")


def by_rclone_with_lists(served: RunningService, tmp_path: Path) -> None:
    rclone(served, tmp_path, "purge", "r:site", "--ftp-disable-mlsd")


def by_basic_ftp(served: RunningService, tmp_path: Path) -> None:
    node(served, tmp_path, 'await client.removeDir("/site");')


def by_basic_ftp_with_lists(served: RunningService, tmp_path: Path) -> None:
    text = 'client.availableListCommands = ["LIST"]; await client.removeDir("/site");'
    node(served, tmp_path, text)


def by_ftplib(served: RunningService, _tmp_path: Path) -> None:
    """Delete recursively by the facts of MLSD, as Python programs do."""

    def remove(ftp: ftplib.FTP, path: str) -> None:
        for name, facts in list(ftp.mlsd(path)):
            if facts["type"] == "dir":
                remove(ftp, f"{path}/{name}")
            else:
                ftp.delete(f"{path}/{name}")
        ftp.rmd(path)

    with ftplib.FTP() as ftp:
        ftp.connect("127.0.0.1", served.port, 20)
        ftp.login("demo", "demo")
        remove(ftp, "/site")


REMOVERS = (
    by_lftp,
    by_lftp_with_facts,
    by_rclone,
    by_rclone_with_lists,
    by_basic_ftp,
    by_basic_ftp_with_lists,
    by_ftplib,
)


@in_thread
@pytest.mark.parametrize("remove", REMOVERS)
def test_removing_a_tree_removes_its_links_only(
    served: RunningService, tmp_path: Path, remove: Callable[[RunningService, Path], None]
) -> None:
    """The tree is deleted with its links; their targets stay."""
    site = planted(served)
    remove(served, tmp_path)
    assert not site.exists()
    assert_kept(served)


@in_thread
@pytest.mark.parametrize("facts", ["yes", "no"])
def test_a_mirror_that_deletes_does_not_delete_through_links(
    served: RunningService, tmp_path: Path, facts: str
) -> None:
    """``mirror -R --delete`` of an empty directory deletes the links."""
    site = planted(served)
    (tmp_path / "here" / "empty").mkdir(parents=True)
    lftp(served, tmp_path, f"set ftp:use-mlsd {facts}", "mirror -R --delete empty site")
    assert os.listdir(site) == []
    assert_kept(served)


@in_thread
@pytest.mark.parametrize("facts", ["yes", "no"])
def test_a_copy_of_a_loop_ends(served: RunningService, tmp_path: Path, facts: str) -> None:
    """lftp copies nothing twice; links are created as links."""
    planted(served)
    lftp(served, tmp_path, f"set ftp:use-mlsd {facts}", "mirror site copy")
    copy = tmp_path / "here" / "copy"
    files = [path for path in copy.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path.name for path in files] == ["file"]
    if facts == "no":
        assert os.readlink(copy / "current") == "../releases/7"


@in_thread
def test_a_link_to_a_file_is_copied_as_the_file(served: RunningService, tmp_path: Path) -> None:
    """rclone treats links as files and compares their listed sizes and times."""
    (served.root / "file").write_bytes(b"content")
    os.utime(served.root / "file", (1_600_000_000, 1_600_000_000))
    (served.root / "link").symlink_to("file")
    for _ in range(2):
        rclone(served, tmp_path, "copy", "r:", tmp_path / "copy")
    copy = tmp_path / "copy" / "link"
    assert (copy.read_bytes(), copy.stat().st_mtime) == (b"content", 1_600_000_000)


@in_thread
def test_a_recursive_listing_ends(served: RunningService, tmp_path: Path) -> None:
    """curl reads LIST -R; the loop is listed once."""
    planted(served)
    (tmp_path / "here").mkdir()
    url = f"ftp://demo:demo@127.0.0.1:{served.port}/site/"
    command = [program("curl"), "-sS", "--max-time", "20", "-X", "LIST -R", url]
    text = run(command, tmp_path).stdout
    assert text.count("self -> .") == 1
    assert "kept" not in text.replace("/7/kept", "")
