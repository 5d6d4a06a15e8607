"""Every checker that strcred knows works behind one portal, in a row with others."""

import sys
import types

import pytest
from twisted.cred.checkers import (
    ANONYMOUS,
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import Anonymous, ISSHPrivateKey, IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts import portal_checkers as stock
from ftpservice.accounts.account import (
    CertificateCredentials,
    ICertificateCredentials,
    PeerCredentials,
)
from ftpservice.accounts.account_record import IStartable
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable, PasswordFileChecker
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.portal_checkers import (
    CertificateCheckers,
    PasswordCheckers,
    UnusableChecker,
    portal_checkers,
)
from tests.accounts.doubles import SECRET, InlinePool
from twisted.plugins import cred_unix


class Avatar(Interface):
    """What the realm of these tests hands out."""


@implementer(IRealm)
class NameRealm:
    """Its avatar is the avatar id."""

    def requestAvatar(self, avatarId, mind, *interfaces):
        return Avatar, avatarId, lambda: None


@implementer(ICredentialsChecker)
class Answering:
    """A checker of another program: has the given outcome, and records its calls."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer):
        self.answer = answer
        self.seen = []

    def requestAvatarId(self, credentials):
        self.seen.append(credentials)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def pool():
    return InlinePool()


@pytest.fixture
def logged():
    """Failures that were logged."""
    seen = []

    def observe(event):
        if "log_failure" in event:
            seen.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def login(checkers, name, password=b"secret"):
    credentials = PeerCredentials(name, password, "192.0.2.1", False)
    seen = []
    Portal(NameRealm(), checkers).login(credentials, None, Avatar).addBoth(seen.append)
    [answer] = seen
    return answer[1] if isinstance(answer, tuple) else answer


def row(pool, *checkers):
    return [PasswordCheckers(checkers, pool)]


def refused(answer):
    return not isinstance(answer, (bytes, str)) and answer.check(UnauthorizedLogin) is not None


def names(answer, name):
    return answer in (name, name.encode())


def test_it_is_what_it_says(pool):
    assert verifyObject(ICredentialsChecker, PasswordCheckers([], pool))
    assert verifyObject(IStartable, PasswordCheckers([], pool))


@pytest.mark.parametrize("name", ["alice", "grün"])
def test_memory_made_from_a_string(pool, name):
    checkers = row(pool, makeChecker(f"memory:{name}:secret:bob:grün"))
    assert names(login(checkers, name.encode()), name)
    assert names(login(checkers, b"bob", "grün".encode()), "bob")
    assert refused(login(checkers, name.encode(), b"wrong"))
    assert refused(login(checkers, b"nobody"))
    assert refused(login(checkers, b"\xff", b"\xff"))


def test_memory_made_by_a_program(pool):
    checkers = row(pool, InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret"))
    assert login(checkers, b"alice") == b"alice"
    assert refused(login(checkers, b"alice", b"wrong"))


def test_memory_is_called_without_a_thread(pool):
    login(row(pool, makeChecker("memory:alice:secret")), b"alice")
    assert pool.calls == []


def test_file_with_plaintext_passwords_is_called_in_a_thread(pool, tmp_path):
    path = tmp_path / "users"
    path.write_bytes(b"alice:secret\ngr\xc3\xbcn:gr\xc3\xbcn\n\xff:\xff\n")
    checkers = row(pool, makeChecker(f"file:{path}"))
    assert login(checkers, b"alice") == b"alice"
    assert login(checkers, "grün".encode(), "grün".encode()) == "grün".encode()
    assert login(checkers, b"\xff", b"\xff") == b"\xff"
    assert refused(login(checkers, b"alice", b"wrong"))
    assert refused(login(checkers, b"nobody"))
    assert len(pool.calls) == 5


def test_file_that_is_not_there_refuses(pool, tmp_path, capsys):
    assert refused(login(row(pool, FilePasswordDB(str(tmp_path / "none"))), b"alice"))


def test_file_with_hashed_passwords(pool, tmp_path):
    path = tmp_path / "users"
    path.write_bytes(b"alice:terces\n")
    checker = FilePasswordDB(str(path), hash=lambda name, password, stored: password[::-1])
    assert login(row(pool, checker), b"alice") == b"alice"
    assert refused(login(row(pool, checker), b"alice", b"wrong"))


def test_a_subclass_of_a_twisted_checker_is_called_on_the_reactor_thread(pool, tmp_path):
    class Derived(FilePasswordDB):
        def requestAvatarId(self, credentials):
            return succeed(credentials.peer.encode())

    assert login(row(pool, Derived(str(tmp_path / "none"))), b"alice") == b"192.0.2.1"
    assert pool.calls == []


@pytest.fixture
def system(monkeypatch):
    """A system with one user, whose password is not in a shadow file."""
    monkeypatch.setattr(
        cred_unix, "verifyCryptedPassword", lambda crypted, password: password == b"secret"
    )

    def getpwnam(name):
        if "\0" in name:
            raise ValueError("embedded null byte")
        if name != "alice":
            raise KeyError(name)
        return types.SimpleNamespace(pw_passwd="$6$salt$digest")

    monkeypatch.setitem(sys.modules, "pwd", types.SimpleNamespace(getpwnam=getpwnam))
    monkeypatch.setitem(sys.modules, "spwd", None)


def test_unix_is_called_in_a_thread(pool, system, logged):
    checkers = row(pool, makeChecker("unix"))
    assert login(checkers, b"alice") == "alice"
    assert refused(login(checkers, b"alice", b"wrong"))
    assert refused(login(checkers, b"nobody"))
    assert refused(login(checkers, b"\xff"))
    assert refused(login(checkers, b"a\0"))
    assert len(pool.calls) == 5
    assert logged == []


def test_unix_that_cannot_work_here_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(stock, "find_spec", lambda name: None)
    with pytest.raises(UnusableChecker, match="no module crypt"):
        portal_checkers([makeChecker("unix")])


def test_unix_is_taken_where_it_can_work(monkeypatch):
    monkeypatch.setattr(stock, "find_spec", lambda name: object())
    checker = makeChecker("unix")
    [passwords] = portal_checkers([checker])
    assert passwords.checkers == (checker,)


def test_anonymous_stands_beside_the_passwords():
    checkers = portal_checkers([makeChecker("anonymous"), makeChecker("memory:alice:secret")])
    seen = []
    Portal(NameRealm(), checkers).login(Anonymous(), None, Avatar).addBoth(seen.append)
    assert seen[0][1] == ANONYMOUS
    assert names(login(checkers, b"alice"), "alice")


def test_anonymous_alone_needs_nothing_else():
    [checker] = portal_checkers([makeChecker("anonymous")])
    assert IUsernamePassword not in checker.credentialInterfaces


def test_checkers_of_other_things_are_refused_by_name():
    class KeysOnly:
        credentialInterfaces = (ISSHPrivateKey,)

    with pytest.raises(UnusableChecker, match="KeysOnly checks neither"):
        portal_checkers([KeysOnly()])


def test_checkers_are_called_in_order_until_one_accepts(pool):
    first, second, third = (
        Answering(UnauthorizedLogin()),
        Answering(succeed(b"alice")),
        Answering(b"never"),
    )
    assert login(row(pool, first, second, third), b"alice") == b"alice"
    assert (len(first.seen), len(second.seen), len(third.seen)) == (1, 1, 0)


@pytest.mark.parametrize("refusal", [UnauthorizedLogin(), LoginDenied()])
def test_when_all_refuse_it_is_one_refusal(pool, refusal):
    assert refused(login(row(pool, Answering(refusal), Answering(refusal)), b"alice"))


def test_without_checkers_every_login_is_refused(pool):
    assert refused(login(row(pool), b"alice"))


def test_an_empty_name_is_refused_before_any_checker_is_called(pool):
    checker = Answering(b"somebody")
    assert refused(login(row(pool, checker), b""))
    assert checker.seen == []


def test_a_checker_that_fails_is_logged_and_the_next_one_called(pool, logged):
    checkers = row(pool, Answering(ZeroDivisionError()), Answering(b"alice"))
    assert login(checkers, b"alice") == b"alice"
    assert [failure.type for failure in logged] == [ZeroDivisionError]


def test_a_failing_file_in_a_thread_is_logged(pool, logged, tmp_path):
    def broken(name, password, stored):
        raise ZeroDivisionError

    path = tmp_path / "users"
    path.write_bytes(b"alice:x\n")
    assert refused(login(row(pool, FilePasswordDB(str(path), hash=broken)), b"alice"))
    assert [failure.type for failure in logged] == [ZeroDivisionError]


def test_too_busy_ends_the_asking(pool):
    never = Answering(b"alice")
    assert login(row(pool, Answering(LoginBusy()), never), b"alice").check(LoginBusy)
    assert never.seen == []


def test_cancelling_reaches_the_checker_and_asks_no_other(pool):
    cancelled = []
    never = Answering(b"alice")
    waiting = Answering(Deferred(cancelled.append))
    asked = PasswordCheckers([waiting, never], pool).requestAvatarId(
        UsernamePassword(b"alice", b"secret")
    )
    asked.addErrback(lambda failure: None)
    asked.cancel()
    assert len(cancelled) == 1
    assert never.seen == []


def test_a_password_file_keeps_its_record_in_a_row(pool, tmp_path):
    path = tmp_path / "passwd.db"
    path.write_text(f"alice:{SECRET}:/alice:read\n")
    ours = PasswordFileChecker(PasswordFile(str(path), lambda text: None), pool)
    checkers = PasswordCheckers([makeChecker("memory:bob:secret"), ours], pool)
    assert login([checkers], b"alice").record.root == "/alice"
    assert names(login([checkers], b"bob"), "bob")
    assert checkers.records() == [ours]


def test_names_as_text_will_do(pool):
    seen = []
    checkers = PasswordCheckers([makeChecker("memory:alice:secret")], pool)
    checkers.requestAvatarId(UsernamePassword("alice", "secret")).addBoth(seen.append)
    assert names(seen[0], "alice")


def test_checkers_that_are_not_started_are_logged(logged, tmp_path):
    assert refused(login([PasswordCheckers([FilePasswordDB(str(tmp_path / "x"))])], b"alice"))
    assert [str(failure.value) for failure in logged] == [
        "start the checkers with the reactor before the first login"
    ]


def test_starting_and_stopping_reach_every_checker(tmp_path):
    path = tmp_path / "users"
    path.write_bytes(b"alice:secret\n")
    ours = PasswordFileChecker(PasswordFile(str(path), lambda text: None))
    checkers = PasswordCheckers([makeChecker("memory:bob:secret"), ours, FilePasswordDB(str(path))])
    reactor = MemoryReactorClock()
    checkers.start(reactor)
    pool = checkers._pool
    checkers.start(reactor)
    assert checkers._pool is pool
    assert ours._pool is not None
    checkers.stop()
    checkers.stop()
    assert ours._pool is None
    assert pool._stopped


class Certifying(Answering):
    credentialInterfaces = (IUsernamePassword, ICertificateCredentials)


CERTIFICATE = CertificateCredentials(b"ann", None, frozenset(["ann"]))


def test_checkers_of_certificates_are_called_in_turn(logged):
    answering = [UnauthorizedLogin(), ValueError("broken"), b"ann", b"bob"]
    checkers = [Certifying(answer) for answer in answering]
    passwords, certificates = portal_checkers(checkers)
    assert isinstance(passwords, PasswordCheckers)
    assert isinstance(certificates, CertificateCheckers)
    assert passwords.checkers == certificates.checkers == tuple(checkers)
    seen = []
    certificates.requestAvatarId(CERTIFICATE).addBoth(seen.append)
    assert seen == [b"ann"]
    assert [len(checker.seen) for checker in checkers] == [1, 1, 1, 0]
    assert len(logged) == 1


def test_a_certificate_that_no_checker_accepts_is_refused():
    seen = []
    CertificateCheckers([Certifying(UnauthorizedLogin())]).requestAvatarId(CERTIFICATE).addBoth(
        seen.append
    )
    assert seen[0].check(UnauthorizedLogin)


def test_too_many_logins_are_no_answer_about_a_certificate():
    seen = []
    busy = [Certifying(LoginBusy()), Certifying(b"ann")]
    CertificateCheckers(busy).requestAvatarId(CERTIFICATE).addBoth(seen.append)
    assert seen[0].check(LoginBusy)


def test_without_checkers_of_certificates_there_is_no_combined_one():
    assert len(portal_checkers([Answering(b"ann")])) == 1


def test_what_is_no_checker_is_refused_by_name():
    for wrong in (None, "passwd:passwd.db", FilePasswordDB):
        with pytest.raises(UnusableChecker, match="is not an object with ICredentials") as caught:
            portal_checkers([wrong])
        assert repr(wrong) in str(caught.value)


def in_a_row(pool, tmp_path, *parts):
    """Checkers: a dict of names and lines for a file of accounts, others as they are."""
    made = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            path = tmp_path / f"{number}.db"
            path.write_text(part)
            part = PasswordFileChecker(PasswordFile(str(path), lambda text: None), pool)
        made.append(part)
    return row(pool, *made)


def ann(options="", hashed=SECRET):
    return f"ann:{hashed}:/:full{options}\n"


DOWN = LoginUnavailable("the store is down")
OTHER = ann(hashed=SECRET.replace("saltsalt", "saltsalu")[:-2] + "AA")


@pytest.mark.parametrize("options", [":disabled", ":expires=2020-01-01", ":tls=required"])
def test_the_first_store_that_has_the_name_decides(pool, tmp_path, options):
    assert refused(login(in_a_row(pool, tmp_path, ann(options), ann()), b"ann"))
    assert login(in_a_row(pool, tmp_path, ann(), ann(options)), b"ann") == b"ann"
    assert login(in_a_row(pool, tmp_path, "# nobody\n", ann()), b"ann") == b"ann"


def test_a_password_of_a_later_store_is_wrong_if_the_first_has_the_name(pool, tmp_path):
    assert refused(login(in_a_row(pool, tmp_path, OTHER, ann()), b"ann"))
    before = len(pool.calls)
    refused(login(in_a_row(pool, tmp_path, OTHER, ann()), b"ann"))
    assert len(pool.calls) == before + 2  # as for an unknown name


def test_a_checker_without_records_may_accept_a_name_of_a_store(pool, tmp_path):
    memory = makeChecker("memory:ann:secret")
    assert names(login(in_a_row(pool, tmp_path, OTHER, memory), b"ann"), "ann")
    assert refused(login(in_a_row(pool, tmp_path, ann(":disabled"), memory), b"ann"))


def test_a_store_that_is_down_is_passed_over_for_those_of_another(pool, tmp_path):
    assert login(in_a_row(pool, tmp_path, Answering(DOWN), ann()), b"ann") == b"ann"
    assert login(in_a_row(pool, tmp_path, ann(), Answering(DOWN)), b"ann") == b"ann"


@pytest.mark.parametrize(
    ("name", "is_guess"), [(b"ann", True), (b"nobody", False)], ids=["known", "unknown"]
)
def test_without_a_store_that_may_have_the_name_nothing_is_decided(pool, tmp_path, name, is_guess):
    checkers = in_a_row(pool, tmp_path, Answering(DOWN), OTHER)
    answer = login(checkers, name)
    assert answer.check(LoginUnavailable)
    assert str(answer.value) == "the store is down"
    assert answer.value.is_guess is is_guess


def test_a_store_before_the_one_that_is_down_decides(pool, tmp_path):
    assert refused(login(in_a_row(pool, tmp_path, OTHER, Answering(DOWN)), b"ann"))
    assert login(in_a_row(pool, tmp_path, OTHER, Answering(DOWN)), b"bob").check(LoginUnavailable)


def test_several_stores_that_do_not_answer_take_no_longer_than_one_login_may():
    reactor, hanging = MemoryReactorClock(), Answering(Deferred())
    checker = PasswordCheckers([Answering(DOWN), hanging])
    checker.start(reactor)
    seen = []
    checker.requestAvatarId(UsernamePassword(b"ann", b"secret")).addBoth(seen.append)
    reactor.advance(stock.MAX_CHECK_SECONDS - 0.1)
    assert seen == []
    reactor.advance(0.1)
    assert seen[0].check(LoginUnavailable)
    checker.stop()


def test_a_store_of_certificates_that_is_down_decides_nothing():
    seen = []
    CertificateCheckers([Certifying(DOWN), Certifying(UnauthorizedLogin())]).requestAvatarId(
        CERTIFICATE
    ).addBoth(seen.append)
    assert seen[0].check(LoginUnavailable)
