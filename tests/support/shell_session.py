"""A console session in memory: its output, prepared answers, and a double of the client."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import create_autospec

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client import Client, Destination, Listing, Settings, TransferResult
from ftpservice_client.console.session.session import ConsoleEnvironment, ConsoleSession
from ftpservice_client.console.shell.command import run_line
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.terminal.screen import Screen

__all__ = [
    "ENTRIES",
    "MemoryPendingLogin",
    "MemoryShell",
    "MemoryStream",
    "error_of",
    "result_of",
]

ENTRIES = (
    Entry("a b", Kind.DIRECTORY, 0, 0.0),
    Entry("alpha.txt", Kind.FILE, 5, 0.0),
    Entry("beta.txt", Kind.FILE, 1500, 0.0),
)


class MemoryStream(io.TextIOWrapper):
    """A text stream that keeps what is written; ``terminal`` is its answer to `isatty`."""

    name = "<stdin>"

    def __init__(self, terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        """What was written so far."""
        self.flush()
        return self.content.decode(self.encoding)

    @property
    def content(self) -> bytes:
        """What was written so far, in bytes."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


class PreparedPrompter:
    """Gives prepared answers and records the questions."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.questions: list[tuple[str, bool]] = []

    async def ask(self, question: str, *, secret: bool = False) -> str:
        self.questions.append((question, secret))
        return self.answers.pop(0)


class MemoryPendingLogin:
    """A double of `ftpservice_client.PendingLogin`."""

    welcome = ("Welcome to the\x1b[31m files", "of h")

    def __init__(self, destination: Destination, connect: Callable[..., Deferred[Any]]) -> None:
        self.destination = destination
        self.is_secured = destination.scheme.is_secured
        self.closed = False
        self._connect = connect

    def log_in(self, user: str, password: str | None) -> Deferred[Any]:
        place = replace(self.destination, user=user, password=password)
        return self._connect(place, reactor=None, settings=Settings())

    def close(self) -> None:
        self.closed = True


class MemoryShell:
    """A session whose client is a double with the methods of `Client`."""

    def __init__(self, *answers: str, terminal: bool = False, interactive: bool = True) -> None:
        self.reactor = MemoryReactorClock()
        self.out, self.err = MemoryStream(terminal), MemoryStream(terminal)
        self.prompter = PreparedPrompter(*answers)
        screen = Screen(self.out, self.err)
        prompter = self.prompter if interactive else None
        self.session = ConsoleSession(
            ConsoleEnvironment(self.reactor, screen, Settings(netrc=None), prompter)
        )
        self.client = self.new_client()

    def new_client(self) -> Any:
        client = create_autospec(Client, instance=True)
        client.directory = "/in"
        client.lost = None
        for name in ("delete", "rename", "make_directory", "remove_directory", "quit"):
            getattr(client, name).side_effect = lambda *_: succeed(None)
        client.change_directory.side_effect = lambda path: succeed(path)
        client.list.side_effect = lambda path="": succeed(Listing(ENTRIES))
        client.hash.side_effect = lambda name, algorithm: succeed("0a1b")
        client.download.side_effect = lambda name, to=None, **_: succeed(
            TransferResult(name, 2048, 2.0)
        )
        client.upload.side_effect = lambda source, name, **_: succeed(TransferResult(name, 1, 0.0))
        return client

    def connected(self) -> MemoryShell:
        """Set the client, as after `open`; return the shell."""
        self.session._client = self.client
        return self

    def start(self, line: str) -> Deferred[None]:
        """Start the command in a line."""
        return Deferred.fromCoroutine(run_line(line, self.session, SHELL_COMMANDS))

    def run(self, line: str) -> str:
        """Run the command in a line; return its output."""
        before = len(self.out.text)
        assert result_of(self.start(line)) is None
        return self.out.text[before:]

    def error(self, line: str) -> BaseException:
        """Run the command in a line, which must fail; return its error."""
        return error_of(self.start(line))


def result_of(work: Deferred[Any]) -> Any:
    """Return the result of a Deferred that has fired; raise its error."""
    results: list[Any] = []
    failures: list[Any] = []
    work.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    assert results, "the Deferred has not fired"
    return results[0]


def error_of(work: Deferred[Any]) -> BaseException:
    """Return the error of a Deferred that has failed."""
    failures: list[Any] = []
    work.addErrback(failures.append)
    assert failures, "the Deferred has not failed"
    error = failures[0].value
    assert isinstance(error, BaseException)
    return error
