"""The loop of the interactive shell."""

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
from tests.support.shell_session import MemoryShell, result_of


class PreparedPrompt:
    """Returns prepared lines, or raises the exception of Ctrl-C or Ctrl-D."""

    def __init__(self, *lines: str | Exception) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []

    async def line(self, prompt: str) -> str:
        self.prompts.append(prompt)
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line


def run_shell(shell: MemoryShell, path: Path, typist: Any, first: str = "") -> None:
    work = Shell(shell.session, SHELL_COMMANDS, HistoryFile(path / "history")).run(typist, first)
    assert result_of(Deferred.fromCoroutine(work)) is None


def test_lines_run_until_quit(tmp_path: Path) -> None:
    shell = MemoryShell().connected()
    typist = PreparedPrompt("pwd", InputInterrupted(), "", "quit", "pwd")
    run_shell(shell, tmp_path, typist)
    assert shell.out.text == "/in\n"
    assert typist.lines == ["pwd"]
    assert (tmp_path / "history").read_text() == "pwd\nquit\n"


def test_errors_are_printed_and_the_shell_continues(tmp_path: Path) -> None:
    shell = MemoryShell().connected()
    shell.client.delete.side_effect = lambda name: fail(NotFound("x\x1b: no such file"))
    run_shell(shell, tmp_path, PreparedPrompt("delf x", "gte x", "pwd", InputEnded()))
    assert shell.err.text == ("x\\x1b: no such file\nUnknown command: gte. Did you mean get?\n")
    assert shell.out.text == "/in\n"


def test_the_end_of_input_closes_the_connection(tmp_path: Path) -> None:
    shell = MemoryShell().connected()
    run_shell(shell, tmp_path, PreparedPrompt(InputEnded()))
    shell.client.quit.assert_called_once_with()


def test_the_first_line_runs_before_the_prompt(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        session_module, "connect", lambda *_, **__: fail(AuthenticationFailed("login failed"))
    )
    shell = MemoryShell(interactive=False)
    typist = PreparedPrompt(InputEnded())
    run_shell(shell, tmp_path, typist, 'open "ftp://ann:secret@h"')
    assert shell.err.text == "login failed\n"
    assert typist.prompts == ["ftpservice> "]
    assert not (tmp_path / "history").exists()


def test_an_interrupted_question_prints_no_error(tmp_path: Path) -> None:
    shell = MemoryShell().connected()

    async def ask(question: str, *, secret: bool = False) -> str:
        raise InputInterrupted

    shell.prompter.ask = ask  # type: ignore[method-assign]
    run_shell(shell, tmp_path, PreparedPrompt("get", InputEnded()))
    assert shell.err.text == ""
