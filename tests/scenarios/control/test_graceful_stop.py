"""Sessions at a stop of the service: they end after their current command."""

from __future__ import annotations

import pytest

from ftpservice.commands.table import VERB_TABLE
from ftpservice.session.settings import SessionSettings
from ftpservice.session.verb_table import ArgumentKind, Verb
from tests.scenarios.control.test_commands_during_transfers import Slow
from tests.support.ftp_dialogue import FTPDialogue

WHY = "Going."


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


@pytest.mark.parametrize("logged_in", [False, True])
def test_idle_sessions_get_421_at_once(logged_in: bool) -> None:
    dialogue = FTPDialogue()
    dialogue.login() if logged_in else dialogue.replies()
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]
    assert dialogue.transport.over
    assert not dialogue.factory.working_count


def test_421_follows_the_reply_of_the_transfer(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("PWD") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == []
    assert dialogue.factory.working_count
    assert dialogue.codes("NOOP", "PWD", "QUIT") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done.", "421 Going."]
    assert dialogue.transport.over
    assert not dialogue.factory.working_count


def test_a_transfer_can_still_be_aborted(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.codes("ABOR") == [426, 421]
    assert slow.cancelled == 1


def test_a_session_after_quit_gets_no_421(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("QUIT") == [221]
    dialogue.factory.finish_and_disconnect_all(WHY)
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done."]
    assert dialogue.transport.over


def test_a_transfer_in_preparation_is_executed(slow: Slow) -> None:
    dialogue = FTPDialogue().login()
    assert dialogue.codes("SLOW x", "PWD") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    slow.prepared.callback(None)
    slow.end.callback("Done.")
    assert [line[:3] for line in dialogue.replies()] == ["150", "226", "421"]


def test_remaining_sessions_are_aborted(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.factory.finish_and_disconnect_all(WHY)
    dialogue.factory.disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]
    assert slow.cancelled == 1
    assert not dialogue.factory.working_count


def test_a_stop_does_not_wait_for_logins() -> None:
    dialogue = FTPDialogue()
    dialogue.replies()
    assert dialogue.codes("USER ann", "PASS wrong") == [331]
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]


def test_a_stop_does_not_wait_for_clients_that_do_not_read() -> None:
    dialogue = FTPDialogue().login()
    assert dialogue.transport.producer is not None
    dialogue.transport.producer.pauseProducing()
    assert dialogue.codes("PWD") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]


def test_new_sessions_are_refused_until_a_restart() -> None:
    dialogue = FTPDialogue(SessionSettings(welcome="Hello"))
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.connect()[1].value() == b"421 Going.\r\n"
    dialogue.factory.startFactory()
    assert dialogue.connect()[1].value() == b"220 Hello\r\n"
