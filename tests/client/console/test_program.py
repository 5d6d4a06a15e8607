"""The program as shell, script or one-shot command; exit statuses of a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock

from ftpservice_client import NotFound
from ftpservice_client.console import cli, program
from ftpservice_client.console.cli import ProgramRun
from ftpservice_client.console.program import LazyTerminalPrompter, Program
from ftpservice_client.console.session import session as session_module
from ftpservice_client.console.session.errors import ConsoleError, InputEnded, UsageError
from tests.support.shell_session import (
    MemoryPendingLogin,
    MemoryShell,
    MemoryStream,
    error_of,
    result_of,
)

URL = "ftp://ann:secret@h/"


class PatchedProcess:
    """The standard streams of a process, and the client of its connections.

    It is created in each test: pytest replaces the streams between fixtures and test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path, terminal: bool = False) -> None:
        self.out, self.err, self.input = (
            MemoryStream(terminal),
            MemoryStream(terminal),
            MemoryStream(terminal),
        )
        for name, stream in (("stdout", self.out), ("stderr", self.err), ("stdin", self.input)):
            monkeypatch.setattr(sys, name, stream)
        for variable in ("HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(variable, str(home))
        monkeypatch.chdir(home)
        self.client = MemoryShell().client
        connect = lambda *_, **__: succeed(self.client)  # noqa: E731
        monkeypatch.setattr(session_module, "connect", connect)
        greet = lambda destination, **_: succeed(MemoryPendingLogin(destination, connect))  # noqa: E731
        monkeypatch.setattr(session_module, "connect_without_login", greet)
        self.loop: Any = object()
        self.program = Program(MemoryReactorClock(), self.loop)

    def feed(self, text: str) -> None:
        """Put text into standard input."""
        self.input.buffer.write(text.encode())
        self.input.buffer.seek(0)

    def start(self, *words: str) -> Deferred[int]:
        return Deferred.fromCoroutine(self.program.run(words))


def test_lines_from_a_pipe_are_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)
    pipe.feed("pwd\n")
    assert result_of(pipe.start(URL)) == 0
    assert pipe.out.text == "/in\n"
    pipe.client.quit.assert_called_once_with()


def test_lines_from_a_file_are_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)
    (tmp_path / "lines").write_text("pwd\nxyzzyplugh\n")
    assert result_of(pipe.start("-f", "lines", URL)) == 2
    assert pipe.out.text == "/in\n"
    assert pipe.err.text.startswith("lines:2: Unknown command: xyzzyplugh")
    assert isinstance(error_of(pipe.start("-f", "none")), FileNotFoundError)
    assert result_of(pipe.start("-f", "lines")) == 1
    assert result_of(pipe.start("-f", "lines", "http://h/")) == 2


def test_a_one_shot_command_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)
    assert result_of(pipe.start("ls", "-1", URL)) == 0
    assert pipe.out.text == "a b\nalpha.txt\nbeta.txt\n"


def test_an_error_is_raised_and_printed_as_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)

    def refuse(name: str) -> Deferred[None]:
        raise NotFound("x: none")

    pipe.client.delete.side_effect = refuse
    assert isinstance(error_of(pipe.start("rm", URL + "x")), NotFound)
    assert pipe.out.text == ""
    assert isinstance(error_of(pipe.start("rm", "--json", URL + "x")), NotFound)
    assert pipe.out.text == '{"error": {"kind": "NotFound", "text": "x: none"}}\n'


def test_an_interrupted_one_shot_command_does_not_send_quit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)
    pipe.client.list.side_effect = lambda path: Deferred()
    running = pipe.start("ls", "--json", URL)
    pipe.program.interrupt()
    assert isinstance(error_of(running), CancelledError)
    assert pipe.out.text == '{"error": {"kind": "CancelledError", "text": "Interrupted."}}\n'
    pipe.client.quit.assert_not_called()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gte", URL), "Unknown command: gte. Commands: get,"),
        (("ftp://ann:secret@h/", "x"), "Unknown command: ftp://ann@h/. Commands: get,"),
        (("get", URL, "x", "ftp://ann:sec/ret@h/"), "unrecognized arguments: ftp://ann@h/ ("),
        (("--quiet", "get", URL), "Options of get follow it: "),
    ],
)
def test_an_unknown_command_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    error = error_of(PatchedProcess(monkeypatch, tmp_path).start(*words))
    assert isinstance(error, UsageError)
    assert str(error).startswith(message)


def test_help_lists_the_one_shot_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)
    assert isinstance(error_of(pipe.start("--help")), SystemExit)
    for name in ("get", "put", "ls", "cat", "hash", "rm", "mirror"):
        assert f"\n  {name} URL" in pipe.out.text


def test_version_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = PatchedProcess(monkeypatch, tmp_path)
    assert result_of(pipe.start("--version")) == 0
    assert pipe.out.text.startswith("ftpservice-client ")


