"""The shell as a process on a pseudo-terminal, with a running service."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pseudo_terminal import Terminal, at_terminal, environment, service

PROMPT = "demo@127.0.0.1:/>"
CTRL_C, CTRL_D, TAB = "\x03", "\x04", "\t"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with service(tmp_path) as (_, port):
        yield port


@pytest.fixture
def terminal(home: Path, port: int) -> Iterator[Terminal]:
    """A shell after its login."""
    with at_terminal(
        ["--tls=never", f"ftp://demo:demo@127.0.0.1:{port}"], home, environment(home)
    ) as terminal:
        terminal.expect(PROMPT)
        yield terminal


def test_open_asks_for_the_password(home: Path, port: int) -> None:
    with at_terminal(["--tls=never"], home, environment(home)) as terminal:
        terminal.expect("ftpservice>")
        terminal.enter(f"CONN ftp://demo@127.0.0.1:{port}/")
        terminal.expect("Password:")
        terminal.enter("demo")
        assert "demo" not in terminal.expect(PROMPT)
        terminal.enter("pwd")
        terminal.expect("\n/\r\n")
        terminal.expect(PROMPT)
        terminal.enter("QUIT")
        assert terminal.wait() == 0
    history = home / "state" / "ftpservice" / "history"
    assert history.read_text().splitlines() == [
        f"CONN ftp://demo@127.0.0.1:{port}/",
        "pwd",
        "QUIT",
    ]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_files_are_uploaded_and_downloaded(terminal: Terminal, home: Path, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (home / "here it is").write_bytes(content)
    terminal.enter("put")
    terminal.expect("Local file:")
    terminal.enter("here it is")
    terminal.expect(r"here it is \(97.7 KiB\)")
    terminal.expect(PROMPT)
    assert (tmp_path / "files" / "here it is").read_bytes() == content
    terminal.enter("ls")
    terminal.expect("100,000 .*here it is")
    terminal.expect(PROMPT)
    terminal.enter("DWLD here it is")
    terminal.expect(r"here it is \(97.7 KiB\)")
    terminal.expect(PROMPT)
    terminal.enter('get "here it is" copy')
    terminal.expect(r"\(97.7 KiB\)")
    terminal.expect(PROMPT)
    assert (home / "copy").read_bytes() == content
    terminal.enter("DELF here it is")
    terminal.expect("Deleted file: here it is")
    terminal.expect(PROMPT)
    terminal.type(CTRL_D)
    assert terminal.wait() == 0
    assert list((tmp_path / "files").iterdir()) == []


def test_tab_completes_commands_and_names(terminal: Terminal, home: Path, tmp_path: Path) -> None:
    (home / "local file.txt").write_bytes(b"x")
    (tmp_path / "files" / "remote file.txt").write_bytes(b"content")
    terminal.type(f"mirr{TAB}")
    terminal.expect("mirror")
    terminal.type(CTRL_C)
    terminal.expect(PROMPT)
    terminal.type(f"put loc{TAB}")
    terminal.expect('"local file.txt"')
    terminal.type("\r")
    terminal.expect(r"Uploaded file: local file.txt \(1 byte\)")
    terminal.expect(PROMPT)
    terminal.type(f"cat rem{TAB}")
    terminal.expect('"remote file.txt"')
    terminal.type("\r")
    terminal.expect("content")


def test_errors_are_one_line_without_traceback(terminal: Terminal) -> None:
    terminal.enter("get nothing")
    said = terminal.expect("nothing: No such file or directory") + terminal.expect(PROMPT)
    assert "Traceback" not in said
    terminal.enter("gte x")
    terminal.expect("Did you mean get")
    terminal.enter("!echo from the system")
    terminal.expect("\nfrom the system\r\n")
    terminal.expect(PROMPT)


def test_the_prompt_follows_output_without_a_line_end(terminal: Terminal) -> None:
    terminal.enter("!stty columns 50; printf abc")
    terminal.expect("\nabc")
    assert " " * 50 + "\r" in terminal.expect(PROMPT)


def test_ctrl_c_cancels_the_transfer_and_not_the_shell(home: Path, tmp_path: Path) -> None:
    with service(tmp_path, "--rate-down=100K", "--rate-up=100K") as (_, port):
        (tmp_path / "files" / "big").write_bytes(bytes(20_000_000))
        (home / "large").write_bytes(bytes(20_000_000))
        url = f"ftp://demo:demo@127.0.0.1:{port}"
        with at_terminal(["--tls=never", url], home, environment(home)) as terminal:
            terminal.expect(PROMPT)
            for line, size in (("get big", "19.1 MiB"), ("put large", "19.1 MiB")):
                terminal.enter(line)
                terminal.expect(f"/{size}")
                terminal.type(CTRL_C)
                terminal.expect("Interrupted")
                terminal.expect(PROMPT)
                terminal.enter("pwd")
                terminal.expect("\n/\r\n")
                terminal.expect(PROMPT)
            terminal.enter("ls -1")
            terminal.expect("big\r\n")
            assert "large" not in terminal.expect(PROMPT)
            terminal.enter("exit")
            assert terminal.wait() == 0
    assert not (home / "big").exists()


@pytest.mark.parametrize("line", ["put large", "get big"])
def test_the_progress_bar_advances(home: Path, tmp_path: Path, line: str) -> None:
    with service(tmp_path, "--rate-down=10M", "--rate-up=10M") as (_, port):
        (tmp_path / "files" / "big").write_bytes(bytes(20 << 20))
        (home / "large").write_bytes(bytes(20 << 20))
        url = f"ftp://demo:demo@127.0.0.1:{port}"
        with at_terminal(["--tls=never", url], home, environment(home)) as terminal:
            terminal.expect(PROMPT)
            terminal.enter(line)
            for _ in range(2):
                terminal.expect(r"(?<![0-9.])(?:[1-9]|1[0-9])\.[0-9]/20\.0 MiB")
            terminal.expect(PROMPT)


def test_after_a_wrong_password_user_asks_again(home: Path, port: int) -> None:
    with at_terminal(
        ["--tls=never", f"ftp://demo@127.0.0.1:{port}"], home, environment(home)
    ) as terminal:
        terminal.expect("Password:")
        terminal.enter("wrong")
        said = terminal.expect(r"127\.0\.0\.1>")
        assert "ogin" in said
        assert "wrong" not in said
        terminal.enter("user demo")
        terminal.expect("Password:")
        terminal.enter("demo")
        terminal.expect(PROMPT)


def test_a_lost_connection_is_one_line(home: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (running, port):
        words = ["--retries=0", f"ftp://demo:demo@127.0.0.1:{port}"]
        with at_terminal(["--tls=never", *words], home, environment(home)) as terminal:
            terminal.expect(PROMPT)
            running.process.kill()
            running.ended()
            terminal.enter("ls")
            said = terminal.expect("connection")
            rest = terminal.expect(PROMPT)
            assert "Traceback" not in said + rest
            assert len(rest.strip().splitlines()) <= 1
            terminal.enter("lpwd")
            terminal.expect(str(home))
            terminal.expect(PROMPT)
            terminal.enter("quit")
            assert terminal.wait() == 0


def test_an_unknown_certificate_is_asked_about_once(home: Path, tmp_path: Path) -> None:
    (home / "file.txt").write_bytes(b"hello world")
    with service(tmp_path) as (_, port):
        with at_terminal([], home, environment(home)) as terminal:
            terminal.expect("ftpservice>")
            terminal.enter(f"CONN 127.0.0.1 {port}")
            shown = terminal.expect("Trust this certificate")
            assert "SHA-256" in shown
            assert "valid" in shown
            terminal.enter("y")
            said = terminal.expect("Connected to 127.0.0.1 with TLS")
            assert "ftpservice ready" in said
            terminal.expect(r"127\.0\.0\.1>")
            terminal.enter("USER demo")
            terminal.expect("Password:")
            terminal.enter("PASS demo")
            terminal.expect(PROMPT)
            terminal.enter("UPLD file.txt")
            terminal.expect(r"Uploaded file: file\.txt \(11 bytes\)")
            terminal.enter("DWLD file.txt")
            terminal.expect(r"Downloaded file: file\.txt \(11 bytes\)")
            terminal.enter("DELF file.txt")
            terminal.expect(r"Deleted file: file\.txt")
            terminal.enter("QUIT")
            terminal.expect("Disconnected from server")
            assert terminal.wait() == 0
        with at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as again:
            assert "Trust" not in again.expect("Connected to 127.0.0.1 with TLS")
            again.expect(PROMPT)
        known = home / ".config" / "ftpservice" / "known_hosts"
        known.write_text(f"127.0.0.1:{port} {':'.join(['AB'] * 32)}\n")
        with at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as other:
            other.expect("has CHANGED")
            other.expect("ftpservice>")


def test_a_rejected_certificate_ends_the_connection(home: Path, port: int) -> None:
    with at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as terminal:
        terminal.expect("Trust this certificate")
        terminal.enter("")
        terminal.expect("not trusted")
        terminal.expect("ftpservice>")
    assert not (home / ".config" / "ftpservice" / "known_hosts").exists()


def test_a_plaintext_password_prints_a_warning(home: Path, tmp_path: Path) -> None:
    words = ["--tls=off", "--tls-data=off"]
    with (
        service(tmp_path, *words) as (_, port),
        at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as shell,
    ):
        shell.expect("password of demo")
        shell.expect(PROMPT)
