"""The logins of browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from ftpservice.web.access.page_sessions import (
    IDLE_SECONDS,
    LONGEST_SECONDS,
    LONGEST_UNKNOWN_SECONDS,
    MAX_SESSIONS,
    MAX_SESSIONS_PER_USER,
    PageSession,
    PageSessions,
)


class Session:
    """A session of an account."""

    is_over = is_working = is_admin = False
    password_hash = "of its password"

    def end(self, reason: str) -> None:
        self.is_over = True

    disconnect = end


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logins(clock: Clock) -> Iterator[PageSessions]:
    made = PageSessions(clock)
    yield made
    made.stop()
    assert clock.getDelayedCalls() == []


def begin(logins: PageSessions, user: str = "ann") -> tuple[str, PageSession]:
    return logins.begin(user, Session())  # type: ignore[arg-type]


def test_a_login_is_found_by_its_cookie_until_it_ends(logins: PageSessions) -> None:
    secret, session = begin(logins, "ann")
    assert logins.find(secret) is session
    assert logins.find(secret + "x") is None
    assert session.accepts_csrf(session.csrf)
    assert not session.accepts_csrf("")
    logins.end(session, "why")
    assert session.account.is_over
    assert logins.find(secret) is None


def test_a_login_ends_without_requests_and_after_a_day(logins: PageSessions, clock: Clock) -> None:
    secret, _ = begin(logins, "ann")
    clock.advance(IDLE_SECONDS - 1)
    assert logins.find(secret)
    clock.advance(IDLE_SECONDS)
    assert logins.find(secret) is None
    secret, session = begin(logins, "ann")
    while clock.seconds() + IDLE_SECONDS / 2 < session.created + LONGEST_SECONDS:
        clock.advance(IDLE_SECONDS / 2)
        assert logins.find(secret)
    clock.advance(session.created + LONGEST_SECONDS - clock.seconds())
    assert logins.find(secret) is None


def test_a_login_ends_sooner_if_its_store_does_not_tell_of_another_password(
    logins: PageSessions, clock: Clock
) -> None:
    secret, session = begin(logins, "ann")
    session.account.password_hash = ""
    while clock.seconds() + IDLE_SECONDS / 2 < LONGEST_UNKNOWN_SECONDS:
        clock.advance(IDLE_SECONDS / 2)
        assert logins.find(secret)
    clock.advance(LONGEST_UNKNOWN_SECONDS - clock.seconds())
    assert logins.find(secret) is None
    assert LONGEST_UNKNOWN_SECONDS < LONGEST_SECONDS


def test_their_number_is_bounded(logins: PageSessions) -> None:
    first, _ = begin(logins, "ann")
    for _ in range(MAX_SESSIONS_PER_USER):
        begin(logins, "ann")
    assert logins.find(first) is None
    other, _ = begin(logins, "bob")
    for number in range(MAX_SESSIONS):
        begin(logins, str(number))
    assert logins.find(other) is None


def test_a_login_ends_with_the_session_of_its_account(logins: PageSessions) -> None:
    secret, session = begin(logins)
    session.account.end("kicked")
    assert logins.find(secret) is None
