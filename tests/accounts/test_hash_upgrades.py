"""After a login, hashes of other programs are replaced: once, paced, and never over a newer one."""

import os
from datetime import date

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from ftpservice.accounts import hash_upgrades
from ftpservice.accounts.account import PeerCredentials
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.hash_upgrades import HashUpgrades
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.password_hash import hash_password, verify
from tests.accounts.doubles import SECRET, InlinePool

BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
"""All of "secret"."""
FILE = f"ann:{BCRYPT}:/ann:full\nben:{SHA}:/ben:read\ncat:{SECRET}:/cat:full\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "passwd.db"
    path.write_text(FILE)
    return path


@pytest.fixture
def store(path):
    return PasswordFileStore(str(path))


@pytest.fixture
def pool():
    return InlinePool()


@pytest.fixture
def clock():
    clock = Clock()
    clock.advance(1000)
    return clock


@pytest.fixture
def upgrades(store, pool, clock):
    return HashUpgrades(store, pool, clock)


def writes(pool):
    return [call.__name__ for call in pool.calls].count("replace_hashes")


def test_a_foreign_hash_is_replaced_and_nothing_else(upgrades, store, path):
    upgrades.after_login(store.find("ann"), b"secret")
    new = store.find("ann").password_hash
    assert new.startswith("$argon2id$")
    assert verify(new, b"secret")
    assert path.read_text() == FILE.replace(BCRYPT, new)


def test_argon2id_stays(upgrades, store, pool):
    upgrades.after_login(store.find("cat"), b"secret")
    assert pool.calls == []


def test_a_newer_hash_stays(upgrades, store):
    record = store.find("ann")
    newer = hash_password("other")
    store.change("ann", {"password_hash": newer})
    upgrades.after_login(record, b"secret")
    assert store.find("ann").password_hash == newer


def test_an_account_that_is_gone_stays_gone(upgrades, store, path):
    record = store.find("ann")
    store.remove("ann")
    before = path.read_text()
    upgrades.after_login(record, b"secret")
    assert path.read_text() == before


def test_changes_are_collected(upgrades, store, pool, clock):
    ann, ben = store.find("ann"), store.find("ben")
    upgrades.after_login(ann, b"secret")
    upgrades.after_login(ben, b"secret")
    upgrades.after_login(ben, b"secret")
    assert writes(pool) == 1
    assert store.find("ben").password_hash == SHA
    clock.advance(hash_upgrades.PAUSE_SECONDS)
    assert writes(pool) == 2
    assert verify(store.find("ben").password_hash, b"secret")
    assert clock.getDelayedCalls() == []


def test_the_pause_grows_with_the_time_of_a_change(store, pool, clock, monkeypatch):
    replace_hashes = store.replace_hashes

    def slow(hashes):
        clock.advance(3)
        return replace_hashes(hashes)

    monkeypatch.setattr(store, "replace_hashes", slow)
    upgrades = HashUpgrades(store, pool, clock)
    upgrades.after_login(store.find("ann"), b"secret")
    upgrades.after_login(store.find("ben"), b"secret")
    [call] = clock.getDelayedCalls()
    assert call.getTime() - clock.seconds() == 3 * hash_upgrades.PAUSE_FACTOR
    upgrades.stop()
    assert clock.getDelayedCalls() == []


def test_a_busy_pool_leaves_the_hash_for_the_next_login(upgrades, store, pool):
    pool.busy = True
    upgrades.after_login(store.find("ann"), b"secret")
    assert store.find("ann").password_hash == BCRYPT
    pool.busy = False
    upgrades.after_login(store.find("ann"), b"secret")
    assert store.find("ann").password_hash != BCRYPT


def test_few_passwords_wait(upgrades, store, pool, monkeypatch):
    monkeypatch.setattr(hash_upgrades, "MAX_PENDING", 0)
    upgrades.after_login(store.find("ann"), b"secret")
    assert pool.calls == []


