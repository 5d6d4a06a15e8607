"""A password that was verified is accepted again without a hash, and nothing else is."""

import pytest

from ftpservice.accounts import verified_passwords
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.verified_passwords import (
    RECHECK_SECONDS,
    REMEMBERED_SECONDS,
    VerifiedPasswords,
)

ALICE = AccountRecord("alice", "hash")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def contents():
    return parse("")


@pytest.fixture
def verified(clock, contents):
    passwords = VerifiedPasswords(clock)
    passwords.checked(contents, clock.now)
    passwords.remember("alice", b"secret", ALICE)
    return passwords


def test_the_same_name_and_password_get_the_record_they_were_verified_against(verified):
    found = verified.find("alice", b"secret")
    assert found == b"alice"
    assert found.record is ALICE


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", b"Secret"), ("alice", b""), ("bob", b"secret"), ("", b""), ("alic", b"esecret")],
)
def test_anything_else_is_not_found(verified, name, password):
    assert verified.find(name, password) is None


def test_nothing_is_found_when_the_check_of_the_file_is_too_old(verified, clock, contents):
    clock.now += RECHECK_SECONDS + 0.01
    assert verified.find("alice", b"secret") is None
    verified.checked(contents, clock.now)
    assert verified.find("alice", b"secret") is not None


def test_other_contents_of_the_file_forget_everything(verified, clock):
    verified.checked(parse(""), clock.now)
    assert verified.find("alice", b"secret") is None


def test_a_password_is_hashed_again_after_a_time(verified, clock, contents):
    clock.now += REMEMBERED_SECONDS + 0.01
    verified.checked(contents, clock.now)
    assert verified.find("alice", b"secret") is None


def test_the_oldest_names_are_forgotten_first(verified, monkeypatch):
    monkeypatch.setattr(verified_passwords, "MAX_REMEMBERED", 2)
    verified.remember("bob", b"secret", AccountRecord("bob", "hash"))
    verified.remember("alice", b"secret", ALICE)
    verified.remember("carol", b"secret", AccountRecord("carol", "hash"))
    assert verified.find("bob", b"secret") is None
    assert verified.find("alice", b"secret") is not None


def test_the_password_itself_is_not_kept(verified):
    assert b"secret" not in repr(vars(verified)).encode()
