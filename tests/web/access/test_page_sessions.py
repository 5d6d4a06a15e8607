"""The logins of browsers."""

from __future__ import annotations

import pytest

from ftpservice.web.access.page_sessions import (
    IDLE_SECONDS,
    LONGEST_SECONDS,
    MAX_SESSIONS,
    MAX_SESSIONS_PER_USER,
    PageSessions,
    cookie_name,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logins(clock: Clock) -> PageSessions:
    return PageSessions(clock)


def test_a_login_is_found_by_its_cookie_until_it_ends(logins: PageSessions) -> None:
    secret, session = logins.begin("ann")
    assert logins.find(secret) is session
    assert logins.find(secret + "x") is None
    assert session.accepts_csrf(session.csrf)
    assert not session.accepts_csrf("")
    logins.end(session)
    assert logins.find(secret) is None


def test_a_login_ends_without_requests_and_after_a_day(logins: PageSessions, clock: Clock) -> None:
    secret, _ = logins.begin("ann")
    clock.now += IDLE_SECONDS - 1
    assert logins.find(secret)
    clock.now += IDLE_SECONDS
    assert logins.find(secret) is None
    secret, session = logins.begin("ann")
    while clock.now + IDLE_SECONDS / 2 < session.created + LONGEST_SECONDS:
        clock.now += IDLE_SECONDS / 2
        assert logins.find(secret)
    clock.now = session.created + LONGEST_SECONDS
    assert logins.find(secret) is None


def test_their_number_is_bounded(logins: PageSessions) -> None:
    first, _ = logins.begin("ann")
    for _ in range(MAX_SESSIONS_PER_USER):
        logins.begin("ann")
    assert logins.find(first) is None
    other, _ = logins.begin("bob")
    for number in range(MAX_SESSIONS):
        logins.begin(str(number))
    assert logins.find(other) is None


def test_the_cookie_of_a_tls_connection_is_bound_to_this_host() -> None:
    assert cookie_name(True).startswith("__Host-")
    assert not cookie_name(False).startswith("__Host-")
