"""Sessions of the simple protocol on memory transports and clocks: what takes its time."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.events import CommandFailed, LoggedIn, Outcome, SessionClosed, TransferEnded
from ftpservice.session.settings import SessionSettings
from ftpservice.simple.factory import SimpleFactory
from ftpservice.storage.errors import NoSpace, Unavailable
from ftpservice.storage.interfaces import IReading, IWriting, WriteRequest
from ftpservice.storage.rights import Right
from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.paths import VirtualPath
from tests.support.ftp_dialogue import DialogueTransport, FTPDialogue

LOGIN = "USER ann\nPASS secret\n"
GREETED = ["OK ftpservice simple/1"]
LOGGED_IN = ["OK password required for ann", "OK logged in as ann"]
OTHERS = SessionSettings(idle_timeout=60, login_timeout=10)


class Slow(proxyForInterface(IWriting, "inner")):  # type: ignore[misc]
    """A transaction that is published when the test says so."""

    def __init__(self, inner: Any, storage: SlowStorage) -> None:
        super().__init__(inner)
        self._storage = storage

    async def write(self, data: bytes) -> None:
        """Write, or fail."""
        self._storage.fail("write", self.inner.path)
        await self.inner.write(data)

    async def commit(self) -> Any:
        """Wait, then publish, or fail."""
        waiting: Deferred[None] = Deferred()
        self._storage.waiting.append(waiting)
        await waiting
        self._storage.fail("commit", self.inner.path)
        return await self.inner.commit()

    async def abandon(self) -> None:
        """Be over."""
        await self.inner.abandon()
        self._storage.fail("abandon", self.inner.path)


class Morsels(proxyForInterface(IReading, "inner")):  # type: ignore[misc]
    """A reading that gives two bytes at a time."""

    async def read(self, offset: int, size: int) -> bytes:
        """Read less than was asked for."""
        data: bytes = await self.inner.read(offset, min(size, 2))
        return data


class SlowStorage(MemoryStorage):
    """A storage whose uploads wait to be published, and whose files come in small pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[None]] = []
        self.opened = 0
        self.faults: dict[tuple[str, str], Exception] = {}

    def fail(self, step: str, path: VirtualPath) -> None:
        """Raise what was put into ``faults`` for a step of an upload to a name."""
        if (step, path.name) in self.faults:
            raise self.faults[step, path.name]

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> Any:
        """Begin a transaction that takes its time."""
        self.opened += 1
        return Slow(await super().open_writing(path, request), self)

    async def open_reading(self, path: VirtualPath) -> Any:
        """Open a file that is read with patience."""
        return Morsels(await super().open_reading(path))