def test_a_terminal_starts_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = PatchedProcess(monkeypatch, tmp_path, terminal=True)
    made: list[Any] = []

    class FakePrompt:
        def __init__(self, loop: Any, lines: list[str], suggest: Any) -> None:
            made.append((loop, lines, suggest))

        async def line(self, _text: str) -> str:
            found = await made[0][2]("pw")
            assert [one.text for one in found] == ["pwd"]
            raise InputEnded

    class Prompting:
        pass

    Prompting.ShellPrompt = FakePrompt  # type: ignore[attr-defined]
    monkeypatch.setattr(program, "import_module", lambda name: Prompting)
    assert result_of(terminal.start(URL)) == 0
    assert made[0][:2] == (terminal.loop, [])
    terminal.client.quit.assert_called_once_with()


def test_the_prompter_is_imported_at_its_first_question(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    terminal = PatchedProcess(monkeypatch, tmp_path, terminal=True)

    class TerminalPrompter:
        def __init__(self, loop: Any) -> None:
            assert loop is terminal.loop

        async def ask(self, question: str, *, secret: bool = False) -> str:
            return f"{question}{secret}"

    class Prompting:
        pass

    Prompting.TerminalPrompter = TerminalPrompter  # type: ignore[attr-defined]
    monkeypatch.setattr(program, "import_module", lambda name: Prompting)
    asked = LazyTerminalPrompter(terminal.loop).ask("What? ", secret=True)
    assert result_of(Deferred.fromCoroutine(asked)) == "What? True"


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = PatchedProcess(monkeypatch, tmp_path, terminal=True)

    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(program, "import_module", missing)
    error = error_of(terminal.start())
    assert isinstance(error, ConsoleError)
    assert "ftpservice[shell]" in str(error)


class SignalLoop:
    """An event loop that records signal handlers."""

    def __init__(self) -> None:
        self.handlers: dict[int, Any] = {}

    def add_signal_handler(self, number: int, function: Any, *arguments: Any) -> None:
        self.handlers[number] = lambda: function(*arguments)


class StoppableReactor(MemoryReactorClock):
    """Records whether it was stopped."""

    stopped = False

    def stop(self) -> None:
        if self.stopped:
            raise ReactorNotRunning
        self.stopped = True


class PatchedRun:
    """A run whose program is a coroutine of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
        self.reactor, self.loop = StoppableReactor(), SignalLoop()
        self.exits: list[int] = []
        self.out, self.err = MemoryStream(), MemoryStream()
        monkeypatch.setattr(sys, "stdout", self.out)
        monkeypatch.setattr(sys, "stderr", self.err)
        monkeypatch.setattr(os, "_exit", self.exits.append)

        async def run(_self: Program, words: Any) -> int:
            result = await work(words)
            assert isinstance(result, int)
            return result

        monkeypatch.setattr(cli.Program, "run", run)
        self.run = ProgramRun(self.reactor, self.loop)  # type: ignore[arg-type]
        self.run.start(["a"])


def raising(error: BaseException) -> Any:
    async def work(_words: Any) -> int:
        raise error

    return work


def with_cause() -> NotFound:
    error = NotFound("x")
    error.__cause__ = BrokenPipeError()
    return error


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NotFound("x\x1b: none"), 6, "ftpservice-client: x\\x1b: none\n"),
        (UsageError("what?"), 2, "ftpservice-client: what?\n"),
        (SystemExit(0), 0, ""),
        (SystemExit(None), 0, ""),
    ],
    ids=["error", "usage", "help", "none"],
)
def test_an_error_is_a_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    run = PatchedRun(monkeypatch, raising(error))
    assert (run.run.status, run.err.text) == (status, said)
    assert run.reactor.stopped
    assert run.exits == []


def test_an_internal_error_prints_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    run = PatchedRun(monkeypatch, raising(KeyError("x")))
    assert run.run.status == 70
    assert run.err.text.startswith("ftpservice-client: Internal error")
    assert "Traceback" in run.err.text


@pytest.mark.parametrize("error", [BrokenPipeError(), with_cause()], ids=["own", "cause"])
def test_a_broken_pipe_prints_nothing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    run = PatchedRun(monkeypatch, raising(error))
    assert run.exits == []
    run.reactor.advance(1)
    assert run.exits == [141]
    assert run.err.text == ""


def test_the_status_of_the_program_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(words: Any) -> int:
        return len(words)

    run = PatchedRun(monkeypatch, work)
    assert run.run.status == 1
    assert run.reactor.stopped


def test_signals_cancel_the_program_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(_words: Any) -> int:
        await Deferred()
        return 0

    run = PatchedRun(monkeypatch, work)
    run.loop.handlers[2]()
    assert run.exits == []
    run.loop.handlers[15]()
    run.loop.handlers[1]()
    run.reactor.advance(1)
    assert run.exits == [143]
    assert run.err.text == ""


def test_exit_ignores_a_broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(MemoryStream):
        is_gone = True

        def flush(self) -> None:
            if self.is_gone:
                raise BrokenPipeError

    output, left = Gone(), list[int]()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(os, "_exit", left.append)
    cli._exit(3)
    monkeypatch.undo()
    assert left == [3]
    output.is_gone = False  # it is flushed once more when it is collected
