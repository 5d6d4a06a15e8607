"""Who makes a request: cookies, tokens and requests that other sites cause."""

from __future__ import annotations

import json
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.web.access.page_sessions import PageSessions
from ftpservice.web.access.portal_access import AccountState
from ftpservice.web.access.request_access import CHECK_SECONDS, RequestAccess
from ftpservice.web.access.scopes import Scope
from ftpservice.web.access.token_access import TokenAccess
from ftpservice.web.http.problems import Problem

JSON = "application/json; charset=utf-8"


class Session:
    """A session of an account."""

    is_over = is_working = False
    is_admin = may_transfer = True
    password_hash = "of its login"
    context = SimpleNamespace(account=SimpleNamespace(name="ann", owner=""))

    def end(self, reason: str) -> None:
        self.is_over = True


class Portal:
    """Accepts the password ``right``."""

    def __init__(self) -> None:
        self.admins = {"ann"}

        self.locked = self.has_other_password = False

    async def check(self, user: str, password: str, peer: str, tls: str) -> Session:
        if password != "right":
            raise Problem(401, "Login failed.")
        return Session()

    async def begin(self, session: Session, make_room: Any) -> None:
        pass

    async def state(self, user: str, _known_hash: str) -> AccountState:
        other = self.has_other_password
        return AccountState(not self.locked, user in self.admins, has_other_password=other)


class Door:
    def __init__(self) -> None:
        self.now, self.portal = 0.0, Portal()
        tokens = TokenAccess(None, InlineRunner(), lambda _event: None, lambda: self.now, Clock())
        sessions = PageSessions(Clock())
        self.access = RequestAccess(
            tokens,
            self.portal,  # type: ignore[arg-type]
            sessions,
            lambda is_secure, host: is_secure or host == "127.0.0.1",
            lambda: self.now,
        )
        self.cookie = b""

    def request(self, method: str = "GET", **given: Any) -> Any:
        headers = {"host": "ftp.example:8021", "content-type": JSON} | given.pop("headers", {})
        facts = {"is_secure": True, "peer": "192.0.2.1", "body": None} | given

        def add_cookie(name: str, value: str, **attributes: Any) -> None:
            self.cookie, self.attributes = value.encode(), attributes | {"name": name}

        return SimpleNamespace(
            method=method.encode(),
            getHeader=headers.get,
            getCookie=lambda _name: self.cookie or None,
            isSecure=lambda: facts["is_secure"],
            peer_host=facts["peer"],
            tls="TLSv1.3",
            content=BytesIO(json.dumps(facts["body"]).encode()),
            addCookie=add_cookie,
            setHeader=lambda *_pair: None,
        )

    def run(self, name: str, *words: str, **given: Any) -> Any:
        results: list[Any] = []
        work = getattr(self.access, name)(self.request(*words, **given))
        Deferred.fromCoroutine(work).addBoth(results.append)
        (result,) = results
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

    def log_in(self) -> str:
        body = {"user": "ann", "password": "right"}
        headers = {"origin": "https://ftp.example:8021"}
        return self.run("log_in", "POST", body=body, headers=headers)["csrf"]

    def status(self, *words: str, **given: Any) -> int:
        try:
            self.run("caller", *words, **given)
        except Problem as problem:
            return problem.status
        return 200


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_login_gives_a_hardened_cookie(door: Door) -> None:
    door.log_in()
    assert door.attributes["httpOnly"] is door.attributes["secure"] is True
    assert (door.attributes["sameSite"], door.attributes["path"]) == ("strict", "/")
    caller = door.run("caller")
    assert (caller.name, caller.scopes) == ("ann", frozenset(Scope))


@pytest.mark.parametrize(
    ("origin", "csrf", "kind", "status"),
    [
        ("https://ftp.example:8021", True, JSON, 200),
        ("https://ftp.example:8021", False, JSON, 403),
        ("https://evil.example", True, JSON, 403),
        ("https://ftp.example", True, JSON, 403),
        ("null", True, JSON, 403),
        ("https://[", True, JSON, 403),
        ("", True, JSON, 403),
        ("https://ftp.example:8021", True, "text/plain", 415),
    ],
)
def test_a_change_comes_from_our_page_only(
    door: Door, origin: str, csrf: bool, kind: str, status: int
) -> None:
    value = door.log_in() if csrf else door.log_in() and "wrong"
    headers = {"origin": origin, "x-csrf-token": value, "content-type": kind}
    assert door.status("POST", headers=headers) == status
    assert door.status("DELETE", headers=headers) == status


def test_other_sites_cannot_log_in_their_visitors(door: Door) -> None:
    body = {"user": "ann", "password": "right"}
    for headers in ({}, {"origin": "https://evil.example"}):
        with pytest.raises(Problem, match="does not come from"):
            door.run("log_in", "POST", body=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"user": 1, "password": ""},
        {"user": "ann"},
        {"user": "\ud800", "password": ""},
        {"user": "x" * 1025, "password": ""},
        {"user": "ann", "password": "\ud800"},
    ],
)
def test_a_malformed_login_is_refused(door: Door, body: Any) -> None:
    with pytest.raises(Problem) as refused:
        door.run("log_in", "POST", body=body, headers={"origin": "https://ftp.example:8021"})
    assert refused.value.status == 400


def test_without_tls_other_machines_are_refused_before_anything_else(door: Door) -> None:
    assert door.status(is_secure=False) == 403
    assert door.status(is_secure=False, peer="127.0.0.1") == 401


def test_a_login_ends_when_its_account_has_another_password(door: Door) -> None:
    door.log_in()
    door.portal.has_other_password = True
    door.now += CHECK_SECONDS
    assert door.status() == 401


def test_a_login_ends_when_its_account_is_no_longer_in_force(door: Door) -> None:
    door.log_in()
    door.portal.locked = True
    assert door.status() == 200
    door.now += CHECK_SECONDS
    assert door.status() == 401
    door.portal.locked = False
    assert door.status() == 401


def test_a_login_that_loses_the_right_admin_has_no_scopes_any_more(door: Door) -> None:
    door.log_in()
    door.portal.admins.clear()
    assert door.run("caller").scopes == frozenset(Scope)
    door.now += CHECK_SECONDS
    caller = door.run("caller")
    assert (caller.scopes, caller.account is None) == (frozenset(), False)
    assert door.run("current")["admin"] is False


def test_a_login_can_be_ended(door: Door) -> None:
    headers = {"origin": "https://ftp.example:8021", "x-csrf-token": door.log_in()}
    before = door.cookie
    door.run("log_out", "DELETE", headers=headers)
    assert door.cookie == b""
    door.cookie = before
    assert door.status() == 401
    with pytest.raises(Problem, match="no login"):
        door.run("current")
