"""curl with TLS: explicit and implicit, TLS 1.2 and 1.3.

Passive only: active data connections of curl 7.88 are plaintext even after PROT P.
This is fixed in curl 8.0. Passive ones sometimes sleep, so many files are transferred in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.curl import Curl
from tests.support.raw_client import LOCAL, RunningService, in_thread, started, starting
from tests.support.trees import BIG, assert_same, content, files, make_files, small_files

FIXTURES = (started, starting)
IMPLICIT = ("--implicit", f"tcp:0:interface={LOCAL}")
VERSIONS = {"1.2": ("--tls-max", "1.2"), "1.3": ("--tlsv1.3",)}
LOGIN_DENIED, NO_TLS, NOT_BELIEVED = 67, 64, 60
versions = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
PARALLEL = ("-Z", "--parallel-max", "30")
kinds = pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])


class TLSCurl(Curl):
    """curl that requires TLS and accepts every certificate."""

    implicit = False

    def url(self, path: str = "", account: str = "demo:demo") -> str:
        """Return the URL of a path."""
        plain = super().url(path, account)
        if not self.implicit:
            return plain
        explicit, implicit = f":{self.served.port}/", f":{self.served.ports[-1]}/"
        return plain.replace("ftp:", "ftps:", 1).replace(explicit, implicit, 1)


@pytest.fixture
def curl(server: Callable[..., RunningService], tmp_path: Path) -> TLSCurl:
    """curl for a service with explicit and implicit TLS."""
    return TLSCurl(server(*IMPLICIT), tmp_path)


def options(implicit: bool, *more: str) -> list[str | Path]:
    return ["-k", *([] if implicit else ["--ssl-reqd"]), *more]


@versions
@kinds
@in_thread
def test_a_big_file_both_ways(
    curl: TLSCurl, tmp_path: Path, version: tuple[str, ...], implicit: bool
) -> None:
    curl.implicit = implicit
    here, back = make_files(tmp_path / "here", {"big": BIG}), tmp_path / "back"
    words = options(implicit, *version)
    curl(*words, "-T", here / "big", curl.url("big"))
    assert_same(here, curl.served.root)
    curl(*words, "-o", back, curl.url("big"))
    assert back.read_bytes() == (here / "big").read_bytes()


@versions
@kinds
@in_thread
def test_hundreds_of_small_files(
    curl: TLSCurl, tmp_path: Path, version: tuple[str, ...], implicit: bool
) -> None:
    curl.implicit = implicit
    here, back = small_files(tmp_path / "here", 300), tmp_path / "back"
    up = options(implicit, *version, "--fail-early", *PARALLEL)
    down = [*up, "--create-dirs"]
    for path in files(here):
        up += ["-T", here / path, curl.url(str(path))]
        down += ["-o", back / path, curl.url(str(path))]
    curl(*up)
    curl(*down)
    assert_same(here, curl.served.root)
    assert_same(here, back)


@pytest.mark.parametrize(("version", "count"), [("1.2", 15), ("1.3", 1)])
@kinds
@in_thread
def test_small_files_passively_with_their_session_required(
    server: Callable[..., RunningService], tmp_path: Path, version: str, count: int, implicit: bool
) -> None:
    """With TLS 1.3 curl uses no ticket twice and gets one for each control connection."""
    curl = TLSCurl(server(*IMPLICIT, "--require-session-reuse"), tmp_path)
    curl.implicit = implicit
    here, back = small_files(tmp_path / "here", count), tmp_path / "back"
    up = options(implicit, *VERSIONS[version], "--fail-early")
    down = [*up, "--create-dirs"]
    for path in files(here):
        up += ["-T", here / path, curl.url(str(path))]
        down += ["-o", back / path, curl.url(str(path))]
    curl(*up)
    curl(*down)
    assert_same(here, curl.served.root)
    assert_same(here, back)


@versions
@in_thread
def test_parts_resumes_and_listings(
    curl: TLSCurl, tmp_path: Path, version: tuple[str, ...]
) -> None:
    data, back = content(300_000), tmp_path / "back"
    (curl.served.root / "file").write_bytes(data)
    (curl.served.root / "empty").mkdir()
    words = options(False, *version)
    curl(*words, "-r", "100-70000", "-o", back, curl.url("file"))
    assert back.read_bytes() == data[100:70_001]
    back.write_bytes(data[:100_000])
    curl(*words, "-C", "-", "-o", back, curl.url("file"))
    assert back.read_bytes() == data
    assert curl(*words, "-l", curl.url("empty/")).stdout == ""
    assert curl(*words, "-l", curl.url()).stdout.split() == ["empty", "file"]
    (tmp_path / "log").write_bytes(data[:1000])
    for _ in range(2):
        curl(*words, "-a", "-T", tmp_path / "log", curl.url("log"))
    assert (curl.served.root / "log").read_bytes() == data[:1000] * 2


@in_thread
def test_plaintext_control_and_encrypted_data(
    server: Callable[..., RunningService], tmp_path: Path
) -> None:
    curl = TLSCurl(server("--allow-ccc"), tmp_path)
    here = make_files(tmp_path / "here", {"file": 200_000})
    words = options(False, "--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", "active", "-v")
    said = curl(*words, "-T", here / "file", curl.url("file")).stderr
    assert "> CCC" in said
    assert_same(here, curl.served.root)


@in_thread
def test_encrypted_control_and_plaintext_data(curl: TLSCurl, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"file": 200_000})
    words = ["-k", "--ftp-ssl-control", "-v"]
    assert "> PROT C" in curl(*words, "-T", here / "file", curl.url("file")).stderr
    assert_same(here, curl.served.root)


@in_thread
def test_refused_commands(server: Callable[..., RunningService], tmp_path: Path) -> None:
    words = ("--tls", "required", "--tls-data", "required", "--tls-handshake-timeout", "1")
    curl = TLSCurl(server(*words), tmp_path)
    make_files(curl.served.root, {"file": 10})
    curl(curl.url("file"), status=LOGIN_DENIED)
    curl("--ssl-reqd", curl.url("file"), status=NOT_BELIEVED)
    assert "< 534" in curl("-k", "-v", "--ftp-ssl-control", curl.url("file"), status=None).stderr
    without = TLSCurl(server("--tls", "off"), tmp_path)
    without("-k", "--ssl-reqd", without.url("file"), status=NO_TLS)
