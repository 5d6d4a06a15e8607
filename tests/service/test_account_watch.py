"""The watch of accounts: which sessions it ends, and that an error does not end it."""

import pytest
from argon2.low_level import Type, hash_secret
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import LoggedIn
from ftpservice.service.account_watch import WATCH_SECONDS, AccountWatch

HASH = hash_secret(b"secret", b"saltsalt", 1, 8, 1, 16, Type.ID).decode()


class Session:
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
