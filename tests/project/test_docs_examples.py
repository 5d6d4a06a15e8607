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
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.protocols.ftp import FTPRealm

from ftpservice.api import PRESETS, EventSink, EventStream, FTPFactory, PasswordFileStore
from ftpservice.events import LoginFailed, LoginRefusal
from tests.support.docs_pages import EXAMPLES, blocks, read, write_examples
from tests.support.service_process import PATIENCE, Program, checkout_environment

BIN = Path(sys.executable).parent
SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
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
            timeout=4 * PATIENCE,
        )
        assert (ended.returncode, passed in ended.stdout) == (0, True), ended.stdout + ended.stderr


def block_with(words: str) -> dict[str, Any]:
    """Run the Python block that has these words; return its names."""
    (text,) = (block.text for block in blocks("python") if words in block.text)
    names: dict[str, Any] = {}
    exec(compile(text, words, "exec"), names)
    return names


def test_the_example_of_accounts_changes_a_password_file(tmp_path: Path) -> None:
    names, path = block_with("PasswordFileStore"), tmp_path / "passwd.db"
    store = PasswordFileStore(path)
    names["add_reader"](str(path), "ann", "first")
    first = store.find("ann")
    assert (first.rights, first.disabled) == (PRESETS["read"], False)
    names["disable"](str(path), "ann")
    assert store.find("ann").disabled
    names["add_reader"](str(path), "ann", "second")
    second = store.find("ann")
    assert not second.disabled
    assert second.password_hash != first.password_hash


def test_the_example_of_bans_refuses_connections() -> None:
    events = EventStream(lambda error, _event: pytest.fail(repr(error)))
    factory = FTPFactory(Portal(FTPRealm(".")), Clock(), event_sink=EventSink(events))
    bans = block_with("BanList(")["guard"](factory)
    for peer in ("203.0.113.5", "10.0.0.5"):
        for session in range(10):
            events.publish(LoginFailed(0.0, session, peer, "x", LoginRefusal.WRONG_PASSWORD))
    assert bans.refusal("203.0.113.5") is not None
    assert bans.refusal("10.0.0.5") is None
    assert [str(ban.network) for ban in bans.bans()] == ["203.0.113.5/32"]
    bans.ban(ip_network("198.51.100.0/24"), seconds=3600, reason="scans")
    assert "scans" in bans.refusal("198.51.100.9")
    assert bans.unban(ip_network("198.51.100.0/24"))


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
    (bench / "arrived").write_text('#!/bin/sh\necho "$1 $2" > mailed\n')
    (bench / "arrived").chmod(0o755)
    os.mkfifo(bench / "mailed")
    mailed = os.open(bench / "mailed", os.O_RDWR)
    with Program([BIN / "twistd", "--pidfile=", "-ny", "arrivals.tac"], bench) as running:
        with login(running.port(), "demo") as client:
            upload(client, "letter")
            running.line("uploaded /letter: complete")
        assert select.select([mailed], [], [], PATIENCE)[0], running.output
        running.process.terminate()
        running.ended()
    assert "Traceback" not in running.output
    assert os.read(mailed, 100) == b"demo /letter\n"
    os.close(mailed)
