"""The resources of a session are released at its end, without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.wire.paths import ROOT
from tests.support.ftp_dialogue import FTPDialogue


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Held:
    """A session on local storage whose pool works when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.pool = InlineRunner()
        self.dialogue = FTPDialogue()
        source = LocalSource(str(folder), MemoryReactorClock(), self.pool)
        opened = Task(source.storage("ann", ROOT)).done
        opened.addCallback(self._serve)
        self.dialogue.login()
        self.pool.held = self.pool.begun = True

    def _serve(self, storage: object) -> None:
        self.dialogue.realm.storage = storage  # type: ignore[assignment]

    @property
    def tree(self) -> weakref.ref[DirectoryTree]:
        """The open root directory of the session."""
        return weakref.ref(self.dialogue.realm.storage._tree)  # type: ignore[attr-defined]

    def say(self, *commands: str) -> list[str]:
        """Send commands one by one; return the last line of each reply."""
        last = []
        for command in commands:
            replies = self.dialogue.say(command)
            for _ in range(10):
                self.pool.release()
                self.dialogue.reactor.advance(0)
                replies += self.dialogue.replies()
            last += replies[-1:]
        return last

    def end(self) -> None:
        self.dialogue.lose(Failure(ConnectionDone()))
        for _ in range(10):
            self.pool.release()
            self.dialogue.reactor.advance(1)
        del self.dialogue.realm.storage


@pytest.mark.parametrize(
    "commands",
    [
        ["PWD"],
        ["CWD none"],
        ["SIZE none"],
        ["MLST none"],
        ["MDTM none"],
        ["DELE none"],
        ["RMD none"],
        ["MKD here"],
        ["RNFR none"],
        ["RNFR here", "RNTO none/there"],
        ["STAT none"],
        ["HASH none"],
        ["SITE CHMOD 755 none"],
        ["MFMT 20200101000000 none"],
        ["PASV", "RETR none"],
        ["PASV", "LIST none"],
        ["PASV", "MLSD none"],
        ["PASV", "STOR none/there"],
        ["TYPE I", "REST 99", "PASV", "STOR file"],
        ["TYPE I", "REST 99", "PASV", "RETR file"],
    ],
    ids="; ".join,
)
def test_a_failed_command_releases_its_resources(tmp_path: Path, commands: list[str]) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "file").write_bytes(b"content")
    held = Held(tmp_path)
    tree = held.tree
    assert held.say(*commands)[-1][0] == ("2" if commands == ["PWD"] else "5")
    held.end()
    assert tree() is None


@pytest.mark.parametrize("command", ["STOR new", "APPE file", "RETR file", "MLSD"])
def test_a_lost_session_releases_its_transfer(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_bytes(b"content")
    held = Held(tmp_path)
    tree = held.tree
    held.say("TYPE I", "PASV", command)
    held.end()
    assert tree() is None
