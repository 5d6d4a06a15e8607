"""Sessions of accounts without their passwords, for what they have allowed before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.cred.portal import Portal
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.realm import Realm
from ftpservice.backends.strings import build_source
from ftpservice.control.factory import FTPFactory
from ftpservice.events import Event
from ftpservice.web.access.portal_access import PortalAccess
from ftpservice.web.http.problems import Problem
from tests.support.page_in_memory import done

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"


class Door:
    """Accounts of a file, over a storage in memory."""

    def __init__(self, place: Path) -> None:
        self.path, clock = place / "passwd.db", Clock()
        self.path.write_text("")
        self.file = PasswordFile(str(self.path), lambda _text: None)
        self.file.load()
        checker = PasswordFileChecker(self.file)
        source = build_source("memory:", clock)
        realm = Realm(source, [checker], open_source=lambda text: build_source(text, clock))
        self.factory = FTPFactory(Portal(realm, [checker]), clock)
        self.events: list[Event] = []
        self.factory.event_sink.events.subscribe(self.events.append)
        self.portal = PortalAccess(self.factory, [checker], lambda _seconds: succeed(None))

    def set(self, options: str, rights: str = "full") -> None:
        self.path.write_text(f"ann:{HASH}:/:{rights}:{options}\n")
        self.file.load()

    def open(self, user: str = "ann", peer: str = "192.0.2.1", tls: str = "TLSv1.3") -> Any:
        return done(self.portal.open(user, peer, tls))

    def status(self, **words: str) -> int:
        try:
            self.open(**words).end("")
        except Problem as problem:
            return problem.status
        return 200


@pytest.fixture
def door(tmp_path: Path) -> Door:
    made = Door(tmp_path)
    made.set("")
    return made


def test_a_guest_has_the_files_and_rights_of_the_account_and_takes_no_place(door: Door) -> None:
    door.set("max-sessions=1", rights="read")
    first, second = door.open(), door.open()
    for session in (first, second):
        session.begin_as_guest()
        assert session.context.account.name == "ann"
        assert session.context.storage is session.context.account.storage
    limits = door.factory.services().session_limits
    assert limits.taken("user", "ann") == 0
    assert [type(event).__name__ for event in door.events] == ["SessionOpened"] * 2
    assert {event.user for event in door.events} == {"ann"}
    first.end("done")
    second.end("done")
    assert limits.taken("user", "ann") == 0
    assert door.factory.sessions == {}
    assert [type(event).__name__ for event in door.events[2:]] == ["SessionClosed"] * 2


@pytest.mark.parametrize(
    ("options", "words", "status"),
    [
        ("", {}, 200),
        ("disabled", {}, 403),
        ("expires=2020-01-01", {}, 403),
        ("from=10.0.0.0/8", {}, 403),
        ("from=10.0.0.0/8", {"peer": "10.1.2.3"}, 200),
        ("tls=required", {}, 200),
        ("tls=required", {"tls": ""}, 403),
        ("certificate=required", {}, 403),
        ("", {"user": "bob"}, 403),
        ("", {"user": ""}, 403),
    ],
)
def test_it_is_refused_what_a_login_of_the_account_would_be(
    door: Door, options: str, words: dict[str, str], status: int
) -> None:
    door.set(options)
    assert door.status(**words) == status
    assert door.factory.sessions == {}
    assert door.events == []


def test_files_that_cannot_be_opened_are_no_account_that_is_gone(door: Door) -> None:
    door.set("quota=1M")  # the realm has no ledgers
    assert door.status() == 503
    assert door.factory.sessions == {}


def test_a_login_that_is_ended_before_it_has_begun_is_to_be_repeated(door: Door) -> None:
    """A change of the account may be noticed while second factors are looked for."""
    session = door.open()
    session.end("the account was changed")
    with pytest.raises(Problem) as raised:
        done(door.portal.begin(session, lambda _name: False))
    assert (raised.value.status, "log in again" in str(raised.value)) == (401, True)


def test_what_is_known_of_an_account(door: Door) -> None:
    for options, rights, expected in (
        ("", "full", (True, False)),
        ("", "full,admin", (True, True)),
        ("disabled", "full,admin", (False, True)),
        ("expires=2020-01-01", "full", (False, False)),
    ):
        door.set(options, rights)
        state = done(door.portal.state("ann"))
        assert (state.is_in_force, state.is_admin) == expected
    assert done(door.portal.state("bob")).is_in_force is False
