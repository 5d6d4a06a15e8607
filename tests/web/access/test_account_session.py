"""Logins to the page are sessions like those of FTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ftpservice.events import LoggedIn, LoginFailed, LoginRefusal, SessionClosed, SessionOpened
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import TLSPolicy
from ftpservice.web.access.page_sessions import IDLE_SECONDS, SWEEP_SECONDS
from tests.support.page_in_memory import PageInMemory


@pytest.fixture
def page() -> Iterator[PageInMemory]:
    made = PageInMemory()
    yield made
    made.stop()


def session_of(page: PageInMemory) -> Any:
    (session,) = page.factory.sessions.values()
    return session


def kinds(page: PageInMemory) -> list[str]:
    return [type(event).__name__ for event in page.events]


def test_a_login_is_a_session_with_events_until_the_logout(page: PageInMemory) -> None:
    answer = page.log_in()
    assert answer.json["user"] == "ann"
    assert (answer.json["admin"], answer.json["files"]) == (False, True)
    assert page.ask("GET", "/login").json == answer.json
    opened, logged_in = page.events
    assert isinstance(opened, SessionOpened)
    assert isinstance(logged_in, LoggedIn)
    assert (opened.protocol, opened.user, logged_in.user) == ("http", "", "ann")
    assert (logged_in.info.protocol, logged_in.peer) == ("http", "127.0.0.1")
    assert logged_in.session == session_of(page).context.peer.session
    page.clock.advance(5)
    assert page.ask("DELETE", "/login").status == 200
    closed = page.events[-1]
    assert isinstance(closed, SessionClosed)
    assert (closed.user, closed.seconds, closed.reason) == ("ann", 5, "The user has logged out.")
    assert (page.realm.logouts, page.factory.sessions) == (["ann"], {})
    assert page.ask("GET", "/login").status == 401


def test_an_account_with_the_right_admin_is_told_so(page: PageInMemory) -> None:
    assert page.log_in("root").json["admin"] is True


def test_a_failed_login_opens_no_session(page: PageInMemory) -> None:
    assert page.log_in(password="wrong").status == 401
    (failed,) = page.events
    assert isinstance(failed, LoginFailed)
    assert (failed.user, failed.session, failed.info.protocol) == ("ann", 0, "http")
    assert page.factory.sessions == {}


def test_a_login_that_is_not_used_ends_by_itself(page: PageInMemory) -> None:
    page.log_in()
    page.clock.pump([SWEEP_SECONDS] * int(IDLE_SECONDS / SWEEP_SECONDS + 1))
    assert page.factory.sessions == {}
    assert page.ask("GET", "/login").status == 401


def test_a_request_that_works_keeps_its_login(page: PageInMemory) -> None:
    page.log_in()
    stopped: list[str] = []
    with session_of(page).working(lambda: stopped.append("now")):
        page.clock.pump([SWEEP_SECONDS] * int(2 * IDLE_SECONDS / SWEEP_SECONDS))
        assert page.ask("GET", "/login").status == 200
    assert stopped == []


@pytest.mark.parametrize("way", ["disconnect", "finish_and_disconnect"])
def test_an_administrator_or_a_change_of_the_account_ends_the_login(
    page: PageInMemory, way: str
) -> None:
    page.log_in()
    session = session_of(page)
    stopped: list[str] = []
    with session.working(lambda: stopped.append("now")):
        getattr(session, way)("why")
        assert page.ask("GET", "/login").status == 401
        assert stopped == (["now"] if way == "disconnect" else [])
        assert page.factory.sessions
    assert page.factory.sessions == {}
    assert page.events[-1].reason == "why"  # type: ignore[attr-defined]


def test_the_account_has_its_number_of_sessions_and_an_unused_login_makes_room(
    page: PageInMemory,
) -> None:
    page.realm.more["max_sessions"] = 1
    page.log_in()
    first = session_of(page)
    with first.working(bool):
        refused = page.log_in()
        assert refused.status == 429
        assert isinstance(page.events[-1], LoginFailed)
        assert page.events[-1].reason is LoginRefusal.TOO_MANY_SESSIONS
        assert session_of(page) is first
    page.log_in()
    assert session_of(page) is not first
    limits = page.factory.services().session_limits
    assert limits.taken("user", "ann") == 1
    page.ask("DELETE", "/login")
    assert limits.taken("user", "ann") == 0


def test_a_drain_ends_the_logins_of_all_but_administrators(page: PageInMemory) -> None:
    page.log_in("root")
    admin = (page.cookie, page.csrf)
    page.log_in("ann")
    page.factory.finish_and_disconnect_all("draining")
    assert page.ask("GET", "/login").status == 401
    assert page.log_in("ann").json["detail"] == "draining"
    page.cookie, page.csrf = admin
    assert page.ask("GET", "/login").status == 200
    page.factory.disconnect_all("stopping")
    assert page.ask("GET", "/login").status == 401


def test_files_are_not_transferred_in_plaintext_where_that_is_refused() -> None:
    policy = TLSPolicy("offered", "required", plaintext=True)  # type: ignore[arg-type]
    page = PageInMemory(SessionSettings(tls=policy))
    refused = page.log_in("ann")
    assert (refused.status, kinds(page)) == (403, ["LoginFailed"])
    assert page.log_in("root").json["files"] is False
    page.stop()


def test_abort_leaves_at_once_even_while_a_request_works(page: PageInMemory) -> None:
    page.log_in()
    with session_of(page).working(bool):
        page.factory.abort_all()
        assert page.factory.sessions == {}
    assert kinds(page).count("SessionClosed") == 1
