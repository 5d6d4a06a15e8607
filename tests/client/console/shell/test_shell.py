"""The loop of the shell, its questions and its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail

from ftpservice_client import AuthenticationFailed, NotFound
from ftpservice_client.console.session import session as session_module
from ftpservice_client.console.session.errors import InputEnded, InputInterrupted
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.shell.history import HistoryFile
from ftpservice_client.console.shell.shell import Shell
from tests.support.shell_session import Seat, ended


class Typist:
    """Types prepared lines, or ends one with the exception that stands for a key."""

    def __init__(self, *lines: str | Exception) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []

    async def line(self, prompt: str) -> str:
        self.prompts.append(prompt)
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line


def shell(seat: Seat, path: Path, typist: Any, first: str = "") -> None:
    work = Shell(seat.session, SHELL_COMMANDS, HistoryFile(path / "history")).run(typist, first)
    assert ended(Deferred.fromCoroutine(work)) is None


def test_lines_are_done_until_somebody_leaves(tmp_path: Path) -> None:
    seat = Seat().connected()
    typist = Typist("pwd", InputInterrupted(), "", "quit", "pwd")
    shell(seat, tmp_path, typist)
    assert seat.out.text == "/in\n"
    assert typist.lines == ["pwd"]
    assert (tmp_path / "history").read_text() == "pwd\nquit\n"


def test_an_error_is_a_line_and_no_end(tmp_path: Path) -> None:
    seat = Seat().connected()
    seat.client.delete.side_effect = lambda name: fail(NotFound("x\x1b: no such file"))
    shell(seat, tmp_path, Typist("delf x", "gte x", "pwd", InputEnded()))
    assert seat.err.text == (
        "x\\x1b: no such file\nThere is no word 'gte' here; did you mean get?\n"
    )
    assert seat.out.text == "/in\n"


def test_leaving_closes_the_connection(tmp_path: Path) -> None:
    seat = Seat().connected()
    shell(seat, tmp_path, Typist(InputEnded()))
    seat.client.quit.assert_called_once_with()


def test_the_first_line_may_come_from_the_command(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        session_module, "connect", lambda *_, **__: fail(AuthenticationFailed("login failed"))
    )
    seat = Seat(attended=False)
    typist = Typist(InputEnded())
    shell(seat, tmp_path, typist, 'open "ftp://ann:secret@h"')
    assert seat.err.text == "login failed\n"
    assert typist.prompts == ["ftpservice> "]
    assert not (tmp_path / "history").exists()


def test_a_question_that_is_not_answered_is_no_error(tmp_path: Path) -> None:
    seat = Seat().connected()

    async def ask(question: str, *, secret: bool = False) -> str:
        raise InputInterrupted

    seat.person.ask = ask  # type: ignore[method-assign]
    shell(seat, tmp_path, Typist("get", InputEnded()))
    assert seat.err.text == ""
