"""The checker of a store: who gets in, what that costs, and what holds while the store is down."""

from dataclasses import replace
from datetime import datetime

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts.account import CertificateCredentials, PeerCredentials
from ftpservice.accounts.account_record import (
    CertificateUse,
    IRemoteRecords,
    IStartable,
)
from ftpservice.accounts.account_store import (
    FoundAccount,
    IPeerAccountLookup,
    IWatchedAccounts,
    StoreUnavailable,
)
from ftpservice.accounts.checkers import SHIPPED_HASH, LoginUnavailable
from ftpservice.accounts.passwd_line import parse_line
from ftpservice.accounts.stores import store_checker
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import LoginRefusal
from tests.accounts.doubles import SECRET, Accounts

NOW = datetime(2027, 1, 31, 12).timestamp()
DOWN = StoreUnavailable("it is down")
RECORDS = [
    parse_line(f"{line}")
    for line in (
        f"ann:{SECRET}:/ann:read",
        f"disabled:{SECRET}:/:full:disabled",
        f"expired:{SECRET}:/:full:expires=2027-01-30",
        f"office:{SECRET}:/:full:from=10.0.0.0/8",
        f"tls:{SECRET}:/:full:tls=required",
        f"cert:{SECRET}:/:full:tls-cert=login",
        f"both:{SECRET}:/:full:tls-cert=required",
        f"demo:{SHIPPED_HASH}:/:full",
    )
]


@pytest.fixture
def accounts():
    return Accounts(*RECORDS)


class Inline(InlineRunner):
    def stop_and_wait(self, interrupt=None):
        self.stop()


def started(accounts, monkeypatch, **arguments):
    monkeypatch.setattr(store_checker, "BlockingPool", lambda *_arguments: Inline())
    monkeypatch.setattr(store_checker, "new_check_pool", lambda _reactor: Inline())
    checker = StoreChecker(accounts, now=lambda: NOW, **arguments)
    clock = checker.clock = Clock()
    checker.start(clock)
    checker.start(clock)
    return checker


@pytest.fixture
def checker(accounts, monkeypatch):
    checker = started(accounts, monkeypatch)
    yield checker
    checker.stop()
    checker.stop()
    assert accounts.closed == 1


def answer(asked):
    seen = []
    asked.addBoth(seen.append)
    return seen[0]


def ask(checker, name, password=b"secret", peer="10.0.0.1", secured=True, names=()):
    credentials = PeerCredentials(name, password, peer, secured, frozenset(names))
    return answer(checker.requestAvatarId(credentials))


def reason(failure):
    return failure.check(UnauthorizedLogin) and failure.value.reason


def test_it_is_what_it_says(checker):
    for interface in (ICredentialsChecker, IRemoteRecords, IStartable, IWatchedAccounts):
        assert verifyObject(interface, checker)


def test_the_right_password_gets_the_name_with_its_record(checker):
    found = ask(checker, b"ann")
    assert (found, found.record) == (b"ann", RECORDS[0])


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (b"ann", {"password": b"wrong"}, LoginRefusal.WRONG_PASSWORD),
        (b"nobody", {}, LoginRefusal.UNKNOWN_NAME),
        (b"disabled", {}, LoginRefusal.DISABLED),
        (b"expired", {}, LoginRefusal.EXPIRED),
        (b"office", {"peer": "192.0.2.1"}, LoginRefusal.WRONG_NETWORK),
        (b"tls", {"secured": False}, LoginRefusal.NO_TLS),
        (b"both", {}, LoginRefusal.NO_CERTIFICATE),
        (b"both", {"names": ["other"]}, LoginRefusal.OTHER_CERTIFICATE),
        (b"\xff", {}, LoginRefusal.UNKNOWN_NAME),
        (b"' or 1=1 --", {}, LoginRefusal.UNKNOWN_NAME),
    ],
)
def test_every_refusal_has_its_reason_and_costs_one_look_and_one_hash(
    checker, accounts, hashes, name, options, expected
):
    assert reason(ask(checker, name, **options)) is expected
    assert len(hashes) == len(accounts.asked) == 1


def test_the_shipped_password_is_refused_where_that_is_told(checker):
    assert ask(checker, b"demo", b"demo") == b"demo"
    checker.refuse_shipped = True
    assert reason(ask(checker, b"demo", b"demo")) is LoginRefusal.SHIPPED_PASSWORD


def test_a_repeated_login_is_looked_up_and_needs_no_hash(checker, accounts, hashes):
    ask(checker, b"ann")
    assert ask(checker, b"ann") == b"ann"
    assert (len(hashes), len(accounts.asked)) == (1, 2)
    accounts.records["ann"] = replace(RECORDS[0], disabled=True)
    assert reason(ask(checker, b"ann")) is LoginRefusal.DISABLED


def test_a_store_may_check_passwords_itself(checker, accounts, hashes):
    accounts.is_right = True
    assert ask(checker, b"ann", b"anything") == b"ann"
    accounts.is_right = False
    assert reason(ask(checker, b"ann")) is LoginRefusal.WRONG_PASSWORD
    assert hashes == []
    assert [password for _, password in accounts.asked] == [b"anything", b"secret"]


