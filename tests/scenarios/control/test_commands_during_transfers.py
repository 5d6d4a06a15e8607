"""Commands during a transfer."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ftpservice.commands.table import VERB_TABLE
from ftpservice.session.context import SessionContext
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import ArgumentKind, Verb
from ftpservice.wire.replies import Reply, reply
from tests.support.ftp_dialogue import FTPDialogue


class Slow:
    """A transfer that runs until the test ends it."""

    def __init__(self, upload: bool = False) -> None:
        self.upload = upload
        self.prepared: Deferred[None] = Deferred()
        self.end: Deferred[str] = Deferred()
        self.cancelled = 0

    async def run(self, context: SessionContext, argument: str | None) -> Transfer:
        if argument is not None:
            await self.prepared
        return SlowTransfer(self)


class SlowTransfer(Transfer):
    """A transfer that ends with its `Slow`."""

    def __init__(self, slow: Slow) -> None:
        super().__init__("SLOW /a", slow.upload, reply(150, "Slowly."))
        self.slow = slow

    async def run(self) -> Reply:
        """Wait for the end."""
        try:
            return reply(226, await self.slow.end)
        except CancelledError:
            self.slow.cancelled += 1
            return reply(426, "Cut.")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """The verb SLOW in the table, for one test."""
    slow = Slow()
    row = Verb("SLOW", slow.run, ArgumentKind.OPTIONAL_TEXT, "(test)", "Slow.", "SLOW")
    monkeypatch.setitem(VERB_TABLE.rows, "SLOW", row)
    return slow


@pytest.fixture
def dialogue(slow: Slow) -> FTPDialogue:
    """A session during a transfer."""
    dialogue = FTPDialogue().login()
    assert dialogue.codes("SLOW") == [150]
    return dialogue


def test_noop_and_stat_are_answered_at_once(dialogue: FTPDialogue) -> None:
    assert dialogue.codes("NOOP") == [200]
    assert " In progress: SLOW /a, 0 bytes so far." in dialogue.say("STAT")


def test_other_commands_wait_for_the_transfer(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("PWD", "SYST") == []
    slow.end.callback("Done.")
    assert [line[:3] for line in dialogue.replies()] == ["226", "257", "215"]


def test_commands_after_a_waiting_command_wait_too(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("PWD", "NOOP") == []
    slow.end.callback("Done.")
    assert [line[:3] for line in dialogue.replies()] == ["226", "257", "200"]


def test_abor_aborts_at_once_and_is_answered_after_426(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("ABOR") == [426, 226]
    assert slow.cancelled == 1
    assert dialogue.codes("NOOP") == [200]


def test_abor_overtakes_waiting_commands(dialogue: FTPDialogue) -> None:
    assert dialogue.codes("PWD", "ABOR") == [426, 257, 226]


def test_abor_as_telnet_clients_send_it(dialogue: FTPDialogue) -> None:
    dialogue.protocol.dataReceived(b"\xff\xf4\xff\xf2ABOR\r\n")
    assert [line[:3] for line in dialogue.replies()] == ["426", "226"]


def test_abor_while_a_transfer_is_prepared(slow: Slow) -> None:
    dialogue = FTPDialogue().login()
    assert dialogue.codes("SLOW x", "ABOR") == []
    slow.prepared.callback(None)
    assert [line[:3] for line in dialogue.replies()] == ["150", "426", "226"]


def test_quit_is_answered_after_the_transfer(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("QUIT") == [221]
    assert not dialogue.transport.over
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done."]
    assert dialogue.transport.over


def test_stat_of_a_path_waits(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("STAT /") == []
    slow.end.callback("Done.")
    assert [line[:3] for line in dialogue.replies() if line[3] == " "] == ["226", "213"]


def test_the_idle_timeout_is_paused_during_a_transfer(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.reactor.pump([100] * 10)
    assert dialogue.replies() == []
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done."]
    dialogue.reactor.pump([100] * 4)
    assert dialogue.replies() == ["421 Timeout."]


def test_a_lost_connection_aborts_the_transfer_once(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.lose(Failure(ConnectionLost()))
    assert slow.cancelled == 1
    assert dialogue.replies() == []
    assert dialogue.realm.logouts == ["ann"]


def test_a_half_close_aborts_an_upload(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.protocol.context.running = SlowTransfer(Slow(upload=True))
    dialogue.protocol.readConnectionLost()
    assert dialogue.replies() == ["426 Cut."]
    assert dialogue.transport.over


def test_a_half_close_lets_a_download_finish(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.protocol.readConnectionLost()
    assert slow.cancelled == 0
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done."]
    assert dialogue.transport.over


def test_an_unexpected_error_in_a_transfer_is_451(dialogue: FTPDialogue, slow: Slow) -> None:
    slow.end.errback(RuntimeError("boom"))
    assert dialogue.replies() == ["451 Local error in processing."]
    assert dialogue.codes("NOOP") == [200]


def test_a_stop_aborts_the_transfer(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.factory.disconnect_all("Stop.")
    assert slow.cancelled == 1
    assert dialogue.replies() == ["421 Stop."]


def test_input_is_paused_when_many_commands_wait(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.protocol.dataReceived(b"PWD\r\n" * 200)
    assert dialogue.transport.producerState == "paused"
    slow.end.callback("Done.")
    while dialogue.reactor.getDelayedCalls() and dialogue.transport.producerState == "paused":
        dialogue.reactor.advance(0)
    lines: list[Any] = dialogue.replies()
    assert len(lines) == 201
