"""Sessions that share the reactor's time: what does not fit waits, and nothing is lost by it."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.control.factory import COMMAND_SECONDS_PER_TURN
from ftpservice.control.protocol import MAX_UNREAD_BYTES
from tests.support.ftp_dialogue import Talk
from tests.support.tls_dialogue import SecureTalk, secure_talk

__all__ = ["secure_talk"]


def spend(talk: Talk) -> None:
    """Let somebody else use up what there is of the reactor's time till it comes by again."""

    def work() -> None:
        talk.reactor.rightNow += 2 * COMMAND_SECONDS_PER_TURN

    assert talk.factory.services().turns.take(work)


@pytest.fixture
def talk() -> Talk:
    return Talk().login()


def test_a_command_waits_until_the_reactor_came_by(talk: Talk) -> None:
    spend(talk)
    talk.protocol.dataReceived(b"NOOP\r\n")
    assert talk.replies() == []
    talk.reactor.advance(0)
    assert [line[:3] for line in talk.replies()] == ["200"]


def test_what_comes_meanwhile_is_behind_it(talk: Talk) -> None:
    spend(talk)
    for piece in (b"NOOP\r\nP", b"WD\r\nSY", b"ST\r\n"):
        talk.protocol.dataReceived(piece)
    assert talk.replies() == []
    talk.reactor.advance(0)
    assert [line[:3] for line in talk.replies()] == ["200", "257", "215"]


def test_sessions_have_their_turns_in_the_order_they_asked(talk: Talk) -> None:
    other, transport = talk.connect()
    transport.clear()
    spend(talk)
    other.dataReceived(b"SYST\r\n")
    talk.protocol.dataReceived(b"NOOP\r\n")
    assert transport.value() == talk.transport.value() == b""
    talk.reactor.advance(0)
    assert transport.value().startswith(b"215 ")
    assert talk.transport.value().startswith(b"200 ")


def test_the_end_of_the_input_is_behind_what_came_before_it(talk: Talk) -> None:
    spend(talk)
    talk.protocol.dataReceived(b"NOOP\r\nQUIT\r\n")
    talk.protocol.readConnectionLost()
    talk.reactor.advance(0)
    assert [line[:3] for line in talk.replies()] == ["200", "221"]
    talk.reactor.advance(0)
    assert talk.replies() == []
    assert talk.transport.over


def test_all_that_came_before_the_end_of_the_input_is_answered(talk: Talk) -> None:
    talk.protocol.dataReceived(b"NOOP\r\n" * 1000 + b"NOO")
    talk.protocol.readConnectionLost()
    for _ in range(30):
        talk.reactor.advance(0)
    assert [line[:3] for line in talk.replies()] == ["200"] * 1000
    assert talk.transport.over


def test_a_session_that_is_lost_does_nothing_any_more(talk: Talk) -> None:
    spend(talk)
    talk.protocol.dataReceived(b"MKD late\r\n")
    talk.lose(Failure(ConnectionDone()))
    talk.reactor.advance(0)
    assert talk.replies() == []
    talk.protocol, talk.transport = talk.connect()
    assert talk.login().codes("MLST late") == [550]


def test_a_flood_that_waits_is_held_back_and_let_flow_again(talk: Talk) -> None:
    spend(talk)
    line = b"NOOP " + b"x" * 1000 + b"\r\n"
    sent = 0
    while talk.transport.producerState == "producing":
        talk.protocol.dataReceived(line)
        sent += 1
        assert sent * len(line) < 2 * MAX_UNREAD_BYTES
    for _ in range(5):
        talk.reactor.advance(0)
    assert talk.transport.producerState == "producing"
    assert [line[:3] for line in talk.replies()] == ["200"] * sent


def test_half_a_line_that_waited_is_let_flow_too(talk: Talk) -> None:
    spend(talk)
    talk.protocol.dataReceived(b"N")
    talk.protocol.dataReceived(b"x" * (MAX_UNREAD_BYTES + 1))
    assert talk.transport.producerState == "paused"
    talk.reactor.advance(0)
    assert talk.transport.producerState == "producing"


def test_what_waits_when_tls_begins_is_never_carried_out(secure: type[SecureTalk]) -> None:
    talk = secure()
    talk.replies()
    spend(talk)
    talk.protocol.dataReceived(b"AUTH TLS\r\n")
    talk.protocol.dataReceived(b"HELP\r\n")
    talk.reactor.advance(0)
    assert [line[:3] for line in talk.replies()] == ["234"]
    talk.shake()
    talk.reactor.advance(0)
    assert talk.replies() == []
    assert talk.codes("NOOP") == [200]


def test_what_comes_while_tls_begins_is_not_carried_out_later(
    secure: type[SecureTalk], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[object] = []
    monkeypatch.setattr(
        "ftpservice.control.protocol.call_when_sent", lambda transport, call: waiting.append(call)
    )
    talk = secure()
    talk.replies()
    assert talk.codes("AUTH TLS") == [234]
    spend(talk)
    talk.protocol.dataReceived(b"HELP\r\n")
    [carry_on] = waiting
    carry_on()  # type: ignore[operator]
    talk.reactor.advance(0)
    talk.shake()
    assert talk.replies() == []
    assert talk.codes("NOOP") == [200]
