"""Fair scheduling of sessions: commands over the time budget wait, and nothing is lost."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.control.factory import COMMAND_SECONDS_PER_TURN
from ftpservice.control.protocol import MAX_UNREAD_BYTES
from tests.support.ftp_dialogue import FTPDialogue
from tests.support.tls_dialogue import TLSDialogue, tls_dialogue

__all__ = ["tls_dialogue"]


def spend(dialogue: FTPDialogue) -> None:
    """Use up the time budget of the current iteration."""

    def work() -> None:
        dialogue.reactor.rightNow += 2 * COMMAND_SECONDS_PER_TURN

    assert dialogue.factory.services().time_budget.take(work)


@pytest.fixture
def dialogue() -> FTPDialogue:
    return FTPDialogue().login()


def test_a_command_waits_for_the_next_iteration(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"NOOP\r\n")
    assert dialogue.replies() == []
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200"]


def test_later_commands_wait_behind_it(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    for piece in (b"NOOP\r\nP", b"WD\r\nSY", b"ST\r\n"):
        dialogue.protocol.dataReceived(piece)
    assert dialogue.replies() == []
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200", "257", "215"]


def test_sessions_are_served_in_order(dialogue: FTPDialogue) -> None:
    other, transport = dialogue.connect()
    transport.clear()
    spend(dialogue)
    other.dataReceived(b"SYST\r\n")
    dialogue.protocol.dataReceived(b"NOOP\r\n")
    assert transport.value() == dialogue.transport.value() == b""
    dialogue.reactor.advance(0)
    assert transport.value().startswith(b"215 ")
    assert dialogue.transport.value().startswith(b"200 ")


def test_a_half_close_is_handled_after_earlier_commands(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"NOOP\r\nQUIT\r\n")
    dialogue.protocol.readConnectionLost()
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200", "221"]
    dialogue.reactor.advance(0)
    assert dialogue.replies() == []
    assert dialogue.transport.over


def test_commands_before_a_half_close_are_answered(dialogue: FTPDialogue) -> None:
    dialogue.protocol.dataReceived(b"NOOP\r\n" * 1000 + b"NOO")
    dialogue.protocol.readConnectionLost()
    for _ in range(30):
        dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200"] * 1000
    assert dialogue.transport.over


def test_a_lost_session_executes_nothing(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"MKD late\r\n")
    dialogue.lose(Failure(ConnectionDone()))
    dialogue.reactor.advance(0)
    assert dialogue.replies() == []
    dialogue.protocol, dialogue.transport = dialogue.connect()
    assert dialogue.login().codes("MLST late") == [550]


def test_a_flood_is_paused_and_resumed(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    line = b"NOOP " + b"x" * 1000 + b"\r\n"
    sent = 0
    while dialogue.transport.producerState == "producing":
        dialogue.protocol.dataReceived(line)
        sent += 1
        assert sent * len(line) < 2 * MAX_UNREAD_BYTES
    for _ in range(5):
        dialogue.reactor.advance(0)
    assert dialogue.transport.producerState == "producing"
    assert [line[:3] for line in dialogue.replies()] == ["200"] * sent


def test_input_resumes_after_an_incomplete_line(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"N")
    dialogue.protocol.dataReceived(b"x" * (MAX_UNREAD_BYTES + 1))
    assert dialogue.transport.producerState == "paused"
    dialogue.reactor.advance(0)
    assert dialogue.transport.producerState == "producing"


def test_commands_that_wait_at_auth_are_dropped(secure: type[TLSDialogue]) -> None:
    dialogue = secure()
    dialogue.replies()
    spend(dialogue)
    dialogue.protocol.dataReceived(b"AUTH TLS\r\n")
    dialogue.protocol.dataReceived(b"HELP\r\n")
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["234"]
    dialogue.handshake()
    dialogue.reactor.advance(0)
    assert dialogue.replies() == []
    assert dialogue.codes("NOOP") == [200]


def test_commands_received_during_auth_are_dropped(
    secure: type[TLSDialogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[object] = []
    monkeypatch.setattr(
        "ftpservice.control.protocol.call_when_sent", lambda transport, call: waiting.append(call)
    )
    dialogue = secure()
    dialogue.replies()
    assert dialogue.codes("AUTH TLS") == [234]
    spend(dialogue)
    dialogue.protocol.dataReceived(b"HELP\r\n")
    [carry_on] = waiting
    carry_on()  # type: ignore[operator]
    dialogue.reactor.advance(0)
    dialogue.handshake()
    assert dialogue.replies() == []
    assert dialogue.codes("NOOP") == [200]
