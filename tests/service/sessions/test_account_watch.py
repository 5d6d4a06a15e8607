"""The watch of accounts: which sessions it ends, and that an error does not end it."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from argon2.low_level import Type, hash_secret
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.accounts.account import PeerCredentials
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.stores import store_checker
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.accounts.terms.login_hours import parse_hours
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import LoggedIn
from ftpservice.service.sessions.account_watch import WATCH_SECONDS, AccountWatch
from ftpservice.storage.retention_rules import parse_retention
from tests.accounts.doubles import Accounts

HASH = hash_secret(b"secret", b"saltsalt", 1, 8, 1, 16, Type.ID).decode()


class Session:
    is_working = False

    def __init__(self, breaks=False):
        self.ended = []
        self.breaks = breaks

    def disconnect(self, reason):
        if self.breaks:
            raise ZeroDivisionError
        self.ended.append(reason)

    finish_and_disconnect = disconnect


@pytest.fixture
def watch(tmp_path):
    path, clock = tmp_path / "passwd.db", Clock()
    path.write_text(f"ann:{HASH}:/:full\n")
    file = PasswordFile(str(path), lambda _text: None)
    file.load()
    made = AccountWatch([PasswordFileChecker(file)], {}, clock)
    made._pool, made.path, made.clock = InlineRunner(), path, clock
    made.published = []
    made.publish = made.published.append
    made.startService()
    yield made
    made.stopService()
    assert clock.getDelayedCalls() == []


def login(watch, number, session):
    watch._sessions[number] = session
    watch.new_logins.append(LoggedIn(0.0, number, "192.0.2.1", "ann"))


def test_an_error_with_one_session_does_not_end_the_watch(watch):
    failures = []
    globalLogPublisher.addObserver(failures.append)
    broken, whole = Session(breaks=True), Session()
    login(watch, 1, broken)
    watch.clock.advance(WATCH_SECONDS)
    watch.path.write_text(f"ann:{HASH}:/:full:disabled\n")
    watch.clock.advance(WATCH_SECONDS)
    globalLogPublisher.removeObserver(failures.append)
    assert any("could not be compared" in str(event.get("log_format")) for event in failures)
    del watch._sessions[1]
    watch.path.write_text(f"ann:{HASH}:/:full\n")
    watch.clock.advance(WATCH_SECONDS)
    login(watch, 2, whole)  # long after a change
    watch.clock.advance(WATCH_SECONDS)
    assert whole.ended == []
    watch.path.write_text(f"ann:{HASH}:/:read\n")
    watch.clock.advance(WATCH_SECONDS)
    assert whole.ended == ["The account has changed; log in again."]
    changes = [(event.session, event.user, event.what) for event in watch.published]
    assert changes[-1] == (2, "ann", "changed")


def test_a_change_of_a_group_is_one_of_its_accounts(watch):
    def session_with(text, then):
        session = Session()
        watch.path.write_text(text)
        watch.clock.advance(WATCH_SECONDS)
        login(watch, len(watch._sessions) + 1, session)
        watch.clock.advance(WATCH_SECONDS)
        assert session.ended == []
        watch.path.write_text(then)
        watch.clock.advance(WATCH_SECONDS)
        return session.ended

    ann = f"ann:{HASH}:/:inherit:group=staff\n"
    staff, changed = "@staff:*::full\n", "@staff:*::full:quota=1M\n"
    assert session_with(staff + ann, changed + ann) == ["The account has changed; log in again."]
    assert session_with(staff + ann, ann) == ["The account is no longer in force."]
    locked = "@staff:*::full:disabled\n"
    assert session_with(staff + ann, locked + ann) == ["The account is no longer in force."]
    own = f"ann:{HASH}:/:full:group=staff\n"
    assert session_with(staff + ann, staff + own) == []


class Pool(InlineRunner):
    def stop_and_wait(self, interrupt=None):
        self.stop()


@pytest.fixture
def remote(monkeypatch):
    """A watch of a store with one account, its checker and the store."""
    monkeypatch.setattr(store_checker, "BlockingPool", lambda *_arguments: Pool())
    monkeypatch.setattr(store_checker, "new_check_pool", lambda _reactor: Pool())
    accounts, clock = Accounts(AccountRecord("ann", HASH), AccountRecord("bob", HASH)), Clock()
    checker = StoreChecker(accounts)
    checker.start(clock)
    made = AccountWatch([checker, object()], {}, clock)
    made._pool, made.clock, made.checker, made.accounts = InlineRunner(), clock, checker, accounts
    made.startService()
    yield made
    made.stopService()
    checker.stop()
    assert clock.getDelayedCalls() == []


def remote_login(watch, number, name="ann"):
    session, seen = Session(), []
    credentials = PeerCredentials(name.encode(), b"secret", None, secured=False)
    watch.checker.requestAvatarId(credentials).addBoth(seen.append)
    assert seen == [name.encode()]
    watch._sessions[number] = session
    watch.new_logins.append(LoggedIn(0.0, number, "192.0.2.1", name))
    return session


def set_account(watch, **changes):
    watch.accounts.records["ann"] = replace(watch.accounts.records["ann"], **changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"disabled": True}, "The account is no longer in force."),
        ({"expires": date(2020, 1, 1)}, "The account is no longer in force."),
        ({"root": "/other"}, "The account has changed; log in again."),
    ],
)
def test_a_change_in_a_store_ends_the_sessions_of_its_account(remote, changes, text):
    ann, bob = remote_login(remote, 1), remote_login(remote, 2, "bob")
    remote.clock.advance(WATCH_SECONDS)
    set_account(remote, password_hash=HASH + "x", retention=parse_retention("30d"))
    remote.clock.advance(WATCH_SECONDS)
    assert ann.ended == []
    set_account(remote, **changes)
    remote.clock.advance(WATCH_SECONDS)
    assert (ann.ended, bob.ended) == ([text], [])
    del remote.accounts.records["bob"]
    remote.clock.advance(WATCH_SECONDS)
    assert (ann.ended, bob.ended) == ([text], ["The account is no longer in force."])


def test_a_login_of_two_steps_has_logged_in_with_what_was_true_at_the_first(remote):
    ann, again = remote_login(remote, 1), LoggedIn(0.0, 1, "192.0.2.1", "ann")
    remote.clock.pump([WATCH_SECONDS] * 3)
    remote.new_logins.append(again)
    remote.clock.advance(WATCH_SECONDS)
    assert ann.ended == []
    set_account(remote, root="/other")
    remote.clock.advance(WATCH_SECONDS)
    assert ann.ended == ["The account has changed; log in again."]


def test_an_account_that_changes_between_two_steps_ends_the_login(watch):
    ann = Session()
    login(watch, 1, ann)
    watch.clock.advance(WATCH_SECONDS)
    watch.path.write_text(f"ann:{HASH}:/:read\n")
    watch.clock.advance(WATCH_SECONDS)
    assert ann.ended == ["The account has changed; log in again."]


def test_a_session_that_finishes_after_a_change_is_ended_by_a_lock(remote):
    ann = remote_login(remote, 1)
    ann.is_working = True
    remote.clock.advance(WATCH_SECONDS)
    set_account(remote, root="/other")
    remote.clock.pump([WATCH_SECONDS] * 3)
    assert ann.ended == ["The account has changed; log in again."]
    set_account(remote, disabled=True)
    remote.clock.pump([WATCH_SECONDS] * 3)
    assert ann.ended[1:] == ["The account is no longer in force."]


def test_sessions_end_with_the_hours_of_their_account(remote):
    noon = datetime(2027, 1, 25, 12, tzinfo=UTC).timestamp()
    remote._now = remote.checker._now = lambda: noon + remote.clock.seconds()
    set_account(remote, hours=parse_hours("10:00-12:01 UTC"))
    ann, bob = remote_login(remote, 1), remote_login(remote, 2, "bob")
    remote.clock.advance(WATCH_SECONDS)
    remote.accounts.problem = StoreUnavailable("it is down")
    remote.clock.pump([WATCH_SECONDS] * 58)
    assert (remote.clock.seconds(), ann.ended) == (59, [])
    remote.clock.advance(WATCH_SECONDS)
    assert (ann.ended, bob.ended) == (["The hours of the account have ended."], [])
    remote.clock.pump([WATCH_SECONDS] * 3)
    assert len(ann.ended) == 1


def test_other_hours_hold_for_sessions_that_run(remote):
    noon = datetime(2027, 1, 25, 12, tzinfo=UTC).timestamp()
    remote._now = remote.checker._now = lambda: noon
    ann = remote_login(remote, 1)
    remote.clock.advance(WATCH_SECONDS)
    set_account(remote, hours=parse_hours("13:00-14:00 UTC"))
    remote.clock.advance(WATCH_SECONDS)
    assert ann.ended == ["The account is no longer in force."]


def test_a_change_right_after_a_login_is_seen_although_another_login_saw_it(remote):
    first = remote_login(remote, 1)
    set_account(remote, root="/other")
    remote_login(remote, 2)
    remote.clock.advance(WATCH_SECONDS)
    assert first.ended == ["The account has changed; log in again."]


def test_a_store_that_is_down_ends_no_session_and_is_watched_again(remote):
    session = remote_login(remote, 1)
    remote.clock.advance(WATCH_SECONDS)
    remote.accounts.problem = StoreUnavailable("it is down")
    for _ in range(3):
        remote.clock.advance(WATCH_SECONDS)
    assert session.ended == []
    remote.accounts.problem = None
    set_account(remote, disabled=True)
    remote.clock.advance(WATCH_SECONDS)
    assert session.ended == ["The account is no longer in force."]


def test_a_login_during_a_slow_look_is_left_to_the_next_one(remote):
    remote._pool.held = remote._pool.begun = True
    remote.clock.advance(WATCH_SECONDS)
    session = remote_login(remote, 1)
    remote.clock.advance(WATCH_SECONDS)
    assert len(remote._pool._ready) == 1
    remote._pool.held = False
    remote._pool.release()
    remote.clock.advance(WATCH_SECONDS)
    assert session.ended == []


def test_a_look_that_runs_is_interrupted_when_the_service_stops(remote):
    remote._pool.held = True
    remote.clock.advance(WATCH_SECONDS)
    remote.stopService()
    assert remote.accounts.interrupted == [0.0]
    remote.startService()
    remote._pool = InlineRunner()
