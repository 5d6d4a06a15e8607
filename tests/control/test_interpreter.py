"""What is said over a control connection, and in which order."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.control.session_tap import tap_session
from ftpservice.events import (
    CommandFailed,
    LoggedIn,
    LoginFailed,
    Refused,
    SessionClosed,
    SessionOpened,
)
from ftpservice.session.settings import SessionSettings
from ftpservice.storage.rights import PRESETS, Right
from tests.support.ftp_dialogue import FTPDialogue

LOST = Failure(ConnectionDone())


def test_the_greeting_comes_first_and_may_have_lines() -> None:
    talk = FTPDialogue(SessionSettings(welcome="Hello\nand welcome"))
    assert talk.replies() == ["220-Hello", "220 and welcome"]
    assert talk.of(SessionOpened)


def test_a_login_takes_a_name_and_a_password() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("USER ann") == [331]
    assert talk.codes("PASS secret") == [230]
    assert [event.user for event in talk.of(LoggedIn)] == ["ann"]


def test_a_wrong_password_and_an_unknown_name_get_the_same_delayed_reply() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("USER ann", "PASS wrong") == [331]
    talk.reactor.advance(10)
    wrong = talk.replies()
    assert talk.codes("USER nobody", "PASS wrong") == [331]
    talk.reactor.advance(10)
    assert talk.replies() == wrong == ["530 Login failed."]
    assert [event.user for event in talk.of(LoginFailed)] == ["ann", "nobody"]


def test_the_fifth_wrong_password_ends_the_session() -> None:
    talk = FTPDialogue()
    talk.replies()
    said: list[str] = []
    for _ in range(5):
        talk.codes("USER ann", "PASS wrong")
        talk.reactor.advance(5)
        said += talk.replies()
    assert [line[:3] for line in said] == ["530"] * 4 + ["421"]
    assert talk.transport.over


def test_a_good_login_after_failures_works() -> None:
    talk = FTPDialogue()
    talk.codes("USER ann", "PASS wrong")
    talk.reactor.advance(10)
    talk.login()


def test_a_password_without_a_name_is_out_of_sequence() -> None:
    assert FTPDialogue().codes("PASS secret")[-1:] == [503]


@pytest.mark.parametrize(
    "verb",
    ["CWD /", "PWD", "LIST", "RETR a", "STOR a", "MLST", "SITE HELP", "STAT /"],
)
def test_commands_that_need_a_login_are_refused_without_one(verb: str) -> None:
    assert FTPDialogue().codes(verb)[-1:] == [530]


@pytest.mark.parametrize(
    "verb",
    ["NOOP", "SYST", "FEAT", "HELP", "STAT", "CLNT x", "LANG EN", "OPTS UTF8 ON"],
)
def test_some_commands_need_no_login(verb: str) -> None:
    assert FTPDialogue().codes(verb)[-1] < 300


def test_unimplemented_verbs_get_502_and_unknown_ones_500() -> None:
    talk = FTPDialogue().login()
    assert talk.codes("XYZZY", "MAIL ann", "SMNT /x") == [500, 502, 502]


def test_an_unprintable_verb_is_not_echoed() -> None:
    talk = FTPDialogue().login()
    assert talk.say("\x1b[31m\x07 x") == ["500 Unknown command."]
    assert talk.say("pa\xdf secret")[0].startswith("500 ")


def test_pipelined_commands_are_answered_in_order() -> None:
    talk = FTPDialogue().login()
    assert talk.codes("PWD", "SYST", "XYZZY", "NOOP", "TYPE L 7") == [257, 215, 500, 200, 504]


def test_many_commands_are_carried_out_in_several_turns() -> None:
    talk = FTPDialogue().login()
    data = b"NOOP\r\n" * 500
    talk.protocol.dataReceived(data)
    before = len(talk.replies())
    for _ in range(20):
        talk.reactor.advance(0)
    assert before < 500
    assert before + len(talk.replies()) == 500


def test_with_many_queued_commands_nothing_is_received() -> None:
    talk = FTPDialogue()
    talk.checker.waiting = waiting = Deferred()
    talk.say("USER ann", "PASS secret")
    talk.protocol.dataReceived(b"NOOP\r\n" * 500)
    talk.reactor.advance(0)
    assert talk.transport.producerState == "paused"
    waiting.callback(None)
    for _ in range(20):
        talk.reactor.advance(0)
    assert talk.transport.producerState == "producing"
    assert len(talk.replies()) == 501


def test_commands_after_quit_are_dropped() -> None:
    talk = FTPDialogue().login()
    assert talk.codes("QUIT", "PWD") == [221]
    assert talk.transport.half_closed
    talk.reactor.advance(5)
    assert talk.transport.aborted


def test_the_login_timeout_counts_from_the_connection() -> None:
    talk = FTPDialogue(SessionSettings(login_timeout=30))
    talk.replies()
    talk.reactor.advance(20)
    assert talk.codes("NOOP") == [200]
    talk.reactor.advance(11)
    assert talk.replies() == ["421 Timeout."]
    assert talk.transport.over


def test_the_idle_timeout_counts_from_the_last_command() -> None:
    talk = FTPDialogue(SessionSettings(idle_timeout=100)).login()
    for _ in range(5):
        talk.reactor.advance(90)
        assert talk.codes("NOOP") == [200]
    talk.reactor.advance(101)
    assert talk.replies() == ["421 Timeout."]


def test_a_timeout_of_0_is_no_timeout() -> None:
    talk = FTPDialogue(SessionSettings(login_timeout=0, idle_timeout=0)).login()
    talk.reactor.advance(1e6)
    assert talk.codes("NOOP") == [200]


def test_a_line_too_long_is_refused_and_the_session_continues() -> None:
    talk = FTPDialogue().login()
    assert talk.codes("NOOP " + "x" * 5000, "NOOP") == [500, 200]
    assert talk.codes("NOOP " + "x" * 5000, "NOOP") == [500, 200]
    assert talk.codes("NOOP " + "x" * 5000, "NOOP") == [421]
    assert talk.transport.over


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST /x HTTP/1.0", "get / http/1.1"])
def test_an_http_client_is_disconnected(line: str) -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes(line, "Host: x", "USER ann") == [421]
    assert talk.transport.over


@pytest.mark.parametrize("before", [(), ("SYST",), ("USER ann",), ("XYZ",)])
def test_an_http_client_is_disconnected_unless_it_is_logged_in(before: tuple[str, ...]) -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes(*before, "PUT / HTTP/1.1", "PASS secret")[-1] == 421
    assert talk.transport.over
    assert FTPDialogue().login().codes("GET none", "TRACE") == [550, 500]


@pytest.mark.parametrize("line", ["EHLO me", "SSH-2.0-x", "XYZ", "\x16\x03", "NOOP" + "x" * 5000])
def test_an_unknown_first_verb_ends_a_session(line: str) -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes(line, "USER ann", "PASS secret") == [421]
    assert talk.transport.over
    assert talk.checker.asked == []


@pytest.mark.parametrize("line", ["HOST x", "FEAT", "CLNT x", "OPTS UTF8 ON", "AUTH X", "PWD"])
def test_verbs_of_ftp_may_come_first(line: str) -> None:
    talk = FTPDialogue()
    talk.replies()
    talk.say(line)
    assert talk.codes("", "XYZ", "USER ann", "PASS secret") == [500, 500, 331, 230]


def test_a_blank_line_ends_no_session() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("", "", "USER ann", "PASS secret") == [500, 500, 331, 230]


def test_a_few_unknown_verbs_before_the_login_end_the_session() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("NOOP", *["XYZ"] * 10) == [200, 500, 500, 500, 500, 421]
    talk = FTPDialogue().login()
    assert talk.codes(*["XYZ"] * 10) == [500] * 10


def test_a_tls_handshake_on_a_plaintext_port_is_refused_at_once() -> None:
    talk = FTPDialogue()
    talk.replies()
    talk.protocol.dataReceived(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert talk.replies() == ["421 TLS on this port begins with AUTH TLS."]
    assert talk.transport.over


def test_telnet_options_are_refused() -> None:
    talk = FTPDialogue().login()
    talk.protocol.dataReceived(b"\xff\xfd\x06NO\xff\xf1OP\r\n")
    assert talk.transport.value() == b"200 NOOP is done.\r\n\xff\xfc\x06"


def test_an_unexpected_error_is_451_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    talk = FTPDialogue()

    async def broken(path: object) -> None:
        raise RuntimeError("boom")

    talk.storage.stat = broken  # type: ignore[method-assign,assignment]
    talk.login()
    assert talk.codes("CWD /x", "NOOP") == [451, 200]
    assert "boom" in talk.of(CommandFailed)[0].detail


def test_rein_resets_the_session() -> None:
    talk = FTPDialogue().login()
    assert talk.codes("REIN", "PWD", "USER bob", "PASS hidden", "PWD") == [220, 530, 331, 230, 257]
    assert talk.realm.logouts == ["ann"]


def test_user_after_a_login_logs_out_first() -> None:
    talk = FTPDialogue().login()
    assert talk.codes("USER bob", "PWD", "PASS hidden") == [331, 530, 230]
    assert talk.realm.logouts == ["ann"]


def test_a_lost_connection_logs_out_once() -> None:
    talk = FTPDialogue().login()
    talk.lose(LOST)
    assert talk.realm.logouts == ["ann"]
    assert len(talk.of(SessionClosed)) == 1
    assert talk.factory.instances == []
    assert not talk.reactor.getDelayedCalls()


def test_a_login_granted_after_the_connection_was_lost_is_logged_out() -> None:
    talk = FTPDialogue()
    talk.checker.waiting = waiting = Deferred()
    talk.codes("USER ann", "PASS secret")
    talk.lose(LOST)
    waiting.callback(None)
    assert talk.realm.logouts == ["ann"]
    assert talk.of(LoggedIn) == []


def test_commands_wait_while_the_password_is_checked() -> None:
    talk = FTPDialogue()
    talk.replies()
    talk.checker.waiting = waiting = Deferred()
    assert talk.codes("USER ann", "PASS secret", "PWD") == [331]
    waiting.callback(None)
    assert [line[:3] for line in talk.replies()] == ["230", "257"]


def test_too_many_sessions_are_refused_with_421() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=1)).login()
    _, second = talk.connect("127.0.0.2")
    assert second.value().startswith(b"421 Too many sessions")
    assert second.over
    assert len(talk.of(Refused)) == 1


def test_a_session_without_a_login_is_ended_for_a_new_one() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=2))
    _, second = talk.connect("127.0.0.2")
    _, third = talk.connect("127.0.0.2")
    assert talk.replies()[-1].startswith("421 Not logged in")  # the oldest of all
    assert talk.transport.over
    assert [one.value()[:4] for one in (second, third)] == [b"220 ", b"220 "]
    talk.protocol, talk.transport = talk.connect("127.0.0.3")  # the oldest of who has most
    assert b"\r\n421 Not logged in" in second.value()
    assert b"421" not in third.value()
    talk.replies()
    talk.login()
    _, fourth = talk.connect("127.0.0.4")
    assert b"\r\n421 Not logged in" in third.value()
    assert fourth.value().startswith(b"220 ")
    assert talk.codes("NOOP") == [200]


def test_a_session_whose_login_is_in_progress_is_ended_last() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=2))
    talk.checker.waiting = waiting = Deferred()
    talk.replies()
    assert talk.codes("USER ann", "PASS secret") == [331]
    _, second = talk.connect()
    _, third = talk.connect()
    assert b"\r\n421 Not logged in" in second.value()
    assert third.value().startswith(b"220 ")
    waiting.callback(None)
    assert [line[:3] for line in talk.replies()] == ["230"]


def test_a_displaced_session_is_uncounted_once() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=1, max_sessions_per_address=1))
    _, second = talk.connect("127.0.0.2")
    talk.lose(LOST)
    roster = talk.factory.services().session_limits
    assert [roster.taken("all", ""), roster.taken("address", "127.0.0.1")] == [1, 0]
    assert second.value().startswith(b"220 ")


def test_the_end_of_a_displaced_session_comes_after_its_reply() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=1))
    sent: list[int] = []
    taps = tap_session(talk.protocol, bool, lambda answer: sent.append(answer.code))
    events = talk.factory.event_sink.events
    events.subscribe(lambda event: sent.append(event.session), SessionClosed)
    talk.connect("127.0.0.2")
    assert sent == [421, talk.protocol.context.peer.session]
    taps()


def test_after_a_logout_a_session_can_be_displaced_again() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=1)).login()
    assert talk.codes("REIN") == [220]
    _, second = talk.connect("127.0.0.2")
    assert second.value().startswith(b"220 ")
    assert talk.replies()[-1].startswith("421 Not logged in")


@pytest.mark.parametrize(
    ("first", "same"),
    [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("::ffff:192.0.2.1", "192.0.2.1")],
    ids=["a /64", "mapped"],
)
def test_an_ipv6_network_counts_as_one_address(first: str, same: str) -> None:
    talk = FTPDialogue(SessionSettings(max_sessions_per_address=1), host=first)
    _, second = talk.connect(same)
    _, other = talk.connect("2001:db8:1:3::1")
    assert second.value().startswith(b"421 Too many sessions from your address")
    assert other.value().startswith(b"220 ")


def test_sessions_are_limited_by_address() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions_per_address=1))
    _, same = talk.connect("127.0.0.1")
    _, other = talk.connect("127.0.0.2")
    assert same.value().startswith(b"421 ")
    assert other.value().startswith(b"220 ")


def test_a_session_that_ends_is_not_counted() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions=1, max_sessions_per_address=1))
    talk.lose(LOST)
    _, second = talk.connect()
    assert second.value().startswith(b"220 ")


def test_sessions_are_limited_by_user() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions_per_user=1)).login()
    talk.protocol, talk.transport = talk.connect()
    talk.replies()
    assert talk.codes("USER ann", "PASS secret") == [331, 421]
    assert talk.realm.logouts == ["ann"]


def test_the_limit_of_an_account_overrides_the_general_one() -> None:
    talk = FTPDialogue()
    talk.realm.max_sessions = 1
    talk.login()
    talk.protocol, talk.transport = talk.connect()
    talk.replies()
    assert talk.codes("USER ann", "PASS secret") == [331, 421]


def test_anonymous_logins_are_off_by_default() -> None:
    talk = FTPDialogue()
    talk.replies()
    talk.codes("USER anonymous", "PASS guest@")
    talk.reactor.advance(10)
    assert talk.replies() == ["530 Login failed."]


@pytest.mark.parametrize("name", ["anonymous", "ftp", "Anonymous"])
def test_anonymous_logins_take_any_password(name: str) -> None:
    talk = FTPDialogue(SessionSettings(anonymous=True), rights=PRESETS["read"])
    talk.replies()
    assert talk.codes(f"USER {name}", "PASS ", "PWD", "MKD x") == [331, 230, 257, 550]


def test_report_needs_the_admin_right() -> None:
    assert FTPDialogue().login().codes("REPORT", "SITE REPORT") == [550, 550]
    talk = FTPDialogue(rights=frozenset({Right.ADMIN})).login()
    assert talk.say("REPORT") == ["211-Report:", " all is well", "211 End of report."]
    assert talk.codes("SITE REPORT", "REPORT never", "SITE REPORT never") == [211, 501, 501]
    assert talk.say("REPORT - now ann lee")[1] == " all is well: -, now, ann lee"
    assert talk.say("SITE REPORT 7d")[1] == " all is well: 7d"


def test_all_sessions_get_421_when_the_service_stops() -> None:
    talk = FTPDialogue().login()
    talk.factory.disconnect_all("The service stops.")
    assert talk.replies() == ["421 The service stops."]
    assert talk.transport.over


def test_after_the_clients_half_close_pending_commands_are_answered() -> None:
    talk = FTPDialogue().login()
    talk.protocol.dataReceived(b"PWD\r\n")
    talk.protocol.readConnectionLost()
    assert [line[:3] for line in talk.replies()] == ["257"]
    assert talk.transport.over


def test_without_reading_a_client_gets_no_further_command_done() -> None:
    talk = FTPDialogue().login()
    producer = talk.transport.producer
    assert producer is not None
    producer.pauseProducing()
    assert talk.codes("PWD", "NOOP") == []
    producer.resumeProducing()
    assert [line[:3] for line in talk.replies()] == ["257", "200"]
