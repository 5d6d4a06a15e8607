"""AUTH and CCC on a control connection: what waits, is dropped, or ends."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ftpservice.commands.table import VERB_TABLE
from ftpservice.control.implicit_tls import ImplicitTLSFactory
from ftpservice.events import HandshakeFailed, Refused, SessionClosed
from ftpservice.session import starttls
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import TLSPolicy
from ftpservice.session.verb_table import ArgumentKind, Verb
from tests.scenarios.control.test_commands_during_transfers import Slow
from tests.support.ftp_dialogue import FTPDialogue
from tests.support.tls_dialogue import AT_HAND, TLSDialogue, tls_dialogue

__all__ = ["tls_dialogue"]

Secure = type[TLSDialogue]
LOST = Failure(ConnectionLost("cut"))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """The verb SLOW in the table, for one test."""
    slow = Slow()
    row = Verb("SLOW", slow.run, ArgumentKind.OPTIONAL_TEXT, "(test)", "Slow.", "SLOW")
    monkeypatch.setitem(VERB_TABLE.rows, "SLOW", row)
    return slow


def test_abor_after_auth_does_not_abort_the_transfer(secure: Secure, slow: Slow) -> None:
    dialogue = secure()
    dialogue.login()
    assert dialogue.codes("SLOW", "AUTH TLS", "ABOR", "NOOP", "QUIT") == [150]
    assert slow.cancelled == 0
    slow.end.callback("done")
    assert [line[:3] for line in dialogue.replies()] == ["226", "234"]
    dialogue.handshake()
    assert dialogue.codes("NOOP") == [200]


def test_abor_before_auth_aborts_the_transfer(secure: Secure, slow: Slow) -> None:
    dialogue = secure()
    dialogue.login()
    assert dialogue.codes("SLOW x", "ABOR", "AUTH TLS") == []
    slow.prepared.callback(None)
    assert slow.cancelled == 1
    assert [line[:3] for line in dialogue.replies()] == ["150", "426", "226", "234"]


def test_input_is_paused_until_the_auth_reply_is_sent(
    secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Any] = []
    monkeypatch.setattr(
        "ftpservice.control.protocol.call_when_sent", lambda transport, call: waiting.append(call)
    )
    dialogue = secure()
    dialogue.replies()
    plain = dialogue.transport
    assert dialogue.codes("AUTH TLS") == [234]
    assert plain.producerState == "paused"
    assert dialogue.codes("NOOP", "QUIT") == []
    [carry_on] = waiting
    carry_on()
    assert dialogue.protocol.transport is not plain
    dialogue.handshake()
    assert dialogue.codes("NOOP") == [200]


def test_a_session_lost_in_the_handshake_is_logged(secure: Secure) -> None:
    dialogue = secure()
    dialogue.codes("AUTH TLS")
    dialogue.lose(LOST)
    assert [event.reason for event in dialogue.of(HandshakeFailed)] == [LOST.getErrorMessage()]
    assert len(dialogue.of(SessionClosed)) == 1


def test_a_session_lost_after_the_handshake_is_not_logged(secure: Secure) -> None:
    dialogue = secure().auth()
    dialogue.lose(LOST)
    assert dialogue.of(HandshakeFailed) == []


def test_auth_restarts_the_login_timeout(secure: Secure) -> None:
    dialogue = secure()
    dialogue.login()
    dialogue.auth()
    dialogue.reactor.advance(59)
    assert dialogue.replies() == []
    dialogue.reactor.advance(2)
    assert dialogue.replies() == ["421 Timeout."]


def test_ccc_while_the_session_ends(secure: Secure) -> None:
    dialogue = secure(TLSPolicy(clear_commands=True))
    dialogue.auth().login()
    assert dialogue.codes("CCC") == [200]
    dialogue.factory.disconnect_all("Going.")
    assert dialogue.transport.over
    plain = StringTransport()
    assert TLSDialogue.leaving is not None
    TLSDialogue.leaving.callback(plain)
    assert plain.disconnecting
    dialogue.lose(LOST)


def test_a_connection_lost_during_ccc(secure: Secure) -> None:
    dialogue = secure(TLSPolicy(clear_commands=True))
    dialogue.auth().login()
    assert dialogue.codes("CCC") == [200]
    assert TLSDialogue.leaving is not None
    TLSDialogue.leaving.errback(LOST)
    dialogue.lose(LOST)
    assert dialogue.realm.logouts == ["ann"]


def test_a_refused_session_gets_421_with_tls(secure: Secure) -> None:
    dialogue = secure(implicit=True)
    dialogue.factory.services().session_limits.take("address", "127.0.0.9", 0)
    object.__setattr__(dialogue.factory.services(), "settings", SessionSettings(max_sessions=1))
    roster = dialogue.factory.services().session_limits
    roster.waiting.discard("127.0.0.1", 1)  # as after a login
    dialogue.protocol, dialogue.transport = dialogue.connect("127.0.0.9")
    assert dialogue.protocol.transport is not dialogue.transport
    assert dialogue.replies() == ["421 Too many sessions; try again later."]
    assert dialogue.of(Refused)


def test_implicit_tls_sessions_belong_to_the_factory() -> None:
    dialogue = FTPDialogue()
    with pytest.raises(ValueError, match="needs a certificate"):
        ImplicitTLSFactory(dialogue.factory)
    dialogue.factory.tls = AT_HAND
    implicit = ImplicitTLSFactory(dialogue.factory)
    implicit.doStart()
    session = implicit.buildProtocol(None)
    assert session.factory is dialogue.factory
    assert session._implicit
    implicit.doStop()
    assert dialogue.factory.numPorts == 0


class Kept(StringTransport):
    """A transport that buffers writes until the test releases them."""

    def __init__(self) -> None:
        super().__init__()
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []


def test_sent_bytes_are_not_waited_for() -> None:
    done: list[int] = []
    starttls.call_when_sent(Kept(), lambda: done.append(1))
    assert done == [1]


@pytest.mark.parametrize("where", ["dataBuffer", "_tempDataBuffer"])
def test_buffered_bytes_are_waited_for(where: str) -> None:
    transport = Kept()
    setattr(transport, where, b"234")
    done: list[int] = []
    starttls.call_when_sent(transport, lambda: done.append(1))
    assert done == []
    producer = transport.producer
    assert not transport.streaming
    producer.resumeProducing()  # as a real transport does at the registering
    assert done == []
    producer.resumeProducing()
    assert done == [1]
    assert transport.producer is None
    producer.stopProducing()


def test_ccc_keeps_the_addresses() -> None:
    former = StringTransport()
    former.protocol = former.reactor = None
    own = socket.socket()
    with own:
        cleared = starttls.PostTLSTransport(own, former)  # type: ignore[arg-type]  # as much as is used
        assert (cleared.getHost(), cleared.getPeer()) == (former.getHost(), former.getPeer())
