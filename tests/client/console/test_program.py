"""What a command line becomes: a shell, a script or a single command; and how a run ends."""

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
from ftpservice_client.console.session.errors import InputEnded, ShellError, ShellUsageError
from tests.support.shell_session import Seat, Stream, Welcome, ended, failed

URL = "ftp://ann:secret@h/"


class Place:
    """The streams of a process, and the client that its connections get.

    It is made in each test: between fixtures and test pytest changes streams itself.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path, terminal: bool = False) -> None:
        self.out, self.err, self.input = Stream(terminal), Stream(terminal), Stream(terminal)
        for name, stream in (("stdout", self.out), ("stderr", self.err), ("stdin", self.input)):
            monkeypatch.setattr(sys, name, stream)
        for variable in ("HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(variable, str(home))
        monkeypatch.chdir(home)
        self.client = Seat().client
        connect = lambda *_, **__: succeed(self.client)  # noqa: E731 - it stands for a function
        monkeypatch.setattr(session_module, "connect", connect)
        greet = lambda place, **_: succeed(Welcome(place, connect))  # noqa: E731 - the same
        monkeypatch.setattr(session_module, "connect_without_login", greet)
        self.loop: Any = object()
        self.program = Program(MemoryReactorClock(), self.loop)

    def type(self, text: str) -> None:
        """Have this come in."""
        self.input.buffer.write(text.encode())
        self.input.buffer.seek(0)

    def start(self, *words: str) -> Deferred[int]:
        return Deferred.fromCoroutine(self.program.run(words))


def test_a_pipe_is_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = Place(monkeypatch, tmp_path)
    pipe.type("pwd\n")
    assert ended(pipe.start(URL)) == 0
    assert pipe.out.text == "/in\n"
    pipe.client.quit.assert_called_once_with()


def test_a_file_may_be_one_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = Place(monkeypatch, tmp_path)
    (tmp_path / "lines").write_text("pwd\nxyzzyplugh\n")
    assert ended(pipe.start("-f", "lines", URL)) == 2
    assert pipe.out.text == "/in\n"
    assert pipe.err.text.startswith("lines:2: There is no word")
    assert isinstance(failed(pipe.start("-f", "none")), FileNotFoundError)
    assert ended(pipe.start("-f", "lines")) == 1
    assert ended(pipe.start("-f", "lines", "http://h/")) == 2


def test_a_single_command_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = Place(monkeypatch, tmp_path)
    assert ended(pipe.start("ls", "-1", URL)) == 0
    assert pipe.out.text == "a b\nalpha.txt\nbeta.txt\n"


def test_a_failure_is_told_to_programs_and_to_the_caller(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipe = Place(monkeypatch, tmp_path)

    def refuse(name: str) -> Deferred[None]:
        raise NotFound("x: none")

    pipe.client.delete.side_effect = refuse
    assert isinstance(failed(pipe.start("rm", URL + "x")), NotFound)
    assert pipe.out.text == ""
    assert isinstance(failed(pipe.start("rm", "--json", URL + "x")), NotFound)
    assert pipe.out.text == '{"error": {"kind": "NotFound", "text": "x: none"}}\n'


def test_an_interrupted_command_does_not_wait_for_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipe = Place(monkeypatch, tmp_path)
    pipe.client.list.side_effect = lambda path: Deferred()
    running = pipe.start("ls", "--json", URL)
    pipe.program.interrupt()
    assert isinstance(failed(running), CancelledError)
    assert pipe.out.text == '{"error": {"kind": "CancelledError", "text": "Interrupted."}}\n'
    pipe.client.quit.assert_not_called()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("gte", URL), "gte is none of the commands: get,"),
        (("ftp://ann:secret@h/", "x"), "ftp://ann@h/ is none of the commands: get,"),
        (("get", URL, "x", "ftp://ann:sec/ret@h/"), "unrecognized arguments: ftp://ann@h/ ("),
        (("--quiet", "get", URL), "options of get stand behind it"),
    ],
)
def test_what_is_no_command_is_told_from_a_url(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    error = failed(Place(monkeypatch, tmp_path).start(*words))
    assert isinstance(error, ShellUsageError)
    assert str(error).startswith(told)


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = Place(monkeypatch, tmp_path)
    assert ended(pipe.start("--version")) == 0
    assert pipe.out.text.startswith("ftpservice-client ")


def test_a_terminal_gets_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = Place(monkeypatch, tmp_path, terminal=True)
    made: list[Any] = []

    class Prompt:
        def __init__(self, loop: Any, lines: list[str], suggest: Any) -> None:
            made.append((loop, lines, suggest))

        async def line(self, _text: str) -> str:
            found = await made[0][2]("pw")
            assert [one.text for one in found] == ["pwd"]
            raise InputEnded

    class Prompting:
        pass

    Prompting.Prompt = Prompt  # type: ignore[attr-defined]
    monkeypatch.setattr(program, "import_module", lambda name: Prompting)
    assert ended(terminal.start(URL)) == 0
    assert made[0][:2] == (terminal.loop, [])
    terminal.client.quit.assert_called_once_with()


def test_somebody_at_a_terminal_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    terminal = Place(monkeypatch, tmp_path, terminal=True)

    class Questions:
        def __init__(self, loop: Any) -> None:
            assert loop is terminal.loop

        async def ask(self, question: str, *, secret: bool = False) -> str:
            return f"{question}{secret}"

    class Prompting:
        pass

    Prompting.Questions = Questions  # type: ignore[attr-defined]
    monkeypatch.setattr(program, "import_module", lambda name: Prompting)
    asked = LazyTerminalPrompter(terminal.loop).ask("What? ", secret=True)
    assert ended(Deferred.fromCoroutine(asked)) == "What? True"


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = Place(monkeypatch, tmp_path, terminal=True)

    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(program, "import_module", missing)
    error = failed(terminal.start())
    assert isinstance(error, ShellError)
    assert "ftpservice[shell]" in str(error)


class Loop:
    """Keeps what signals are to do."""

    def __init__(self) -> None:
        self.handlers: dict[int, Any] = {}

    def add_signal_handler(self, number: int, function: Any, *arguments: Any) -> None:
        self.handlers[number] = lambda: function(*arguments)


class Stopped(MemoryReactorClock):
    """Remembers whether it was stopped."""

    stopped = False

    def stop(self) -> None:
        if self.stopped:
            raise ReactorNotRunning
        self.stopped = True


class Exits:
    """A run whose program does what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
        self.reactor, self.loop = Stopped(), Loop()
        self.left: list[int] = []
        self.out, self.err = Stream(), Stream()
        monkeypatch.setattr(sys, "stdout", self.out)
        monkeypatch.setattr(sys, "stderr", self.err)
        monkeypatch.setattr(os, "_exit", self.left.append)

        async def run(_self: Program, words: Any) -> int:
            result = await work(words)
            assert isinstance(result, int)
            return result

        monkeypatch.setattr(cli.Program, "run", run)
        self.run = ProgramRun(self.reactor, self.loop)  # type: ignore[arg-type]
        self.run.begin(["a"])


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
        (ShellUsageError("what?"), 2, "ftpservice-client: what?\n"),
        (SystemExit(0), 0, ""),
        (SystemExit(None), 0, ""),
    ],
    ids=["error", "usage", "help", "none"],
)
def test_an_error_is_a_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    exits = Exits(monkeypatch, raising(error))
    assert (exits.run.status, exits.err.text) == (status, said)
    assert exits.reactor.stopped
    assert exits.left == []