class SimpleTalk:
    """One session."""

    def __init__(self, settings: SessionSettings = OTHERS) -> None:
        self.talk = FTPDialogue(settings)
        self.storage = self.talk.realm.storage = SlowStorage()
        self.transport = DialogueTransport()
        protocol = SimpleFactory(self.talk.factory).buildProtocol(None)
        assert isinstance(protocol, StreamConnection)
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def say(self, text: str | bytes) -> list[str]:
        """Send text in one piece; return the lines that were answered within a moment."""
        self.protocol.dataReceived(text.encode() if isinstance(text, str) else text)
        return self.said()

    def said(self, seconds: float = 0.002) -> list[str]:
        """Return the lines that were sent since the last time, and within ``seconds``."""
        self.talk.reactor.advance(seconds)
        text = self.transport.value().decode()
        self.transport.clear()
        return text.splitlines()

    def login(self) -> SimpleTalk:
        """Log in."""
        assert self.say(LOGIN) == GREETED + LOGGED_IN
        return self

    def publish(self) -> None:
        """Let the oldest waiting upload be published."""
        self.storage.waiting.pop(0).callback(None)

    def lose(self) -> None:
        """Let the connection be lost."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


@pytest.fixture(name="talk")
def logged_in() -> SimpleTalk:
    """Somebody has logged in."""
    return SimpleTalk().login()


def test_an_answer_does_not_wait_for_the_next_command(talk: SimpleTalk) -> None:
    assert talk.say("DELF none\nUPLD 3+ a\nabcDELF none\n") == [
        "ERR NOTFOUND no such file or directory"
    ]
    talk.publish()
    assert [line[:8] for line in talk.said()] == ["OK 3 a", "ERR NOTF"]


def test_a_file_that_is_read_in_pieces_arrives_complete(talk: SimpleTalk) -> None:
    talk.say("UPLD 5+ a\nhello")
    talk.publish()
    assert talk.said() == ["OK 5 a"]
    assert talk.say("DWLD a\nDWLD @2 a\n") == ["OK 5", "helloOK 3", "llo"]


def test_a_line_that_is_too_long_is_refused_after_all_other_answers(talk: SimpleTalk) -> None:
    assert talk.say(b"DELF none\nUPLD 3+ a\nabcDELF " + bytes(9000)) == [
        "ERR NOTFOUND no such file or directory"
    ]
    talk.publish()
    assert talk.said() == ["OK 3 a", "ERR SYNTAX the line is too long"]
    assert talk.transport.over


def test_a_stop_waits_for_an_upload_that_is_published(talk: SimpleTalk) -> None:
    assert talk.say("UPLD 3+ a\nabc") == []
    assert talk.talk.factory.working_count
    talk.talk.factory.finish_and_disconnect_all("We close.")
    assert talk.said() == []
    assert not talk.transport.over
    talk.publish()
    assert talk.said() == ["OK 3 a", "ERR BUSY We close."]
    assert talk.transport.over


def test_the_answer_of_a_stop_follows_those_of_finished_commands(talk: SimpleTalk) -> None:
    assert talk.say("UPLD 3+ a\nabcUPLD 3+ b\nabcUPLD 3+ c\nabcDELF a\n") == []
    talk.talk.factory.finish_and_disconnect_all("We close.")
    talk.publish()
    talk.publish()
    talk.publish()
    assert talk.said() == ["OK 3 a", "OK 3 b", "OK 3 c", "OK a", "ERR BUSY We close."]
    assert talk.transport.over


def test_a_waiting_session_gets_the_reason_of_the_end(talk: SimpleTalk) -> None:
    talk.talk.factory.finish_and_disconnect_all("We close.")
    assert talk.said() == ["ERR BUSY We close."]
    assert talk.transport.over


def test_an_upload_in_progress_is_not_idleness(talk: SimpleTalk) -> None:
    assert talk.say("UPLD 3+ a\nabc") == []
    assert talk.said(120) == []
    talk.publish()
    assert talk.said() == ["OK 3 a"]
    assert talk.said(60) == ["ERR TIMEOUT idle for too long"]
    assert talk.transport.over


def test_half_lines_do_not_end_idleness(talk: SimpleTalk) -> None:
    assert talk.say("DE") == []
    talk.talk.reactor.advance(40)
    assert talk.say("LF") == []
    assert talk.said(20) == ["ERR TIMEOUT idle for too long"]


def test_the_login_timeout_ends_a_session_that_sends_other_commands() -> None:
    talk = SimpleTalk()
    assert talk.say("UPLD 999999999999+ a\nabc") == GREETED
    talk.talk.reactor.advance(9)
    assert talk.say("def") == []
    assert talk.said(1) == ["ERR TIMEOUT idle for too long"]
    assert talk.transport.over


def test_no_login_succeeds_after_the_login_timeout() -> None:
    talk = SimpleTalk()
    waiting = talk.talk.checker.waiting = Deferred()
    assert talk.say(LOGIN) == GREETED + LOGGED_IN[:1]
    assert talk.said(10) == ["ERR TIMEOUT idle for too long"]
    if not waiting.called:
        waiting.callback(None)
    assert talk.said() == []
    talk.lose()
    assert not talk.talk.of(LoggedIn)


@pytest.mark.parametrize("line", ["UPLD 3+ c\nabc", "UPLD 3 c\n", "UPLD 90000 c\n"])
def test_a_lost_connection_leaves_no_transaction_open(talk: SimpleTalk, line: str) -> None:
    talk.say(f"UPLD 3+ a\nabcUPLD 3+ b\nabc{line}")
    talk.lose()
    for waiting in talk.storage.waiting:
        waiting.callback(None)
    ended = talk.talk.of(TransferEnded)
    assert len(ended) == talk.storage.opened
    assert len(talk.talk.of(SessionClosed)) == 1


def test_an_announced_upload_has_its_go_at_once(talk: SimpleTalk) -> None:
    assert talk.say("UPLD 3 a\n") == ["GO"]
    assert talk.say("abc") == []
    talk.publish()
    assert talk.said() == ["OK 3 a"]


def test_uploads_to_one_name_end_in_their_order(talk: SimpleTalk) -> None:
    talk.say("".join(f"UPLD 1+ a\n{number}" for number in range(5)))
    for _ in range(5):
        assert len(talk.storage.waiting) == 1
        talk.publish()
    assert talk.said() == ["OK 1 a"] * 5
    assert talk.say("DWLD a\n") == ["OK 1", "4"]


def test_many_commands_in_one_segment_yield_to_other_sessions(talk: SimpleTalk) -> None:
    talk.protocol.dataReceived(b"DELF none\n" * 120)
    first = talk.transport.value().count(b"\n")
    assert first < 120
    for _ in range(5):
        talk.talk.reactor.advance(0)
    assert talk.transport.value().count(b"\n") == 120


def test_a_stop_between_two_turns_answers_what_was_done(talk: SimpleTalk) -> None:
    talk.protocol.dataReceived(b"DELF none\n" * 120)
    talk.talk.factory.finish_and_disconnect_all("We close.")
    lines = talk.said()
    assert lines[-1] == "ERR BUSY We close."
    assert set(lines[:-1]) == {"ERR NOTFOUND no such file or directory"}
    assert talk.transport.over


def test_an_answer_does_not_wait_for_a_later_upload(talk: SimpleTalk) -> None:
    assert talk.say("DELF none\nUPLD 3+ a\nabc") == ["ERR NOTFOUND no such file or directory"]
    talk.publish()
    assert talk.said() == ["OK 3 a"]


def three(talk: SimpleTalk) -> list[str]:
    """Send three uploads in one piece, the one in the middle to ``b``; return the answers."""
    talk.say("UPLD 3+ a\nabcUPLD 3+ b\nabcUPLD 3+ c\nabc")
    while talk.storage.waiting:
        talk.publish()
    return talk.said()


@pytest.mark.parametrize("step", ["write", "commit"])
def test_one_of_a_batch_fails_and_the_others_do_not(talk: SimpleTalk, step: str) -> None:
    talk.storage.faults[step, "b"] = NoSpace(VirtualPath(("b",)))
    assert three(talk) == ["OK 3 a", "ERR FULL no space left", "OK 3 c"]
    outcomes = [event.outcome for event in talk.talk.of(TransferEnded)]
    assert sorted(outcomes, key=str) == sorted(
        [Outcome.COMPLETE, Outcome.REFUSED, Outcome.COMPLETE], key=str
    )


def test_an_unexpected_error_is_answered_without_details(talk: SimpleTalk) -> None:
    talk.storage.faults["write", "b"] = KeyError("secret")
    logged: list[LogEvent] = []
    globalLogPublisher.addObserver(logged.append)
    try:
        assert three(talk) == ["OK 3 a", "ERR INTERNAL local error", "OK 3 c"]
    finally:
        globalLogPublisher.removeObserver(logged.append)
    assert len([event for event in logged if "log_failure" in event]) == 1
    assert [event.detail for event in talk.talk.of(CommandFailed)] == ["KeyError: 'secret'"]


def test_a_failed_batch_is_answered_for_each_upload(talk: SimpleTalk) -> None:
    talk.storage.faults["commit", "b"] = KeyError("secret")
    assert three(talk) == ["ERR INTERNAL local error"] * 3
    assert len(talk.talk.of(TransferEnded)) == 3


def test_a_failure_to_abandon_is_logged_and_the_first_problem_answered(talk: SimpleTalk) -> None:
    talk.storage.faults["write", "b"] = NoSpace(VirtualPath(("b",)))
    talk.storage.faults["abandon", "b"] = Unavailable(VirtualPath(("b",)))
    assert three(talk) == ["OK 3 a", "ERR FULL no space left", "OK 3 c"]
    assert len(talk.talk.of(TransferEnded)) == 3


@pytest.mark.parametrize("line", ["POST / HTTP/1.1", "GET /", "EHLO me", "x\0y", "LIST\0"])
def test_an_unknown_first_verb_ends_a_session(line: str) -> None:
    talk = SimpleTalk()
    lines = talk.say(f"{line}\r\nHost: x\r\n\r\n{LOGIN}UPLD 3+ a\nabc")
    assert lines == [*GREETED, "ERR SYNTAX this is the simple protocol of ftpservice"]
    assert talk.transport.over
    assert talk.talk.checker.asked == []
    assert talk.storage.opened == 0


def test_verbs_of_http_end_a_session_before_a_login() -> None:
    assert SimpleTalk().say("HELP\nUSER ann\nPUT /\nPASS secret\n")[-1][:10] == "ERR SYNTAX"
    talk = SimpleTalk().login()
    assert [line[:10] for line in talk.say("PUT /\nDELF none\n")] == ["ERR SYNTAX", "ERR NOTFOU"]


def test_only_a_few_unknown_verbs_are_accepted_before_the_login() -> None:
    talk = SimpleTalk()
    assert talk.say("USER ann\n\n" + "XYZ\n" * 10)[2:] == [
        *["ERR SYNTAX unknown command; send HELP for a list"] * 4,
        "ERR SYNTAX this is the simple protocol of ftpservice",
    ]


def test_a_tls_handshake_on_a_plaintext_port_is_refused_at_once() -> None:
    talk = SimpleTalk()
    assert talk.say(b"\x16\x03\x01\x02\x00")[-1] == "ERR SYNTAX this port has no TLS"
    assert talk.transport.over


def test_a_report_needs_the_admin_right(talk: SimpleTalk) -> None:
    refused = "ERR DENIED only accounts with the admin right may do that"
    assert talk.say("REPORT\nREPORT 7d now ann\n") == [refused, refused]
    admin = SimpleTalk()
    admin.talk.realm.rights = frozenset({Right.ADMIN})
    admin.login()
    assert admin.say("REPORT 7d now ann lee\n") == ["OK 1", "all is well: 7d, now, ann lee"]
    assert admin.say("REPORT\n") == ["OK 1", "all is well"]
    assert admin.say("REPORT never\n") == ["ERR SYNTAX 'never' is no time."]
    assert SimpleTalk().say("REPORT\n")[-1].startswith("ERR AUTH")


def test_a_session_that_is_displaced_while_its_password_is_checked_is_forgotten() -> None:
    """Others are displaced for new sessions afterwards."""
    one = SimpleTalk(SessionSettings(max_sessions=2))
    talk = one.talk
    talk.login()
    talk.checker.waiting = waiting = Deferred()
    one.say(LOGIN)
    _, second = talk.connect("127.0.0.2")
    assert second.value().startswith(b"220 ")
    waiting.callback(None)
    assert one.said() == ["ERR BUSY Not logged in, and all sessions are in use; connect again."]
    one.protocol.connectionLost(Failure(ConnectionDone()))
    _, third = talk.connect("127.0.0.3")
    _, fourth = talk.connect("127.0.0.4")
    assert fourth.value().startswith(b"220 ")
    for displaced in (second, third):
        assert b"\r\n421 Not logged in" in displaced.value()
    places = talk.factory.services().session_limits
    assert [places.taken("all", ""), places.taken("user", "ann")] == [2, 1]