def test_an_account_that_cannot_be_used_is_refused_with_why(checker, accounts):
    accounts.unusable = "the rights are missing"
    refused = ask(checker, b"ann")
    assert reason(refused) is LoginRefusal.UNUSABLE_LINE
    assert "the rights are missing" in refused.value.detail


def test_a_store_that_is_down_is_no_failed_login(checker, accounts, hashes):
    accounts.problem = DOWN
    refused = ask(checker, b"ann")
    assert refused.check(LoginUnavailable)
    assert not refused.check(LoginFailed)
    assert hashes == []
    accounts.problem = None
    assert ask(checker, b"ann") == b"ann"


def test_without_a_cache_nobody_gets_in_while_the_store_is_down(checker, accounts):
    ask(checker, b"ann")
    accounts.problem = DOWN
    assert ask(checker, b"ann").check(LoginUnavailable)


def test_with_a_cache_a_login_that_was_accepted_before_is_accepted_for_its_time(
    accounts, monkeypatch
):
    checker = started(accounts, monkeypatch, cache_seconds=60.0)
    ask(checker, b"ann")
    ask(checker, b"office")
    accounts.problem = DOWN
    assert ask(checker, b"ann").record is RECORDS[0]
    assert ask(checker, b"ann", b"wrong").check(LoginUnavailable)
    assert ask(checker, b"office", peer="192.0.2.1").check(LoginUnavailable)
    assert ask(checker, b"demo", b"demo").check(LoginUnavailable)
    checker.clock.advance(61)
    assert ask(checker, b"ann").check(LoginUnavailable)
    checker.stop()


def test_an_account_that_was_seen_locked_is_not_accepted_from_the_cache(accounts, monkeypatch):
    checker = started(accounts, monkeypatch, cache_seconds=60.0)
    ask(checker, b"ann")
    accounts.records["ann"] = replace(RECORDS[0], disabled=True)
    checker.current(["ann"])
    accounts.problem = DOWN
    assert ask(checker, b"ann").check(LoginUnavailable)
    checker.stop()


def test_a_certificate_is_enough_where_the_account_says_so(checker, accounts):
    def certified(name, *names):
        credentials = CertificateCredentials(name, "10.0.0.1", frozenset(names))
        return answer(checker.requestAvatarId(credentials))

    assert certified(b"cert", "cert").record.certificate is CertificateUse.LOGIN
    assert reason(certified(b"cert", "other")) is LoginRefusal.OTHER_CERTIFICATE
    assert reason(certified(b"ann", "ann")) is LoginRefusal.REFUSED
    assert reason(certified(b"nobody", "nobody")) is LoginRefusal.REFUSED
    assert {password for _, password in accounts.asked} == {None}
    accounts.problem = DOWN
    assert certified(b"cert", "cert").check(LoginUnavailable)


def test_the_oldest_record_of_a_login_is_taken_once(checker, accounts):
    ask(checker, b"ann")
    accounts.records["ann"] = replace(RECORDS[0], root="/new")
    ask(checker, b"ann")
    ask(checker, b"office", b"wrong")
    assert checker.take_logins(["ann", "office"]) == {"ann": RECORDS[0]}
    assert checker.take_logins(["ann"]) == {}
    assert checker.current(["ann", "nobody"]) == {"ann": accounts.records["ann"]}


def test_logins_that_nobody_takes_are_bounded(checker, monkeypatch):
    monkeypatch.setattr(store_checker, "MAX_UNTAKEN_LOGINS", 1)
    ask(checker, b"ann")
    ask(checker, b"office")
    assert list(checker.take_logins(["ann", "office"])) == ["office"]


def test_a_record_is_fetched_for_a_name_that_another_checker_accepted(checker, accounts):
    assert answer(checker.fetch("ann")) is RECORDS[0]
    assert answer(checker.fetch("nobody")) is None
    accounts.problem = DOWN
    assert answer(checker.fetch("ann")).check(LoginUnavailable)


def test_a_checker_that_is_not_started_fails(accounts):
    checker = StoreChecker(accounts)
    assert ask(checker, b"ann").check(RuntimeError)
    assert answer(checker.fetch("ann")).check(LoginUnavailable)
    checker.stop()


def test_a_store_that_does_not_tell_whether_it_knows_a_name_refuses_vaguely(accounts, monkeypatch):
    checker = started(accounts, monkeypatch)
    accounts.records, accounts.is_right, accounts.unusable = {}, False, "refused there"
    refusal = ask(checker, b"ann", b"wrong").value
    assert (refusal.reason, refusal.is_vague) == (LoginRefusal.REFUSED, True)
    assert refusal.detail == "accounts of the test: refused there"


def test_a_store_that_wants_it_is_told_how_the_client_is_connected(accounts, monkeypatch):
    seen = []

    @implementer(IPeerAccountLookup)
    class Told(Accounts):
        def look_up_from(self, name, password, peer):
            seen.append((name, password, peer.peer, peer.secured))
            return FoundAccount(self.records.get(name), True)

    checker = started(Told(*RECORDS), monkeypatch)
    assert ask(checker, b"ann", b"x", "192.0.2.1") == b"ann"
    assert seen == [("ann", b"x", "192.0.2.1", True)]