def test_a_mistake_of_ours_shows_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    exits = Exits(monkeypatch, raising(KeyError("x")))
    assert exits.run.status == 70
    assert exits.err.text.startswith("ftpservice-client: Something went wrong in this program")
    assert "Traceback" in exits.err.text


@pytest.mark.parametrize("error", [BrokenPipeError(), with_cause()], ids=["own", "cause"])
def test_a_reader_who_has_gone_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    exits = Exits(monkeypatch, raising(error))
    assert exits.left == []
    exits.reactor.advance(1)
    assert exits.left == [141]
    assert exits.err.text == ""


def test_success_is_a_status_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(words: Any) -> int:
        return len(words)

    exits = Exits(monkeypatch, work)
    assert exits.run.status == 1
    assert exits.reactor.stopped


def test_a_signal_ends_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(_words: Any) -> int:
        await Deferred()
        return 0

    exits = Exits(monkeypatch, work)
    exits.loop.handlers[2]()
    assert exits.left == []
    exits.loop.handlers[15]()
    exits.loop.handlers[1]()
    exits.reactor.advance(1)
    assert exits.left == [143]
    assert exits.err.text == ""


def test_an_output_that_is_gone_is_no_reason_to_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Stream):
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
    output.is_gone = False  # it is flushed once more when it is let go
