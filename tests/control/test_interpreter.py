"""What is said over a control connection, and in which order."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

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
from tests.support.ftp_dialogue import Talk

LOST = Failure(ConnectionDone())


def test_the_greeting_comes_first_and_may_have_lines() -> None:
    talk = Talk(SessionSettings(welcome="Hello\nand welcome"))
    assert talk.replies() == ["220-Hello", "220 and welcome"]
    assert talk.of(SessionOpened)


def test_a_login_takes_a_name_and_a_password() -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes("USER ann") == [331]
    assert talk.codes("PASS secret") == [230]
    assert [event.user for event in talk.of(LoggedIn)] == ["ann"]


def test_a_wrong_password_costs_time_and_says_no_more_than_an_unknown_name() -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes("USER ann", "PASS wrong") == [331]
    talk.reactor.advance(10)
    wrong = talk.replies()
    assert talk.codes("USER nobody", "PASS wrong") == [331]
    talk.reactor.advance(10)
    assert talk.replies() == wrong == ["530 Login failed."]
    assert [event.user for event in talk.of(LoginFailed)] == ["ann", "nobody"]


def test_the_fifth_wrong_password_ends_the_session() -> None:
    talk = Talk()
    talk.replies()
    said: list[str] = []
    for _ in range(5):
        talk.codes("USER ann", "PASS wrong")
        talk.reactor.advance(5)
        said += talk.replies()
    assert [line[:3] for line in said] == ["530"] * 4 + ["421"]
    assert talk.transport.over


def test_a_good_login_after_failures_works() -> None:
    talk = Talk()
    talk.codes("USER ann", "PASS wrong")
    talk.reactor.advance(10)
    talk.login()


def test_a_password_without_a_name_is_out_of_sequence() -> None:
    assert Talk().codes("PASS secret")[-1:] == [503]


@pytest.mark.parametrize(
    "verb",
    ["CWD /", "PWD", "LIST", "RETR a", "STOR a", "MLST", "SITE HELP", "STAT /"],
)
def test_commands_for_users_want_a_login(verb: str) -> None:
    assert Talk().codes(verb)[-1:] == [530]


@pytest.mark.parametrize(
    "verb",
    ["NOOP", "SYST", "FEAT", "HELP", "STAT", "CLNT x", "LANG EN", "OPTS UTF8 ON"],
)
def test_some_commands_need_no_login(verb: str) -> None:
    assert Talk().codes(verb)[-1] < 300


def test_unknown_and_known_but_absent_verbs_differ() -> None:
    talk = Talk().login()
    assert talk.codes("XYZZY", "MAIL ann", "SMNT /x") == [500, 502, 502]


def test_what_no_verb_can_be_is_not_echoed_raw() -> None:
    talk = Talk().login()
    assert talk.say("\x1b[31m\x07 x") == ["500 Unknown command (unprintable)."]
    assert talk.say("pa\xdf secret")[0].startswith("500 ")


def test_pipelined_commands_are_answered_in_order() -> None:
    talk = Talk().login()
    assert talk.codes("PWD", "SYST", "XYZZY", "NOOP", "TYPE L 7") == [257, 215, 500, 200, 504]


def test_a_flood_of_commands_gets_its_replies_in_turns() -> None:
    talk = Talk().login()
    data = b"NOOP\r\n" * 500
    talk.protocol.dataReceived(data)
    before = len(talk.replies())
    for _ in range(20):
        talk.reactor.advance(0)
    assert before < 500
    assert before + len(talk.replies()) == 500


def test_many_waiting_commands_stop_the_reading_until_they_are_done() -> None:
    talk = Talk()
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


def test_quit_says_goodbye_and_nothing_after_it_is_done() -> None:
    talk = Talk().login()
    assert talk.codes("QUIT", "PWD") == [221]
    assert talk.transport.half_closed
    talk.reactor.advance(5)
    assert talk.transport.aborted


def test_the_login_timeout_counts_from_the_connection() -> None:
    talk = Talk(SessionSettings(login_timeout=30))
    talk.replies()
    talk.reactor.advance(20)
    assert talk.codes("NOOP") == [200]
    talk.reactor.advance(11)
    assert talk.replies() == ["421 Timeout."]
    assert talk.transport.over


def test_the_idle_timeout_counts_from_the_last_command() -> None:
    talk = Talk(SessionSettings(idle_timeout=100)).login()
    for _ in range(5):
        talk.reactor.advance(90)
        assert talk.codes("NOOP") == [200]
    talk.reactor.advance(101)
    assert talk.replies() == ["421 Timeout."]


def test_a_timeout_of_0_never_comes() -> None:
    talk = Talk(SessionSettings(login_timeout=0, idle_timeout=0)).login()
    talk.reactor.advance(1e6)
    assert talk.codes("NOOP") == [200]


def test_a_line_too_long_is_refused_and_the_session_goes_on() -> None:
    talk = Talk().login()
    assert talk.codes("NOOP " + "x" * 5000, "NOOP") == [500, 200]
    assert talk.codes("NOOP " + "x" * 5000, "NOOP") == [500, 200]
    assert talk.codes("NOOP " + "x" * 5000, "NOOP") == [421]
    assert talk.transport.over


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST /x HTTP/1.0", "get / http/1.1"])
def test_a_browser_is_shown_the_door(line: str) -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes(line, "Host: x", "USER ann") == [421]
    assert talk.transport.over


@pytest.mark.parametrize("before", [(), ("SYST",), ("USER ann",), ("XYZ",)])
def test_a_browser_is_shown_the_door_until_somebody_is_logged_in(before: tuple[str, ...]) -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes(*before, "PUT / HTTP/1.1", "PASS secret")[-1] == 421
    assert talk.transport.over
    assert Talk().login().codes("GET none", "TRACE") == [550, 500]


@pytest.mark.parametrize("line", ["EHLO me", "SSH-2.0-x", "XYZ", "\x16\x03", "NOOP" + "x" * 5000])
def test_an_unknown_first_verb_ends_a_session(line: str) -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes(line, "USER ann", "PASS secret") == [421]
    assert talk.transport.over
    assert talk.checker.asked == []


@pytest.mark.parametrize("line", ["HOST x", "FEAT", "CLNT x", "OPTS UTF8 ON", "AUTH X", "PWD"])
def test_verbs_of_ftp_may_come_first(line: str) -> None:
    talk = Talk()
    talk.replies()
    talk.say(line)
    assert talk.codes("", "XYZ", "USER ann", "PASS secret") == [500, 500, 331, 230]


def test_a_blank_line_ends_no_session() -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes("", "", "USER ann", "PASS secret") == [500, 500, 331, 230]


def test_only_a_few_unknown_verbs_are_put_up_with_before_the_login() -> None:
    talk = Talk()
    talk.replies()
    assert talk.codes("NOOP", *["XYZ"] * 10) == [200, 500, 500, 500, 500, 421]
    talk = Talk().login()
    assert talk.codes(*["XYZ"] * 10) == [500] * 10


def test_a_tls_handshake_in_clear_is_told_so_at_once() -> None:
    talk = Talk()
    talk.replies()
    talk.protocol.dataReceived(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert talk.replies() == ["421 TLS on this port begins with AUTH TLS."]
    assert talk.transport.over


def test_telnet_options_are_refused() -> None:
    talk = Talk().login()
    talk.protocol.dataReceived(b"\xff\xfd\x06NO\xff\xf1OP\r\n")
    assert talk.transport.value() == b"200 NOOP is done.\r\n\xff\xfc\x06"


def test_an_error_nobody_expected_is_451_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    talk = Talk()

    async def broken(path: object) -> None:
        raise RuntimeError("boom")

    talk.storage.stat = broken  # type: ignore[method-assign,assignment]
    talk.login()
    assert talk.codes("CWD /x", "NOOP") == [451, 200]
    assert "boom" in talk.of(CommandFailed)[0].detail


def test_rein_begins_again() -> None:
    talk = Talk().login()
    assert talk.codes("REIN", "PWD", "USER bob", "PASS hidden", "PWD") == [220, 530, 331, 230, 257]
    assert talk.realm.logouts == ["ann"]


def test_user_after_a_login_logs_out_first() -> None:
    talk = Talk().login()
    assert talk.codes("USER bob", "PWD", "PASS hidden") == [331, 530, 230]
    assert talk.realm.logouts == ["ann"]


def test_a_lost_connection_logs_out_once() -> None:
    talk = Talk().login()
    talk.lose(LOST)
    assert talk.realm.logouts == ["ann"]
    assert len(talk.of(SessionClosed)) == 1
    assert talk.factory.instances == []
    assert not talk.reactor.getDelayedCalls()


def test_a_login_granted_after_the_connection_was_lost_is_logged_out() -> None:
    talk = Talk()
    talk.checker.waiting = waiting = Deferred()
    talk.codes("USER ann", "PASS secret")
    talk.lose(LOST)
    waiting.callback(None)
    assert talk.realm.logouts == ["ann"]
    assert talk.of(LoggedIn) == []


def test_commands_wait_while_the_password_is_checked() -> None:
    talk = Talk()
    talk.replies()
    talk.checker.waiting = waiting = Deferred()
    assert talk.codes("USER ann", "PASS secret", "PWD") == [331]
    waiting.callback(None)
    assert [line[:3] for line in talk.replies()] == ["230", "257"]


def test_too_many_sessions_are_told_so() -> None:
    talk = Talk(SessionSettings(max_sessions=1)).login()
    _, second = talk.connect("127.0.0.2")
    assert second.value().startswith(b"421 Too many sessions")
    assert second.over
    assert len(talk.of(Refused)) == 1


def test_who_is_not_logged_in_gives_way_to_others() -> None:
    talk = Talk(SessionSettings(max_sessions=2))
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


def test_who_is_being_logged_in_gives_way_last() -> None:
    talk = Talk(SessionSettings(max_sessions=2))
    talk.checker.waiting = waiting = Deferred()
    talk.replies()
    assert talk.codes("USER ann", "PASS secret") == [331]
    _, second = talk.connect()
    _, third = talk.connect()
    assert b"\r\n421 Not logged in" in second.value()
    assert third.value().startswith(b"220 ")
    waiting.callback(None)
    assert [line[:3] for line in talk.replies()] == ["230"]


def test_a_session_that_gave_way_gives_its_place_back_once() -> None:
    talk = Talk(SessionSettings(max_sessions=1, max_sessions_per_address=1))
    _, second = talk.connect("127.0.0.2")
    talk.lose(LOST)
    roster = talk.factory.services().session_limits
    assert [roster.taken("all", ""), roster.taken("address", "127.0.0.1")] == [1, 0]
    assert second.value().startswith(b"220 ")


def test_one_who_logs_out_waits_again() -> None:
    talk = Talk(SessionSettings(max_sessions=1)).login()
    assert talk.codes("REIN") == [220]
    _, second = talk.connect("127.0.0.2")
    assert second.value().startswith(b"220 ")
    assert talk.replies()[-1].startswith("421 Not logged in")


@pytest.mark.parametrize(
    ("first", "same"),
    [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("::ffff:192.0.2.1", "192.0.2.1")],
    ids=["a /64", "mapped"],
)
def test_an_address_is_what_one_customer_has(first: str, same: str) -> None:
    talk = Talk(SessionSettings(max_sessions_per_address=1), host=first)
    _, second = talk.connect(same)
    _, other = talk.connect("2001:db8:1:3::1")
    assert second.value().startswith(b"421 Too many sessions from your address")
    assert other.value().startswith(b"220 ")


def test_sessions_are_limited_by_address() -> None:
    talk = Talk(SessionSettings(max_sessions_per_address=1))
    _, same = talk.connect("127.0.0.1")
    _, other = talk.connect("127.0.0.2")
    assert same.value().startswith(b"421 ")
    assert other.value().startswith(b"220 ")


def test_a_session_that_ends_makes_room() -> None:
    talk = Talk(SessionSettings(max_sessions=1, max_sessions_per_address=1))
    talk.lose(LOST)
    _, second = talk.connect()
    assert second.value().startswith(b"220 ")


def test_sessions_are_limited_by_user() -> None:
    talk = Talk(SessionSettings(max_sessions_per_user=1)).login()
    talk.protocol, talk.transport = talk.connect()
    talk.replies()
    assert talk.codes("USER ann", "PASS secret") == [331, 421]
    assert talk.realm.logouts == ["ann"]


def test_an_accounts_own_limit_comes_before_the_general_one() -> None:
    talk = Talk()
    talk.realm.max_sessions = 1
    talk.login()
    talk.protocol, talk.transport = talk.connect()
    talk.replies()
    assert talk.codes("USER ann", "PASS secret") == [331, 421]


def test_anonymous_is_off_unless_asked_for() -> None:
    talk = Talk()
    talk.replies()
    talk.codes("USER anonymous", "PASS guest@")
    talk.reactor.advance(10)
    assert talk.replies() == ["530 Login failed."]


@pytest.mark.parametrize("name", ["anonymous", "ftp", "Anonymous"])
def test_anonymous_gets_in_with_any_password_where_it_is_on(name: str) -> None:
    talk = Talk(SessionSettings(anonymous=True), rights=PRESETS["read"])
    talk.replies()
    assert talk.codes(f"USER {name}", "PASS ", "PWD", "MKD x") == [331, 230, 257, 550]


def test_the_report_is_for_administrators() -> None:
    assert Talk().login().codes("REPORT", "SITE REPORT") == [550, 550]
    talk = Talk(rights=frozenset({Right.ADMIN})).login()
    assert talk.say("REPORT") == ["211-Report:", " all is well", "211 End of report."]
    assert talk.codes("SITE REPORT") == [211]


def test_the_service_says_421_to_everybody_when_it_stops() -> None:
    talk = Talk().login()
    talk.factory.disconnect_all("The service stops.")
    assert talk.replies() == ["421 The service stops."]
    assert talk.transport.over


def test_the_clients_half_close_ends_the_session_when_all_is_answered() -> None:
    talk = Talk().login()
    talk.protocol.dataReceived(b"PWD\r\n")
    talk.protocol.readConnectionLost()
    assert [line[:3] for line in talk.replies()] == ["257"]
    assert talk.transport.over


def test_a_client_that_does_not_read_is_given_no_more() -> None:
    talk = Talk().login()
    producer = talk.transport.producer
    assert producer is not None
    producer.pauseProducing()
    assert talk.codes("PWD", "NOOP") == []
    producer.resumeProducing()
    assert [line[:3] for line in talk.replies()] == ["257", "200"]
