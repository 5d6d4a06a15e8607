"""Sessions that share the reactor's time: what does not fit waits, and nothing is lost by it."""

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
    """Let somebody else use up what there is of the reactor's time till it comes by again."""

    def work() -> None:
        dialogue.reactor.rightNow += 2 * COMMAND_SECONDS_PER_TURN

    assert dialogue.factory.services().turns.take(work)


@pytest.fixture
def dialogue() -> FTPDialogue:
    return FTPDialogue().login()


def test_a_command_waits_until_the_reactor_came_by(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"NOOP\r\n")
    assert dialogue.replies() == []
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200"]


def test_what_comes_meanwhile_is_behind_it(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    for piece in (b"NOOP\r\nP", b"WD\r\nSY", b"ST\r\n"):
        dialogue.protocol.dataReceived(piece)
    assert dialogue.replies() == []
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200", "257", "215"]


def test_sessions_have_their_turns_in_the_order_they_asked(dialogue: FTPDialogue) -> None:
    other, transport = dialogue.connect()
    transport.clear()
    spend(dialogue)
    other.dataReceived(b"SYST\r\n")
    dialogue.protocol.dataReceived(b"NOOP\r\n")
    assert transport.value() == dialogue.transport.value() == b""
    dialogue.reactor.advance(0)
    assert transport.value().startswith(b"215 ")
    assert dialogue.transport.value().startswith(b"200 ")


def test_the_end_of_the_input_is_behind_what_came_before_it(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"NOOP\r\nQUIT\r\n")
    dialogue.protocol.readConnectionLost()
    dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200", "221"]
    dialogue.reactor.advance(0)
    assert dialogue.replies() == []
    assert dialogue.transport.over


def test_all_that_came_before_the_end_of_the_input_is_answered(dialogue: FTPDialogue) -> None:
    dialogue.protocol.dataReceived(b"NOOP\r\n" * 1000 + b"NOO")
    dialogue.protocol.readConnectionLost()
    for _ in range(30):
        dialogue.reactor.advance(0)
    assert [line[:3] for line in dialogue.replies()] == ["200"] * 1000
    assert dialogue.transport.over


def test_a_session_that_is_lost_does_nothing_any_more(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"MKD late\r\n")
    dialogue.lose(Failure(ConnectionDone()))
    dialogue.reactor.advance(0)
    assert dialogue.replies() == []
    dialogue.protocol, dialogue.transport = dialogue.connect()
    assert dialogue.login().codes("MLST late") == [550]


def test_a_flood_that_waits_is_held_back_and_let_flow_again(dialogue: FTPDialogue) -> None:
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


def test_half_a_line_that_waited_is_let_flow_too(dialogue: FTPDialogue) -> None:
    spend(dialogue)
    dialogue.protocol.dataReceived(b"N")
    dialogue.protocol.dataReceived(b"x" * (MAX_UNREAD_BYTES + 1))
    assert dialogue.transport.producerState == "paused"
    dialogue.reactor.advance(0)
    assert dialogue.transport.producerState == "producing"


def test_what_waits_when_tls_begins_is_never_carried_out(secure: type[TLSDialogue]) -> None:
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


def test_what_comes_while_tls_begins_is_not_carried_out_later(
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
