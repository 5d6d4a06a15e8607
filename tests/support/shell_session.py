"""A person at the shell, in memory: what is on the screen, what is answered, whom it talks to."""

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
from ftpservice_client.console.session.session import ShellEnvironment, ShellSession
from ftpservice_client.console.shell.command_table import run_line
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.terminal.terminal import Screen

__all__ = ["ENTRIES", "Seat", "Stream", "Welcome", "ended", "failed"]

ENTRIES = (
    Entry("a b", Kind.DIRECTORY, 0, 0.0),
    Entry("alpha.txt", Kind.FILE, 5, 0.0),
    Entry("beta.txt", Kind.FILE, 1500, 0.0),
)


class Stream(io.TextIOWrapper):
    """Text that is kept; a terminal or not."""

    name = "<stdin>"

    def __init__(self, terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        """All that was written."""
        self.flush()
        return self.content.decode(self.encoding)

    @property
    def content(self) -> bytes:
        """All that was written, in bytes."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


class Answers:
    """Somebody who gives the answers that were prepared."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bool]] = []

    async def ask(self, question: str, *, secret: bool = False) -> str:
        self.asked.append((question, secret))
        return self.answers.pop(0)


class Welcome:
    """A connection that waits for a login, as `ftpservice_client.PendingLogin`."""

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


class Seat:
    """A session with a client that takes the calls of the real one and nothing else."""

    def __init__(self, *answers: str, terminal: bool = False, attended: bool = True) -> None:
        self.reactor = MemoryReactorClock()
        self.out, self.err = Stream(terminal), Stream(terminal)
        self.person = Answers(*answers)
        asker = self.person if attended else None
        screen = Screen(self.out, self.err)
        self.session = ShellSession(
            ShellEnvironment(self.reactor, screen, Settings(netrc=None), asker)
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

    def connected(self) -> Seat:
        """Have the client in place, as after `open`."""
        self.session._client = self.client
        return self

    def start(self, line: str) -> Deferred[None]:
        """Begin what a line says."""
        return Deferred.fromCoroutine(run_line(line, self.session, SHELL_COMMANDS))

    def type(self, line: str) -> str:
        """Do what a line says; return what came out since."""
        before = len(self.out.text)
        assert ended(self.start(line)) is None
        return self.out.text[before:]

    def wrong(self, line: str) -> BaseException:
        """Do what a line says; return what was wrong with it."""
        return failed(self.start(line))


def ended(work: Deferred[Any]) -> Any:
    """Return the result of something that should be over."""
    results: list[Any] = []
    failures: list[Any] = []
    work.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    assert results, "it is not over"
    return results[0]


def failed(work: Deferred[Any]) -> BaseException:
    """Return why something failed that should have."""
    failures: list[Any] = []
    work.addErrback(failures.append)
    assert failures, "it has not failed"
    error = failures[0].value
    assert isinstance(error, BaseException)
    return error
