"""How sessions end when the service is told to stop: after what they do, and no later."""

from __future__ import annotations

import pytest

from ftpservice.commands.table import VERB_TABLE
from ftpservice.session.settings import SessionSettings
from ftpservice.session.verb_table import ArgumentKind, Verb
from tests.scenarios.control.test_transfers_meanwhile import Slow
from tests.support.ftp_dialogue import Talk

WHY = "Going."


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


@pytest.mark.parametrize("logged_in", [False, True])
def test_an_idle_session_is_told_at_once(logged_in: bool) -> None:
    talk = Talk()
    talk.login() if logged_in else talk.replies()
    talk.factory.finish_and_disconnect_all(WHY)
    assert talk.replies() == ["421 Going."]
    assert talk.transport.over
    assert not talk.factory.is_working


def test_a_transfer_ends_first_and_its_reply_comes_first(talk: Talk, slow: Slow) -> None:
    assert talk.codes("PWD") == []
    talk.factory.finish_and_disconnect_all(WHY)
    assert talk.replies() == []
    assert talk.factory.is_working
    assert talk.codes("NOOP", "PWD", "QUIT") == []
    talk.factory.finish_and_disconnect_all(WHY)
    slow.end.callback("Done.")
    assert talk.replies() == ["226 Done.", "421 Going."]
    assert talk.transport.over
    assert not talk.factory.is_working


def test_a_transfer_can_still_be_aborted(talk: Talk, slow: Slow) -> None:
    talk.factory.finish_and_disconnect_all(WHY)
    assert talk.codes("ABOR") == [426, 421]
    assert slow.cancelled == 1


def test_a_client_that_said_goodbye_is_told_nothing_more(talk: Talk, slow: Slow) -> None:
    assert talk.codes("QUIT") == [221]
    talk.factory.finish_and_disconnect_all(WHY)
    slow.end.callback("Done.")
    assert talk.replies() == ["226 Done."]
    assert talk.transport.over


def test_a_transfer_that_is_being_prepared_is_carried_out(slow: Slow) -> None:
    talk = Talk().login()
    assert talk.codes("SLOW x", "PWD") == []
    talk.factory.finish_and_disconnect_all(WHY)
    slow.prepared.callback(None)
    slow.end.callback("Done.")
    assert [line[:3] for line in talk.replies()] == ["150", "226", "421"]


def test_what_is_left_is_cut(talk: Talk, slow: Slow) -> None:
    talk.factory.finish_and_disconnect_all(WHY)
    talk.factory.disconnect_all(WHY)
    assert talk.replies() == ["421 Going."]
    assert slow.cancelled == 1
    assert not talk.factory.is_working


def test_a_login_in_progress_is_not_waited_for() -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes("USER ann", "PASS wrong") == [331]
    talk.factory.finish_and_disconnect_all(WHY)
    assert talk.replies() == ["421 Going."]


def test_a_client_that_does_not_read_is_not_waited_for() -> None:
    talk = Talk().login()
    assert talk.transport.producer is not None
    talk.transport.producer.pauseProducing()
    assert talk.codes("PWD") == []
    talk.factory.finish_and_disconnect_all(WHY)
    assert talk.replies() == ["421 Going."]


def test_who_comes_later_is_turned_away_until_the_factory_starts_again() -> None:
    talk = Talk(SessionSettings(welcome="Hello"))
    talk.factory.finish_and_disconnect_all(WHY)
    assert talk.connect()[1].value() == b"421 Going.\r\n"
    talk.factory.startFactory()
    assert talk.connect()[1].value() == b"220 Hello\r\n"
