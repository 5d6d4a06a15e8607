"""Who gets in, who does not, and that strangers learn nothing from the difference."""

import os
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from ftpservice.accounts import checkers, verified_passwords
from ftpservice.accounts.account import CertificateCredentials, PeerCredentials
from ftpservice.accounts.account_record import (
    AccountRecord,
    IAccountRecords,
    IStartable,
    RecordedName,
)
from ftpservice.accounts.checkers import (
    SHIPPED_HASH,
    LoginBusy,
    PasswordFileChecker,
    shipped_accounts,
)
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.passwd_line import parse_line
from ftpservice.accounts.password_hash import verify
from ftpservice.admin.cli import ftpservice
from ftpservice.events import LoginRefusal
from tests.accounts.doubles import SECRET, InlinePool

NOW = datetime(2027, 1, 31, 12).timestamp()
LINES = f"""
alice:{SECRET}:/alice:read
disabled:{SECRET}:/:full:disabled
lastday:{SECRET}:/:full:expires=2027-01-31
expired:{SECRET}:/:full:expires=2027-01-30
office:{SECRET}:/:full:from=10.0.0.0/8,from=fd00::/8
tls:{SECRET}:/:full:tls=required
broken:{SECRET}:/:raed
gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n:{SECRET}:/:full
demo:{SHIPPED_HASH}:/:full
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "passwd.db"
    path.write_text(LINES, "utf-8")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


@pytest.fixture
def pool():
    return InlinePool()


@pytest.fixture
def checker(path, pool):
    return PasswordFileChecker(PasswordFile(str(path), lambda text: None), pool, lambda: NOW)


def ask(checker, name, password=b"secret", peer="192.0.2.1", secured=False):
    seen = []
    credentials = PeerCredentials(name, password, peer, secured)
    checker.requestAvatarId(credentials).addBoth(seen.append)
    [answer] = seen
    return answer


def refused(answer):
    return answer.check(UnauthorizedLogin) is not None


def test_it_is_what_it_says(checker):
    for interface in (ICredentialsChecker, IAccountRecords, IStartable):
        assert verifyObject(interface, checker)


def test_the_right_password_gets_the_name_with_its_record(checker):
    answer = ask(checker, b"alice")
    assert answer == b"alice"
    assert isinstance(answer, RecordedName)
    assert answer.record.root == "/alice"


@pytest.mark.parametrize("password", [b"", b"Secret", b"secret\0", b"secret ", b"\xff"])
def test_a_wrong_password_is_refused(checker, password):
    assert refused(ask(checker, b"alice", password))


@pytest.mark.parametrize("name", ["grün", "grün".encode()])
@pytest.mark.parametrize("password", ["secret", b"secret"])
def test_plain_credentials_will_do_as_text_or_bytes(checker, name, password):
    seen = []
    checker.requestAvatarId(UsernamePassword(name, password)).addBoth(seen.append)
    assert seen == ["grün".encode()]


@pytest.mark.parametrize(
    ("name", "peer", "secured", "lets_in"),
    [
        (b"disabled", "10.0.0.1", True, False),
        (b"broken", "10.0.0.1", True, False),
        (b"expired", "10.0.0.1", True, False),
        (b"lastday", "10.0.0.1", True, True),
        (b"office", "10.0.0.1", False, True),
        (b"office", "::ffff:10.0.0.1", False, True),
        (b"office", "fd00::1", False, True),
        (b"office", "192.0.2.1", True, False),
        (b"office", None, True, False),
        (b"tls", "192.0.2.1", False, False),
        (b"tls", "192.0.2.1", True, True),
        (b"nobody", "10.0.0.1", True, False),
        (b"", "10.0.0.1", True, False),
        (b"ali\xffce", "10.0.0.1", True, False),
        (b"alice\0", "10.0.0.1", True, False),
        (b"alice\n", "10.0.0.1", True, False),
    ],
)
def test_the_right_password_is_not_all(checker, name, peer, secured, lets_in):
    assert refused(ask(checker, name, b"secret", peer, secured)) if not lets_in else True
    assert (ask(checker, name, b"secret", peer, secured) == name) is lets_in


@pytest.mark.parametrize("name", [b"office", b"tls"])
def test_credentials_without_a_peer_match_no_network(checker, name):
    seen = []
    checker.requestAvatarId(UsernamePassword(name, b"secret")).addBoth(seen.append)
    assert refused(seen[0])


@pytest.mark.parametrize(
    "name",
    [b"alice", b"nobody", b"disabled", b"expired", b"office", b"tls", b"broken", b"", b"\xff"],
)
@pytest.mark.parametrize("password", [b"secret", b"wrong"])
def test_every_login_costs_one_look_and_one_hash_at_the_cost_of_an_account(
    checker, hashes, pool, name, password
):
    ask(checker, name, password)
    [hashed] = hashes
    costs = {cost(record.password_hash) for record in checker.records()}
    assert cost(hashed) in costs
    assert len(pool.calls) == 1


def test_a_repeated_login_needs_no_thread_and_no_hash(checker, hashes, pool):
    first = ask(checker, b"alice")
    assert ask(checker, b"alice") is first
    assert len(hashes) == len(pool.calls) == 1


@pytest.mark.parametrize(
    ("name", "password", "peer"),
    [
        (b"alice", b"wrong", "10.0.0.1"),
        (b"nobody", b"secret", "10.0.0.1"),
        (b"office", b"secret", "192.0.2.1"),
    ],
)
def test_a_refusal_after_a_login_costs_what_every_refusal_costs(
    checker, hashes, pool, name, password, peer
):
    for accepted in (b"alice", b"office"):
        assert ask(checker, accepted, peer="10.0.0.1") == accepted
    before = len(hashes)
    for _ in range(2):
        assert refused(ask(checker, name, password, peer))
    assert len(hashes) == len(pool.calls) == before + 2


def replaced(path, text):
    new = path.with_name("new")
    new.write_text(text)
    os.replace(new, path)


def renamed(path, text):
    path.rename(path.with_name("old"))
    path.write_text(text)


def appended(path, text):
    with path.open("r+") as file:
        file.write(text)
        file.truncate()


@pytest.mark.parametrize("change", [Path.write_text, appended, replaced, renamed])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_repeated_login_sees_every_change_of_the_file_at_once(
    checker, path, hashes, change, is_link
):
    if is_link:
        path.rename(path.with_name("target"))
        path.symlink_to("target")
    for _ in range(2):
        assert ask(checker, b"alice") == b"alice"
        change(path, f"alice:{SECRET}:/:full:disabled\n")
        assert refused(ask(checker, b"alice"))
        assert refused(ask(checker, b"alice"))
        change(path, f"alice:{SECRET}:/:full\n")
    before = len(hashes)
    for _ in range(5):
        assert ask(checker, b"alice") == b"alice"
    assert len(hashes) <= before + 1


@pytest.mark.parametrize(
    "words",
    [["lock", "alice"], ["remove", "alice"], ["set", "alice", "--expires", "2020-01-31"]],
)
def test_a_command_is_in_force_for_the_next_login(checker, path, words):
    assert ask(checker, b"alice") == b"alice"
    done = CliRunner().invoke(ftpservice, ["user", *words, "--store", f"passwd:{path}"])
    assert done.exit_code == 0, done.output
    assert refused(ask(checker, b"alice"))


def test_a_file_that_is_gone_is_looked_at_by_every_login(checker, path, pool):
    assert ask(checker, b"alice") == b"alice"
    text = path.read_text()
    path.unlink()
    for _ in range(2):
        assert ask(checker, b"alice") == b"alice"  # the accounts read before stay in force
    assert len(pool.calls) == 3
    path.write_text(text.replace(":read", ":read:disabled"))
    assert refused(ask(checker, b"alice"))


def test_changes_that_the_kernel_does_not_tell_of_are_seen_when_the_next_check_is_due(
    checker, path, monkeypatch
):
    assert ask(checker, b"alice") == b"alice"
    directory = path.parent
    directory.rename(directory.with_name("before"))
    directory.mkdir()
    path.write_text(f"alice:{SECRET}:/:full:disabled\n")
    monkeypatch.setattr(verified_passwords, "RECHECK_SECONDS", -1.0)
    checker._verified.checked(checker.file.contents, checker._verified.now())
    assert refused(ask(checker, b"alice"))


def cost(hashed):
    return tuple(hashed.split("$")[:4])


def test_a_change_that_the_watch_has_read_holds_for_the_next_login(checker, path):
    assert ask(checker, b"alice") == b"alice"
    path.write_text(f"alice:{SECRET}:/:full:disabled\n")
    assert checker.current(["alice"])["alice"].disabled
    assert refused(ask(checker, b"alice"))


def test_all_refusals_look_alike(checker):
    answers = [
        ask(checker, name, password)
        for name in (b"alice", b"nobody", b"disabled", b"expired", b"office", b"tls", b"broken")
        for password in (b"wrong", b"secret")
        if (name, password) != (b"alice", b"secret")
    ]
    assert len({(answer.type, str(answer.value)) for answer in answers}) == 1


def test_a_full_pool_fails_with_login_busy_and_checks_nothing(checker, pool, hashes):
    pool.busy = True
    assert ask(checker, b"alice").check(LoginBusy)
    assert hashes == []


def test_a_login_sees_what_changed_in_the_file(checker, path):
    assert ask(checker, b"alice") == b"alice"
    path.write_text(f"bob:{SECRET}:/:full\n")
    assert ask(checker, b"bob") == b"bob"
    assert refused(ask(checker, b"alice"))
    path.unlink()
    assert ask(checker, b"bob") == b"bob"


def test_records_are_those_of_the_last_login(checker):
    assert checker.lookup("alice") is None
    ask(checker, b"alice")
    assert checker.lookup("alice").root == "/alice"
    assert checker.lookup("broken").disabled
    assert checker.lookup("nobody") is None
    assert "broken" not in [record.name for record in checker.records()]
    assert "alice" in [record.name for record in checker.records()]


def test_shipped_accounts_are_found_unless_they_are_closed():
    records = [
        AccountRecord("demo", SHIPPED_HASH),
        AccountRecord("closed", SHIPPED_HASH, disabled=True),
        AccountRecord("alice", SECRET),
    ]
    assert shipped_accounts(records) == ["demo"]


def test_a_shipped_account_works_until_it_is_refused(checker):
    assert ask(checker, b"demo", b"demo") == b"demo"
    checker.refuse_shipped = True
    assert refused(ask(checker, b"demo", b"demo"))
    assert ask(checker, b"alice") == b"alice"


def test_a_shipped_account_stays_refused_when_a_change_brings_it_in(checker, path):
    checker.refuse_shipped = True
    path.write_text(f"other:{SHIPPED_HASH}:/:full\n")
    assert refused(ask(checker, b"other", b"demo"))


def test_the_file_in_the_sources_has_the_one_account_demo_with_password_demo():
    path = os.path.join(os.path.dirname(__file__), "..", "..", "passwd.db")
    warnings = []
    contents = PasswordFile(path, warnings.append).load()
    [record] = contents.accounts.values()
    assert record == parse_line(f"demo:{SHIPPED_HASH}:/:full", record.line)
    assert verify(record.password_hash, b"demo")
    assert warnings == []
    assert shipped_accounts([record]) == ["demo"]


def test_a_checker_fails_before_it_is_started(path):
    checker = PasswordFileChecker(PasswordFile(str(path), lambda text: None))
    assert ask(checker, b"alice").check(RuntimeError)


def test_starting_makes_the_threads_and_stopping_ends_them(path):
    checker = PasswordFileChecker(PasswordFile(str(path), lambda text: None))
    reactor = MemoryReactorClock()
    checker.start(reactor)
    pool = checker._pool
    checker.start(reactor)
    assert checker._pool is pool
    checker.stop()
    checker.stop()
    assert pool._stopped
    assert ask(checker, b"alice").check(RuntimeError)


def test_what_checks_cost_is_logged_at_start(path):
    costly = SECRET.replace("m=8,t=1", "m=65000,t=3")
    path.write_text(f"cheap:{SECRET}:/:full\ncostly:{costly}:/:full\n")
    checker = PasswordFileChecker(PasswordFile(str(path), lambda text: None))
    checker.file.load()
    with capturedLogs() as events:
        checker.start(MemoryReactorClock())
        checker.start(MemoryReactorClock())
    checker.stop()
    [text] = [formatEvent(event) for event in events]
    assert text == (
        f"{path}: 2 accounts; a password check takes up to 64 MiB and 3 passes, 2 checks at a time"
    )


def test_a_given_pool_is_kept_and_stopped(checker, pool):
    checker.start(MemoryReactorClock())
    assert ask(checker, b"alice") == b"alice"
    checker.stop()
    assert pool.stopped


def certified(checker, name, *names, peer="192.0.2.1"):
    seen = []
    credentials = CertificateCredentials(name, peer, frozenset(names))
    checker.requestAvatarId(credentials).addBoth(seen.append)
    [answer] = seen
    return answer


@pytest.fixture
def with_certificates(checker):
    """Accounts that know what a certificate is to them."""
    Path(checker.file.path).write_text(
        f"cert:{SECRET}:/:read:tls-cert=login\n"
        f"both:{SECRET}:/:read:tls-cert=required\n"
        f"office:{SECRET}:/:read:tls-cert=login,from=10.0.0.0/8\n"
        f"closed:{SECRET}:/:read:tls-cert=login,disabled\n"
        f"plain:{SECRET}:/:read\n"
    )
    return checker


def test_a_certificate_is_enough_if_the_account_allows_it(with_certificates):
    answer = certified(with_certificates, b"cert", "cert", "other")
    assert answer == b"cert"
    assert answer.record.name == "cert"
    assert certified(with_certificates, b"office", "office", peer="10.0.0.1") == b"office"


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (b"cert", ("other",)),
        (b"cert", ("CERT",)),
        (b"cert", ()),
        (b"both", ("both",)),
        (b"plain", ("plain",)),
        (b"office", ("office",)),
        (b"closed", ("closed",)),
        (b"nobody", ("nobody",)),
    ],
)
def test_a_certificate_alone_is_not_enough_elsewhere(with_certificates, name, names):
    assert refused(certified(with_certificates, name, *names))


@pytest.mark.parametrize(
    ("name", "names", "lets_in"),
    [
        (b"both", {"both"}, True),
        (b"both", {"other"}, False),
        (b"both", set(), False),
        (b"cert", set(), True),
        (b"plain", {"other"}, True),
    ],
)
def test_an_account_may_want_a_certificate_besides(with_certificates, name, names, lets_in):
    seen = []
    credentials = PeerCredentials(name, b"secret", "192.0.2.1", True, frozenset(names))
    with_certificates.requestAvatarId(credentials).addBoth(seen.append)
    assert (seen[0] == name) is lets_in
    assert lets_in or refused(seen[0])


def test_a_busy_pool_is_no_failed_login():
    assert not issubclass(LoginBusy, LoginFailed)


def test_a_costly_hash_is_checked_only_one_at_a_time(checker, path, monkeypatch):
    costly = SECRET.replace("m=8,t=1", "m=8192,t=65")
    path.write_text(f"alice:{costly}:/:full\nbob:{SECRET}:/:full\n")
    during = []

    def nested(hashed, password):
        if hashed == costly:
            monkeypatch.setattr(checkers, "verify", verify)
            during.append(ask(checker, b"alice").check(LoginBusy) is LoginBusy)
            during.append(ask(checker, b"bob"))
        return True

    monkeypatch.setattr(checkers, "verify", nested)
    assert ask(checker, b"alice") == b"alice"
    assert during == [True, b"bob"]
    monkeypatch.setattr(checkers, "verify", nested)
    assert ask(checker, b"alice") == b"alice"


def test_a_path_in_place_of_a_password_file_is_refused():
    with pytest.raises(TypeError, match=r"file is a PasswordFile, not 'passwd\.db'"):
        PasswordFileChecker("passwd.db")


def test_a_login_has_what_the_account_inherits(checker, path):
    path.write_text(f"@staff:*:/srv/{{user}}:read\nann:{SECRET}::inherit:group=staff\n")
    assert ask(checker, b"ann").record.root == "/srv/ann"
    path.write_text(f"@staff:*:/new/{{user}}:full\nann:{SECRET}::inherit:group=staff\n")
    assert checker.current(["ann"])["ann"].root == "/new/ann"
    assert ask(checker, b"ann").record.root == "/new/ann"  # the remembered password holds no longer


def test_an_account_with_a_missing_group_is_refused_and_the_log_says_why(checker, path):
    path.write_text(f"ann:{SECRET}:/ann:full:group=gone\n")
    answer = ask(checker, b"ann")
    assert answer.value.reason is LoginRefusal.UNUSABLE_LINE
    assert "the group 'gone' does not exist" in answer.value.detail
    assert checker.current(["ann"])["ann"].disabled


@pytest.mark.parametrize("password", [b"", b"*", b"secret"])
def test_nobody_logs_in_as_a_group(checker, path, password):
    path.write_text(f"@staff:*:/:full\n@default:*:/:full\nann:{SECRET}:/:full\n")
    for name in (b"@staff", b"staff", b"@default"):
        assert ask(checker, name, password).value.reason is LoginRefusal.UNKNOWN_NAME
