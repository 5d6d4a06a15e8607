"""What may be said while a transfer runs."""

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
from tests.support.ftp_dialogue import Talk


class Slow:
    """A transfer that goes on until it is told to end."""

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
    """Ends when its `Slow` does."""

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
    """A verb SLOW in the table, for one test."""
    slow = Slow()
    row = Verb("SLOW", slow.run, ArgumentKind.OPTIONAL_TEXT, "(test)", "Slow.", "SLOW")
    monkeypatch.setitem(VERB_TABLE.rows, "SLOW", row)
    return slow


@pytest.fixture
def talk(slow: Slow) -> Talk:
    """A session in the middle of a transfer."""
    talk = Talk().login()
    assert talk.codes("SLOW") == [150]
    return talk


def test_noop_and_stat_are_answered_at_once(talk: Talk) -> None:
    assert talk.codes("NOOP") == [200]
    assert " In progress: SLOW /a, 0 bytes so far." in talk.say("STAT")


def test_other_commands_wait_for_the_end(talk: Talk, slow: Slow) -> None:
    assert talk.codes("PWD", "SYST") == []
    slow.end.callback("Done.")
    assert [line[:3] for line in talk.replies()] == ["226", "257", "215"]


def test_what_comes_behind_a_waiting_command_keeps_its_place(talk: Talk, slow: Slow) -> None:
    assert talk.codes("PWD", "NOOP") == []
    slow.end.callback("Done.")
    assert [line[:3] for line in talk.replies()] == ["226", "257", "200"]


def test_abor_cuts_at_once_and_is_answered_after(talk: Talk, slow: Slow) -> None:
    assert talk.codes("ABOR") == [426, 226]
    assert slow.cancelled == 1
    assert talk.codes("NOOP") == [200]


def test_abor_cuts_even_behind_waiting_commands(talk: Talk) -> None:
    assert talk.codes("PWD", "ABOR") == [426, 257, 226]


def test_abor_as_telnet_clients_send_it(talk: Talk) -> None:
    talk.protocol.dataReceived(b"\xff\xf4\xff\xf2ABOR\r\n")
    assert [line[:3] for line in talk.replies()] == ["426", "226"]


def test_abor_that_comes_while_a_transfer_is_prepared_cuts_it(slow: Slow) -> None:
    talk = Talk().login()
    assert talk.codes("SLOW x", "ABOR") == []
    slow.prepared.callback(None)
    assert [line[:3] for line in talk.replies()] == ["150", "426", "226"]


def test_quit_says_goodbye_and_waits_for_the_transfer(talk: Talk, slow: Slow) -> None:
    assert talk.codes("QUIT") == [221]
    assert not talk.transport.over
    slow.end.callback("Done.")
    assert talk.replies() == ["226 Done."]
    assert talk.transport.over


def test_stat_of_a_path_waits(talk: Talk, slow: Slow) -> None:
    assert talk.codes("STAT /") == []
    slow.end.callback("Done.")
    assert [line[:3] for line in talk.replies() if line[3] == " "] == ["226", "213"]


def test_the_idle_timeout_does_not_count_a_transfer(talk: Talk, slow: Slow) -> None:
    talk.reactor.pump([100] * 10)
    assert talk.replies() == []
    slow.end.callback("Done.")
    assert talk.replies() == ["226 Done."]
    talk.reactor.pump([100] * 4)
    assert talk.replies() == ["421 Timeout."]


def test_a_lost_connection_cuts_the_transfer_once(talk: Talk, slow: Slow) -> None:
    talk.lose(Failure(ConnectionLost()))
    assert slow.cancelled == 1
    assert talk.replies() == []
    assert talk.realm.logouts == ["ann"]


def test_the_end_of_the_clients_side_cuts_an_upload(talk: Talk, slow: Slow) -> None:
    talk.protocol._context.running = SlowTransfer(Slow(upload=True))
    talk.protocol.readConnectionLost()
    assert talk.replies() == ["426 Cut."]
    assert talk.transport.over


def test_the_end_of_the_clients_side_lets_a_download_end(talk: Talk, slow: Slow) -> None:
    talk.protocol.readConnectionLost()
    assert slow.cancelled == 0
    slow.end.callback("Done.")
    assert talk.replies() == ["226 Done."]
    assert talk.transport.over


def test_a_transfer_that_fails_as_nobody_expected_is_451(talk: Talk, slow: Slow) -> None:
    slow.end.errback(RuntimeError("boom"))
    assert talk.replies() == ["451 Local error in processing."]
    assert talk.codes("NOOP") == [200]


def test_stopping_the_service_cuts_the_transfer(talk: Talk, slow: Slow) -> None:
    talk.factory.disconnect_all("Stop.")
    assert slow.cancelled == 1
    assert talk.replies() == ["421 Stop."]


def test_many_commands_wait_and_the_reading_stops(talk: Talk, slow: Slow) -> None:
    talk.protocol.dataReceived(b"PWD\r\n" * 200)
    assert talk.transport.producerState == "paused"
    slow.end.callback("Done.")
    while talk.reactor.getDelayedCalls() and talk.transport.producerState == "paused":
        talk.reactor.advance(0)
    lines: list[Any] = talk.replies()
    assert len(lines) == 201
