"""What is remembered of accepted logins, and for how long."""

from dataclasses import replace

import pytest
from twisted.internet.task import Clock

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.stores import verified_logins
from ftpservice.accounts.stores.verified_logins import REHASH_SECONDS, VerifiedLogins

ANN = AccountRecord("ann", "hash of ann")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def logins(clock):
    return VerifiedLogins(clock.seconds)


def test_the_same_password_with_the_same_hash_needs_no_other_hash_for_a_while(logins, clock):
    assert not logins.matches(ANN, b"secret")
    assert logins.remember(ANN, b"secret", True).record is ANN
    assert logins.matches(replace(ANN, root="/other"), b"secret")
    assert not logins.matches(ANN, b"Secret")
    assert not logins.matches(replace(ANN, password_hash="another"), b"secret")
    assert not logins.matches(replace(ANN, name="bob"), b"secret")
    clock.advance(REHASH_SECONDS - 1)
    logins.remember(ANN, b"secret", False)
    clock.advance(2)
    assert not logins.matches(ANN, b"secret")


def test_a_login_is_accepted_from_memory_within_the_time_after_the_last_one(logins, clock):
    logins.remember(ANN, b"secret", True)
    clock.advance(60)
    assert logins.accepted_within(60, "ann", b"secret") == b"ann"
    assert logins.accepted_within(60, "ann", b"other") is None
    assert logins.accepted_within(60, "bob", b"secret") is None
    logins.remember(ANN, b"secret", False)
    clock.advance(60)
    assert logins.accepted_within(60, "ann", b"secret") == b"ann"
    clock.advance(1)
    assert logins.accepted_within(60, "ann", b"secret") is None


@pytest.mark.parametrize(
    "now", [None, replace(ANN, disabled=True), replace(ANN, password_hash="new")]
)
def test_what_the_store_no_longer_accepts_is_forgotten(logins, now):
    logins.remember(ANN, b"secret", True)
    logins.update("ann", replace(ANN, root="/other"))
    assert logins.accepted_within(60, "ann", b"secret") == b"ann"
    logins.update("ann", now)
    assert logins.accepted_within(60, "ann", b"secret") is None
    logins.update("nobody", now)


def test_the_number_of_names_is_bounded(logins, monkeypatch):
    monkeypatch.setattr(verified_logins, "MAX_REMEMBERED", 2)
    for name in ("ann", "bob", "cyd"):
        logins.remember(replace(ANN, name=name), b"secret", True)
    kept = [logins.accepted_within(60, name, b"secret") for name in ("ann", "bob", "cyd")]
    assert kept == [None, b"bob", b"cyd"]


def test_a_password_that_the_store_refuses_now_is_forgotten_and_another_one_is_not(logins):
    logins.remember(ANN, b"secret", False)
    logins.forget("ann", b"other")
    logins.forget("bob", b"secret")
    assert logins.accepted_within(60, "ann", b"secret") == b"ann"
    logins.forget("ann", b"secret")
    assert logins.accepted_within(60, "ann", b"secret") is None
