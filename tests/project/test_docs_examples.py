"""The examples and the recipes of the documentation work when they are followed."""

from __future__ import annotations

import ftplib
import io
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.docs_pages import EXAMPLES, blocks, read, write_examples
from tests.support.service_process import PATIENCE, Program, checkout_environment

BIN = Path(sys.executable).parent
SERVE = [sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve"]
LOOPBACK = "--listen=tcp:0:interface=127.0.0.1"


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    write_examples(tmp_path)
    return tmp_path


def example_environment() -> dict[str, str]:
    environment = checkout_environment()
    paths = [environment["PYTHONPATH"], str(EXAMPLES)]
    return environment | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_example_storage_keeps_the_contract(tmp_path: Path) -> None:
    ended = subprocess.run(
        [BIN / "trial", "test_sqlite_storage"],
        cwd=tmp_path,
        env=example_environment(),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert ended.returncode == 0, ended.stdout
    tests = int(re.findall(r"PASSED \(successes=(\d+)\)", ended.stdout)[0])
    assert tests >= 160


def test_the_examples_of_tests_pass(tmp_path: Path) -> None:
    with_block, by_trial = (
        block.text for block in blocks("python") if "import LoopbackService" in block.text
    )
    (tmp_path / "test_with_block.py").write_text(with_block, encoding="utf-8")
    (tmp_path / "test_by_trial.py").write_text(by_trial, encoding="utf-8")
    runs = [
        [sys.executable, "-m", "pytest", "-q", "-p", "no:twisted", "test_with_block.py"],
        [str(BIN / "trial"), "test_by_trial"],
    ]
    environment = example_environment()
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    for run, passed in zip(runs, ("1 passed", "successes=1"), strict=True):
        ended = subprocess.run(
            run,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        assert (ended.returncode, passed in ended.stdout) == (0, True), ended.stdout + ended.stderr


@contextmanager
def login(port: int, name: str) -> Iterator[ftplib.FTP]:
    """A session, with names as the service spells them."""
    with ftplib.FTP(encoding="utf-8") as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login(name, "demo")
        yield client


@contextmanager
def secure_login(port: int, name: str) -> Iterator[ftplib.FTP]:
    """A session under TLS."""
    with ftplib.FTP_TLS(encoding="utf-8") as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login(name, "demo")
        client.prot_p()
        yield client


def upload(client: ftplib.FTP, name: str, data: bytes = b"hello") -> None:
    client.storbinary(f"STOR {name}", io.BytesIO(data))


def try_drop_box(port: int) -> None:
    with login(port, "scanner") as scanner:
        upload(scanner, "page.pdf")
        for forbidden in (scanner.nlst, lambda: upload(scanner, "page.pdf")):
            with pytest.raises(ftplib.error_perm, match="550"):
                forbidden()
    with secure_login(port, "office") as office:
        assert office.nlst() == ["page.pdf"]
        office.delete("page.pdf")


def try_mirror(port: int) -> None:
    with login(port, "anonymous") as anybody:
        assert anybody.nlst() == []
        with pytest.raises(ftplib.error_perm, match="550"):
            upload(anybody, "mine")


def try_directories(port: int) -> None:
    with login(port, "ann") as ann, login(port, "ben") as ben, login(port, "boss") as boss:
        upload(ann, "letter")
        assert (ann.nlst(), ben.nlst()) == (["letter"], [])
        assert sorted(boss.nlst()) == ["ann", "ben"]
        assert "ann" in boss.sendcmd("REPORT")


RECIPES: list[tuple[str, Callable[[int], None]]] = [
    ("--config scanner.toml", try_drop_box),
    ("--config mirror.toml", try_mirror),
    ("--root srv --auth passwd:passwd.db", try_directories),
]


@pytest.mark.parametrize(("options", "attempt"), RECIPES, ids=["drop box", "mirror", "directories"])
def test_a_recipe_works(bench: Path, options: str, attempt: Callable[[int], None]) -> None:
    (bench / "srv" / "mirror").rmdir() if "srv" in options else None
    with Program([*SERVE, *options.split(), LOOPBACK], bench) as running:
        attempt(running.port())
        assert running.stopped() == 0


def test_the_example_storage_is_found_by_its_name(bench: Path) -> None:
    root = "--root=sqlite:files.db:capacity=10G"
    with Program([*SERVE, root, LOOPBACK], bench, example_environment()) as running:
        with login(running.port(), "demo") as client:
            upload(client, "caf\u00e9", b"hello")
            assert client.nlst() == ["caf\u00e9"]
        assert running.stopped() == 0
    assert (bench / "files.db").stat().st_size > 0


def test_the_example_runs_a_program_for_an_upload(bench: Path) -> None:
    text = read(EXAMPLES / "arrivals.tac").replace("tcp:2121:", "tcp:0:")
    (bench / "arrivals.tac").write_text(text)
    (bench / "arrived").write_text('#!/bin/sh\necho "$1 $2" > told\n')
    (bench / "arrived").chmod(0o755)
    os.mkfifo(bench / "told")
    told = os.open(bench / "told", os.O_RDWR)
    with Program([BIN / "twistd", "--pidfile=", "-ny", "arrivals.tac"], bench) as running:
        with login(running.port(), "demo") as client:
            upload(client, "letter")
            running.line("uploaded /letter: complete")
        assert select.select([told], [], [], PATIENCE)[0], running.output
        running.process.terminate()
        running.ended()
    assert "Traceback" not in running.output
    assert os.read(told, 100) == b"demo /letter\n"
    os.close(told)
