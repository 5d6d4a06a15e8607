"""A person at a terminal: the real command, a real pseudo-terminal, a real service."""

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
    """Logged in, at the prompt."""
    with at_terminal(
        ["--tls=never", f"ftp://demo:demo@127.0.0.1:{port}"], home, environment(home)
    ) as terminal:
        terminal.sees(PROMPT)
        yield terminal


def test_a_person_connects_and_is_asked_for_the_password(home: Path, port: int) -> None:
    with at_terminal(["--tls=never"], home, environment(home)) as terminal:
        terminal.sees("ftpservice>")
        terminal.enter(f"CONN ftp://demo@127.0.0.1:{port}/")
        terminal.sees("Password:")
        terminal.enter("demo")
        assert "demo" not in terminal.sees(PROMPT)
        terminal.enter("pwd")
        terminal.sees("\n/\r\n")
        terminal.sees(PROMPT)
        terminal.enter("QUIT")
        assert terminal.ended() == 0
    history = home / "state" / "ftpservice" / "history"
    assert history.read_text().splitlines() == [
        f"CONN ftp://demo@127.0.0.1:{port}/",
        "pwd",
        "QUIT",
    ]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_files_go_there_and_come_back(terminal: Terminal, home: Path, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (home / "here it is").write_bytes(content)
    terminal.enter("put")
    terminal.sees("File here:")
    terminal.enter("here it is")
    terminal.sees(r"here it is \(97.7 KiB\)")
    terminal.sees(PROMPT)
    assert (tmp_path / "files" / "here it is").read_bytes() == content
    terminal.enter("ls")
    terminal.sees("100,000 .*here it is")
    terminal.sees(PROMPT)
    terminal.enter("DWLD here it is")
    terminal.sees(r"here it is \(97.7 KiB\)")
    terminal.sees(PROMPT)
    terminal.enter('get "here it is" copy')
    terminal.sees(r"\(97.7 KiB\)")
    terminal.sees(PROMPT)
    assert (home / "copy").read_bytes() == content
    terminal.enter("DELF here it is")
    terminal.sees("Deleted file: here it is")
    terminal.sees(PROMPT)
    terminal.type(CTRL_D)
    assert terminal.ended() == 0
    assert list((tmp_path / "files").iterdir()) == []


def test_tab_completes_words_and_names(terminal: Terminal, home: Path, tmp_path: Path) -> None:
    (home / "local file.txt").write_bytes(b"x")
    (tmp_path / "files" / "remote file.txt").write_bytes(b"content")
    terminal.type(f"mirr{TAB}")
    terminal.sees("mirror")
    terminal.type(CTRL_C)
    terminal.sees(PROMPT)
    terminal.type(f"put loc{TAB}")
    terminal.sees('"local file.txt"')
    terminal.type("\r")
    terminal.sees(r"Uploaded file: local file.txt \(1 byte\)")
    terminal.sees(PROMPT)
    terminal.type(f"cat rem{TAB}")
    terminal.sees('"remote file.txt"')
    terminal.type("\r")
    terminal.sees("content")


def test_errors_are_one_line_and_never_a_traceback(terminal: Terminal) -> None:
    terminal.enter("get nothing")
    said = terminal.sees("nothing: No such file or directory") + terminal.sees(PROMPT)
    assert "Traceback" not in said
    terminal.enter("gte x")
    terminal.sees("did you mean get")
    terminal.enter("!echo from the system")
    terminal.sees("\nfrom the system\r\n")
    terminal.sees(PROMPT)


def test_the_prompt_stands_behind_what_ended_without_a_line_end(terminal: Terminal) -> None:
    terminal.enter("!stty columns 50; printf abc")
    terminal.sees("\nabc")
    assert " " * 50 + "\r" in terminal.sees(PROMPT)


def test_ctrl_c_stops_the_transfer_and_not_the_shell(home: Path, tmp_path: Path) -> None:
    with service(tmp_path, "--rate-down=100K", "--rate-up=100K") as (_, port):
        (tmp_path / "files" / "big").write_bytes(bytes(20_000_000))
        (home / "large").write_bytes(bytes(20_000_000))
        url = f"ftp://demo:demo@127.0.0.1:{port}"
        with at_terminal(["--tls=never", url], home, environment(home)) as terminal:
            terminal.sees(PROMPT)
            for line, size in (("get big", "19.1 MiB"), ("put large", "19.1 MiB")):
                terminal.enter(line)
                terminal.sees(f"/{size}")
                terminal.type(CTRL_C)
                terminal.sees("Interrupted")
                terminal.sees(PROMPT)
                terminal.enter("pwd")
                terminal.sees("\n/\r\n")
                terminal.sees(PROMPT)
            terminal.enter("ls -1")
            terminal.sees("big\r\n")
            assert "large" not in terminal.sees(PROMPT)
            terminal.enter("exit")
            assert terminal.ended() == 0
    assert not (home / "big").exists()


@pytest.mark.parametrize("line", ["put large", "get big"])
def test_the_bar_moves_while_a_file_does(home: Path, tmp_path: Path, line: str) -> None:
    with service(tmp_path, "--rate-down=10M", "--rate-up=10M") as (_, port):
        (tmp_path / "files" / "big").write_bytes(bytes(20 << 20))
        (home / "large").write_bytes(bytes(20 << 20))
        url = f"ftp://demo:demo@127.0.0.1:{port}"
        with at_terminal(["--tls=never", url], home, environment(home)) as terminal:
            terminal.sees(PROMPT)
            terminal.enter(line)
            for _ in range(2):
                terminal.sees(r"(?<![0-9.])(?:[1-9]|1[0-9])\.[0-9]/20\.0 MiB")
            terminal.sees(PROMPT)


def test_a_wrong_password_is_said_and_asked_for_again_by_hand(home: Path, port: int) -> None:
    with at_terminal(
        ["--tls=never", f"ftp://demo@127.0.0.1:{port}"], home, environment(home)
    ) as terminal:
        terminal.sees("Password:")
        terminal.enter("wrong")
        said = terminal.sees(r"127\.0\.0\.1>")
        assert "ogin" in said
        assert "wrong" not in said
        terminal.enter("user demo")
        terminal.sees("Password:")
        terminal.enter("demo")
        terminal.sees(PROMPT)


def test_a_server_that_is_gone_is_said_in_one_line(home: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (running, port):
        words = ["--retries=0", f"ftp://demo:demo@127.0.0.1:{port}"]
        with at_terminal(["--tls=never", *words], home, environment(home)) as terminal:
            terminal.sees(PROMPT)
            running.process.kill()
            running.ended()
            terminal.enter("ls")
            said = terminal.sees("connection")
            rest = terminal.sees(PROMPT)
            assert "Traceback" not in said + rest
            assert len(rest.strip().splitlines()) <= 1
            terminal.enter("lpwd")
            terminal.sees(str(home))
            terminal.sees(PROMPT)
            terminal.enter("quit")
            assert terminal.ended() == 0


def test_conn_user_and_pass_log_in_and_an_unknown_certificate_is_asked_for_once(
    home: Path, tmp_path: Path
) -> None:
    (home / "file.txt").write_bytes(b"hello world")
    with service(tmp_path) as (_, port):
        with at_terminal([], home, environment(home)) as terminal:
            terminal.sees("ftpservice>")
            terminal.enter(f"CONN 127.0.0.1 {port}")
            shown = terminal.sees("Trust it from now on")
            assert "SHA-256" in shown
            assert "valid" in shown
            terminal.enter("y")
            said = terminal.sees("Connected to 127.0.0.1 under TLS")
            assert "ftpservice ready" in said
            terminal.sees(r"127\.0\.0\.1>")
            terminal.enter("USER demo")
            terminal.sees("Password:")
            terminal.enter("PASS demo")
            terminal.sees(PROMPT)
            terminal.enter("UPLD file.txt")
            terminal.sees(r"Uploaded file: file\.txt \(11 bytes\)")
            terminal.enter("DWLD file.txt")
            terminal.sees(r"Downloaded file: file\.txt \(11 bytes\)")
            terminal.enter("DELF file.txt")
            terminal.sees(r"Deleted file: file\.txt")
            terminal.enter("QUIT")
            terminal.sees("Disconnected from server")
            assert terminal.ended() == 0
        with at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as again:
            assert "Trust" not in again.sees("Connected to 127.0.0.1 under TLS")
            again.sees(PROMPT)
        known = home / ".config" / "ftpservice" / "known_hosts"
        known.write_text(f"127.0.0.1:{port} {':'.join(['AB'] * 32)}\n")
        with at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as other:
            other.sees("has CHANGED")
            other.sees("ftpservice>")


def test_a_certificate_that_is_not_accepted_ends_it(home: Path, port: int) -> None:
    with at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as terminal:
        terminal.sees("Trust it from now on")
        terminal.enter("")
        terminal.sees("not trusted")
        terminal.sees("ftpservice>")
    assert not (home / ".config" / "ftpservice" / "known_hosts").exists()


def test_a_password_that_would_go_in_clear_is_warned_about(home: Path, tmp_path: Path) -> None:
    words = ["--tls=off", "--tls-data=off"]
    with (
        service(tmp_path, *words) as (_, port),
        at_terminal([f"ftp://demo:demo@127.0.0.1:{port}/"], home, environment(home)) as shell,
    ):
        shell.sees("password of demo goes to 127.0.0.1 in clear")
        shell.sees(PROMPT)