def test_bcrypt_of_a_longer_password_stays(upgrades, store):
    upgrades.after_login(store.find("ann"), b"x" * 73)
    assert store.find("ann").password_hash == BCRYPT


def test_a_store_that_cannot_be_changed_is_logged_once(store, pool, clock, monkeypatch):
    problem = "passwd.db: Read-only file system"
    calls = []

    def refuse(hashes):
        calls.append(hashes)
        raise StoreUnavailable(problem)

    monkeypatch.setattr(store, "replace_hashes", refuse)
    upgrades = HashUpgrades(store, pool, clock)
    with capturedLogs() as events:
        upgrades.after_login(store.find("ann"), b"secret")
        upgrades.after_login(store.find("ben"), b"secret")
        assert len(calls) == 1
        clock.advance(hash_upgrades.RETRY_SECONDS)
        upgrades.after_login(store.find("ben"), b"secret")
        assert len(calls) == 2
    assert [formatEvent(event) for event in events] == [
        "password hashes of other programs cannot be replaced and stay in use:"
        " passwd.db: Read-only file system"
    ]
    monkeypatch.undo()
    clock.advance(hash_upgrades.RETRY_SECONDS)
    upgrades.after_login(store.find("ann"), b"secret")
    assert store.find("ann").password_hash != BCRYPT


def test_an_unexpected_error_is_logged_with_its_traceback(upgrades, store, monkeypatch):
    monkeypatch.setattr(store, "replace_hashes", lambda hashes: 1 / 0)
    with capturedLogs() as events:
        upgrades.after_login(store.find("ann"), b"secret")
    [event] = events
    assert event["log_failure"].check(ZeroDivisionError)


@pytest.fixture
def checker(path, pool, store, clock):
    file = PasswordFile(str(path), lambda text: None)
    checker = PasswordFileChecker(file, pool, lambda: date(2027, 1, 31), store)
    checker.start(clock)
    yield checker
    if not pool.stopped:
        checker.stop()


def login(checker, name, password=b"secret", peer="192.0.2.1"):
    answer = checker.requestAvatarId(PeerCredentials(name, password, peer, False))
    results = []
    answer.addBoth(results.append)
    return results[0]


def test_a_successful_login_replaces_the_hash(checker, store):
    assert login(checker, b"ann") == b"ann"
    assert store.find("ann").password_hash.startswith("$argon2id$")
    assert login(checker, b"ann") == b"ann"


def test_a_wrong_password_replaces_nothing(checker, store, path):
    login(checker, b"ann", b"wrong")
    assert path.read_text() == FILE


@pytest.mark.parametrize("option", ["disabled", "expires=2027-01-30", "from=10.0.0.0/8"])
def test_a_refused_login_with_the_right_password_replaces_nothing(checker, path, option):
    path.write_text(f"ann:{BCRYPT}:/ann:full:{option}\n")
    login(checker, b"ann")
    assert path.read_text() == f"ann:{BCRYPT}:/ann:full:{option}\n"


def test_without_a_store_hashes_stay(path, pool, clock):
    checker = PasswordFileChecker(PasswordFile(str(path), lambda text: None), pool)
    checker.start(clock)
    assert login(checker, b"ann") == b"ann"
    assert path.read_text() == FILE


def test_a_stopped_checker_replaces_nothing(checker, store, clock, pool):
    login(checker, b"ann")
    login(checker, b"ben")
    checker.stop()
    clock.advance(100)
    assert store.find("ben").password_hash == SHA


def test_the_file_keeps_its_mode(checker, path):
    os.chmod(path, 0o640)
    login(checker, b"ann")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_hash_that_was_made_here_is_of_the_same_password(upgrades, store, pool):
    record = store.find("ann")
    upgrades.after_login(record, b"secret")
    new = store.find("ann").password_hash
    assert new != record.password_hash
    assert upgrades.is_replacement(record.password_hash, new)
    assert not upgrades.is_replacement(new, record.password_hash)
    assert not upgrades.is_replacement(record.password_hash, hash_password("secret"))
