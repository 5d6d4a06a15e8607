"""The documentation of the client: its examples run, its reference is current."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ftpservice_client
from ftpservice_client.errors import ClientError
from tests.support.docs_pages import DOCS, EXAMPLES, blocks, read
from tests.support.service_process import PATIENCE, Program, checkout_environment

NAMES = sorted(path.name for path in EXAMPLES.glob("*client_*.py"))
SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
LOOPBACK = "--listen=tcp:0:interface=127.0.0.1"
ACCOUNT = "--auth=memory:ann:secret"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Path]]:
    place = tmp_path_factory.mktemp("service")
    (place / "files").mkdir()
    with Program([*SERVE, LOOPBACK, ACCOUNT, "--root=files"], place) as running:
        running.port()
        yield running, place


def follow(service: tuple[Program, Path], name: str, place: Path, *more: str, scheme: str) -> str:
    """Run an example; return its output."""
    url = f"{scheme}://ann:secret@127.0.0.1:{service[0].port()}/"
    ended = subprocess.run(
        [sys.executable, EXAMPLES / name, url, *more],
        cwd=place,
        env=checkout_environment() | {"HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_examples(name: str) -> None:
    assert read(EXAMPLES / name) in [block.text for block in blocks("python")]


@pytest.mark.parametrize("name", ["client_blocking.py", "client_asyncio.py"])
def test_blocking_and_asyncio_examples(
    service: tuple[Program, Path], tmp_path: Path, name: str
) -> None:
    (tmp_path / "report.pdf").write_bytes(b"report")
    assert "report.pdf" in follow(service, name, tmp_path, scheme="ftp")
    (service[1] / "files" / "report.pdf").unlink()


def test_other_ways_to_connect_examples(service: tuple[Program, Path], tmp_path: Path) -> None:
    said = follow(service, "client_before_login.py", tmp_path, scheme="ftp")
    assert said == "ftpservice ready\nnot encrypted\n/\n"
    port = str(service[0].port())
    said = follow(service, "client_endpoint.py", tmp_path, "127.0.0.1", port, scheme="ftp")
    assert said.endswith(" entries\n")


def test_transfer_example(service: tuple[Program, Path], tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(b"report")
    said = follow(service, "client_transfer.py", tmp_path, scheme="ftp")
    assert "report.pdf 6\n" in said
    assert "6 bytes downloaded" in said
    assert (tmp_path / "copy.pdf").read_bytes() == b"report"
    assert "a few words" in follow(service, "client_callbacks.py", tmp_path, scheme="ftp")


def test_errors_example(service: tuple[Program, Path], tmp_path: Path) -> None:
    output = [
        follow(service, "client_errors.py", tmp_path, "none", scheme=scheme)
        for scheme in ("ftp", "ftpes", "http", "simple")
    ]
    assert [text.partition(":")[0] for text in output] == [
        *("no such file", "certificate not trusted", "failed", "failed"),
    ]
    fingerprint = output[1].split()[-1]
    said = follow(service, "client_pinned.py", tmp_path, fingerprint, scheme="ftpes")
    assert " entries\n" in said


def test_resume_and_cancel_examples(service: tuple[Program, Path], tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (service[1] / "files" / "large").write_bytes(content)
    (tmp_path / ".large.part").write_bytes(content[:1_000_000])
    os.utime(tmp_path / ".large.part", (2**32, 2**32))
    said = follow(service, "client_resume.py", tmp_path, "large", scheme="ftp")
    assert (tmp_path / "large").read_bytes() == content
    assert "3000000 of 3000000 bytes" in said
    said = follow(service, "client_cancel.py", tmp_path, "large", "30", scheme="ftp")
    assert "in time" in said
    said = follow(service, "client_cancel.py", tmp_path, "large", "0", scheme="ftp")
    assert said == "cancelled\n/\n"


def test_mirror_and_pool_examples(service: tuple[Program, Path], tmp_path: Path) -> None:
    top = service[1] / "files"
    (top / "deep").mkdir()
    (top / "deep" / "one").write_bytes(b"1")
    (top / "x.tmp").write_bytes(b"")
    said = follow(service, "client_mirror.py", tmp_path, "copy", scheme="ftp")
    assert "download deep/one\n" in said
    assert (tmp_path / "copy" / "deep" / "one").read_bytes() == b"1"
    assert not (tmp_path / "copy" / "x.tmp").exists()
    (top / "deep" / "one").unlink()
    (top / "deep").rmdir()
    assert re.search(r"^\d+ bytes$", follow(service, "client_pool.py", tmp_path, scheme="ftp"))


def test_testing_example(tmp_path: Path) -> None:
    environment = checkout_environment()
    paths = os.pathsep.join([environment["PYTHONPATH"], str(EXAMPLES)])
    ended = subprocess.run(
        [Path(sys.executable).parent / "trial", "test_client_program"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert "PASSED (successes=3)" in ended.stdout, ended.stdout


def test_the_reference_is_current_and_complete() -> None:
    page = runpy.run_path(str(DOCS / "make_client_api.py"))
    assert page["made"]() == read(page["PAGE"]), "run docs/make_client_api.py"
    assert set(ftpservice_client.__all__) - page["described"]() == set()
    kinds = [getattr(ftpservice_client, name) for name in ftpservice_client.__all__]
    assert all(kind.__doc__ for kind in kinds if isinstance(kind, type))
    assert issubclass(ftpservice_client.Timeout, ClientError)
