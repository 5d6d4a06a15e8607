"""wget: trees, resume, timestamping, wildcards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.client_programs import CompletedProgram, ipv6, program, run
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import BIG, assert_same, content, files, make_files, make_tree

FIXTURES = (started, starting)
REFUSED, LOGIN_DENIED = 8, 6


class Wget:
    """Runs wget against one service; its downloads are in ``back``."""

    def __init__(self, served: RunningService, tmp_path: Path, host: str = "127.0.0.1") -> None:
        self._program = program("wget")
        self._place = f"[{host}]" if ":" in host else host
        self._home = tmp_path
        self.served = served
        self.back = tmp_path / "back"
        self.back.mkdir()

    def url(self, path: str = "", safe: str = "/") -> str:
        """Return the URL of a path."""
        return f"ftp://{self._place}:{self.served.port}/{quote(path, safe=safe)}"

    def __call__(
        self, *words: str, password: str = "demo", status: int | None = 0
    ) -> CompletedProgram:
        """Run it."""
        account = ["--user", "demo", "--password", password]
        silent = [self._program, "--no-config", "-nv", "-T", "20", "-t", "1", *account]
        return run([*silent, *words], self._home, cwd=self.back, status=status)


@pytest.fixture
def wget(served: RunningService, tmp_path: Path) -> Wget:
    """wget for a service with default settings."""
    return Wget(served, tmp_path)


@in_thread
def test_a_tree_comes_whole(wget: Wget) -> None:
    make_tree(wget.served.root, without=["%41%2F"])  # wget takes names in listings for quoted ones
    wget("-r", "-nH", "-l", "inf", "--restrict-file-names=nocontrol", wget.url())
    assert_same(wget.served.root, wget.back)


@in_thread
def test_a_directory_below_another(wget: Wget) -> None:
    make_files(wget.served.root, {"a b/c/[d]/one": 70_000, "a b/c/two": 2, "a b/other": 3})
    wget("-r", "-np", "-nH", "--cut-dirs=1", wget.url("a b/c/"))
    assert {str(path) for path in files(wget.back)} == {"c/[d]/one", "c/two"}
    assert (wget.back / "c/[d]/one").read_bytes() == content(70_000, "a b/c/[d]/one")


@pytest.mark.parametrize("words", [[], ["--no-passive-ftp"]], ids=["passive", "active"])
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=ipv6)])
@in_thread
def test_a_big_file(
    server: Callable[..., RunningService], tmp_path: Path, host: str, words: list[str]
) -> None:
    listen = "tcp:0:interface=127.0.0.1" if host == "127.0.0.1" else r"tcp6:0:interface=\:\:1"
    wget = Wget(server("--listen", listen), tmp_path, host)
    make_files(wget.served.root, {"big": BIG})
    wget(*words, wget.url("big"))
    assert_same(wget.served.root, wget.back)


@in_thread
def test_a_download_is_resumed(wget: Wget) -> None:
    make_files(wget.served.root, {"file": BIG})
    whole = (wget.served.root / "file").read_bytes()
    (wget.back / "file").write_bytes(whole[: BIG // 3])
    wget("-c", wget.url("file"))
    assert (wget.back / "file").read_bytes() == whole
    wget("-c", wget.url("file"))
    assert (wget.back / "file").read_bytes() == whole


@in_thread
def test_timestamping_downloads_newer_files(wget: Wget) -> None:
    make_files(wget.served.root, {"file": 100, "other": 100})
    yesterday = int(time.time()) // 60 * 60 - 86_400  # LIST, which is what wget reads, has minutes
    for name in ("file", "other"):
        os.utime(wget.served.root / name, (yesterday, yesterday))
    wget("-N", wget.url("file"), wget.url("other"))
    assert_same(wget.served.root, wget.back, times=True)
    (wget.served.root / "file").write_bytes(content(100, "newer"))
    os.utime(wget.served.root / "file", (yesterday + 60, yesterday + 60))
    (wget.back / "other").write_bytes(content(100, "mine"))
    os.utime(wget.back / "other", (yesterday, yesterday))
    wget("-N", wget.url("file"), wget.url("other"))
    assert (wget.back / "file").read_bytes() == content(100, "newer")
    assert int((wget.back / "file").stat().st_mtime) == yesterday + 60
    assert (wget.back / "other").read_bytes() == content(100, "mine")


@in_thread
def test_wildcards(wget: Wget) -> None:
    make_files(wget.served.root, {"a1.txt": 1, "a2.txt": 2, "b.txt": 3, "d/a3.txt": 4, "a4.bin": 5})
    wget(wget.url("a*.txt", safe="/*"))
    assert {str(path) for path in files(wget.back)} == {"a1.txt", "a2.txt"}
    wget("-r", "-nH", "-A", "*.bin", wget.url())
    assert (wget.back / "a4.bin").read_bytes() == content(5, "a4.bin")


@in_thread
def test_a_mirror_is_brought_up_to_date(wget: Wget) -> None:
    make_files(wget.served.root, {"keep": 10, "d/change": 20})
    wget("-m", "-nH", wget.url())
    (wget.served.root / "d/change").write_bytes(content(30))
    (wget.served.root / "d/new").write_bytes(content(40))
    wget("-m", "-nH", wget.url())
    for path in files(wget.served.root):
        assert (wget.back / path).read_bytes() == (wget.served.root / path).read_bytes()


@in_thread
def test_an_index_of_a_directory(wget: Wget) -> None:
    make_files(wget.served.root, {"some file": 12_345, "d/e": 1})
    wget("-O", "index", wget.url())
    page = (wget.back / "index").read_text()
    assert "some%20file" in page and "(12345 bytes)" in page and "d/" in page


@in_thread
def test_exit_codes_of_refusals(wget: Wget) -> None:
    assert "No such file" in wget(wget.url("none"), status=REFUSED).stderr
    assert "No such directory" in wget(wget.url("none/none"), status=REFUSED).stderr
    wget(wget.url("file"), password="wrong", status=LOGIN_DENIED)
    assert list(files(wget.back)) == []


@in_thread
def test_spider(wget: Wget) -> None:
    make_files(wget.served.root, {"file": 1})
    wget("--spider", wget.url("file"))
    wget("--spider", wget.url("none"), status=REFUSED)
