"""The live sessions follow the events."""

from ftpservice.activity.live_sessions import LiveSessions
from ftpservice.events import (
    LoggedIn,
    Outcome,
    Refused,
    SessionClosed,
    SessionOpened,
    TransferEnded,
    TransferStarted,
)

WHO = (7, "192.0.2.1", "")
ALICE = (7, "192.0.2.1", "alice")


def told(*events):
    live = LiveSessions()
    for event in events:
        live(event)
    return live


def test_a_session_is_there_from_its_opening_to_its_closing():
    live = told(SessionOpened(5.0, *WHO, protocol="ftp"))
    [session] = live.sessions()
    assert (session.number, session.peer, session.protocol) == (7, "192.0.2.1", "ftp")
    assert (session.since, session.user, session.running, session.last) == (5.0, "", None, None)
    live(SessionClosed(6.0, *WHO))
    assert len(live) == 0
    assert live.sessions() == ()


def test_a_session_has_the_name_of_the_last_login():
    live = told(SessionOpened(5.0, *WHO), LoggedIn(6.0, *ALICE), LoggedIn(7.0, 7, "", "bob"))
    assert live.sessions()[0].user == "bob"


def test_a_session_shows_the_transfer_it_is_at_and_then_its_end():
    started = TransferStarted(6.0, *ALICE, "/a", True)
    ended = TransferEnded(7.0, *ALICE, "/a", True, Outcome.COMPLETE, 10, 1.0)
    live = told(SessionOpened(5.0, *WHO), started)
    assert live.sessions()[0].running is started
    live(ended)
    assert live.sessions()[0].running is None
    assert live.sessions()[0].last is ended


def test_events_of_sessions_that_were_never_opened_leave_nothing():
    live = told(
        LoggedIn(1.0, *ALICE),
        Refused(1.0, *WHO, "too many sessions"),
        SessionClosed(1.0, *WHO),
    )
    assert len(live) == 0


def test_other_events_change_nothing():
    live = told(SessionOpened(5.0, *WHO), Refused(6.0, *WHO, "no"))
    assert len(live) == 1


def test_the_oldest_session_comes_first():
    live = told(SessionOpened(5.0, 2, "a", ""), SessionOpened(6.0, 1, "b", ""))
    assert [session.number for session in live.sessions()] == [2, 1]
