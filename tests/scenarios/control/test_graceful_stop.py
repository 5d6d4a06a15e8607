"""How sessions end when the service is told to stop: after what they do, and no later."""

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
    """A verb SLOW in the table, for one test."""
    slow = Slow()
    row = Verb("SLOW", slow.run, ArgumentKind.OPTIONAL_TEXT, "(test)", "Slow.", "SLOW")
    monkeypatch.setitem(VERB_TABLE.rows, "SLOW", row)
    return slow


@pytest.fixture
def dialogue(slow: Slow) -> FTPDialogue:
    """A session in the middle of a transfer."""
    dialogue = FTPDialogue().login()
    assert dialogue.codes("SLOW") == [150]
    return dialogue


@pytest.mark.parametrize("logged_in", [False, True])
def test_an_idle_session_is_told_at_once(logged_in: bool) -> None:
    dialogue = FTPDialogue()
    dialogue.login() if logged_in else dialogue.replies()
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]
    assert dialogue.transport.over
    assert not dialogue.factory.is_working


def test_a_transfer_ends_first_and_its_reply_comes_first(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("PWD") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == []
    assert dialogue.factory.is_working
    assert dialogue.codes("NOOP", "PWD", "QUIT") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done.", "421 Going."]
    assert dialogue.transport.over
    assert not dialogue.factory.is_working


def test_a_transfer_can_still_be_aborted(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.codes("ABOR") == [426, 421]
    assert slow.cancelled == 1


def test_a_client_that_said_goodbye_is_told_nothing_more(dialogue: FTPDialogue, slow: Slow) -> None:
    assert dialogue.codes("QUIT") == [221]
    dialogue.factory.finish_and_disconnect_all(WHY)
    slow.end.callback("Done.")
    assert dialogue.replies() == ["226 Done."]
    assert dialogue.transport.over


def test_a_transfer_that_is_being_prepared_is_carried_out(slow: Slow) -> None:
    dialogue = FTPDialogue().login()
    assert dialogue.codes("SLOW x", "PWD") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    slow.prepared.callback(None)
    slow.end.callback("Done.")
    assert [line[:3] for line in dialogue.replies()] == ["150", "226", "421"]


def test_what_is_left_is_cut(dialogue: FTPDialogue, slow: Slow) -> None:
    dialogue.factory.finish_and_disconnect_all(WHY)
    dialogue.factory.disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]
    assert slow.cancelled == 1
    assert not dialogue.factory.is_working


def test_a_login_in_progress_is_not_waited_for() -> None:
    dialogue = FTPDialogue()
    dialogue.replies()
    assert dialogue.codes("USER ann", "PASS wrong") == [331]
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]


def test_a_client_that_does_not_read_is_not_waited_for() -> None:
    dialogue = FTPDialogue().login()
    assert dialogue.transport.producer is not None
    dialogue.transport.producer.pauseProducing()
    assert dialogue.codes("PWD") == []
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.replies() == ["421 Going."]


def test_who_comes_later_is_turned_away_until_the_factory_starts_again() -> None:
    dialogue = FTPDialogue(SessionSettings(welcome="Hello"))
    dialogue.factory.finish_and_disconnect_all(WHY)
    assert dialogue.connect()[1].value() == b"421 Going.\r\n"
    dialogue.factory.startFactory()
    assert dialogue.connect()[1].value() == b"220 Hello\r\n"
