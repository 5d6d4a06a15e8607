"""lftp with TLS: mirrors in both directions, big and many files, explicit and implicit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.lftp import lftp, sent
from tests.support.raw_client import LOCAL, RunningService, in_thread, started, starting
from tests.support.trees import BIG, assert_same, make_files, make_tree, small_files

FIXTURES = (started, starting)
BELIEVING = "set ftp:ssl-allow yes; set ssl:verify-certificate no"
FORCED = ("set ftp:ssl-force yes", "set ftp:ssl-protect-data yes", "set ftp:ssl-protect-list yes")
CHOICES = {
    "in a pipeline": ("set ftp:sync-mode off",),
    "one command at a time": ("set ftp:sync-mode on",),
    "active": ("set ftp:passive-mode no",),
    "extended passive": ("set ftp:prefer-epsv yes",),
    "four at once": ("set mirror:parallel-transfer-count 4",),
    "in pieces": ("set mirror:use-pget-n 3", "set pget:min-chunk-size 1k"),
}
MIRRORS = ("mirror -R tree there", "mirror there back")


class Secured:
    """lftp for a service with explicit and implicit TLS."""

    def __init__(self, served: RunningService, tmp_path: Path, implicit: bool) -> None:
        self.served = served
        self.tmp_path = tmp_path
        self._implicit = implicit

    def __call__(self, *commands: str) -> list[str]:
        """Run commands; return the plaintext data connections."""
        kinds = {"port": self.served.ports[-1], "host": f"ftps://{LOCAL}"} if self._implicit else {}
        ended = lftp(self.served, self.tmp_path, BELIEVING, *FORCED, *commands, **kinds)
        assert self._implicit or sent(ended, "AUTH TLS")
        return sent(ended, "PROT C")


@pytest.fixture(params=[False, True], ids=["explicit", "implicit"])
def secured(
    request: pytest.FixtureRequest, server: Callable[..., RunningService], tmp_path: Path
) -> Secured:
    served = server("--implicit", f"tcp:0:interface={LOCAL}", "--tls-data", "required")
    return Secured(served, tmp_path, request.param)


@pytest.mark.parametrize("choice", CHOICES)
@in_thread
def test_mirror_both_ways(secured: Secured, tmp_path: Path, choice: str) -> None:
    tree = make_tree(tmp_path / "here" / "tree")
    assert secured(*CHOICES[choice], *MIRRORS) == []
    assert_same(tree, secured.served.root / "there", times=True)
    assert_same(tree, tmp_path / "here" / "back", times=True)


@in_thread
def test_hundreds_of_small_files_both_ways(secured: Secured, tmp_path: Path) -> None:
    tree = small_files(tmp_path / "here" / "tree", 300)
    secured(*MIRRORS)
    assert_same(tree, secured.served.root / "there", times=True)
    assert_same(tree, tmp_path / "here" / "back", times=True)


@in_thread
def test_a_big_file_both_ways(secured: Secured, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"big": BIG})
    secured("put big", "get big -o whole", "pget -n 4 big -o pieces")
    expected = (here / "big").read_bytes()
    assert (secured.served.root / "big").read_bytes() == expected
    assert (here / "whole").read_bytes() == expected
    assert (here / "pieces").read_bytes() == expected


@in_thread
def test_lftp_uses_tls_by_default(served: RunningService, tmp_path: Path) -> None:
    """With its default settings lftp sends AUTH if FEAT lists it."""
    tree = make_tree(tmp_path / "here" / "tree")
    ended = lftp(served, tmp_path, BELIEVING, *MIRRORS)
    assert sent(ended, "AUTH TLS")
    assert_same(tree, served.root / "there", times=True)
